"""Leaderboards as one HTML file that loads nothing from elsewhere."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from common.experiments.run import PART_NAMES
from common.reporting.html.charts import CHANCE, Styles, charts
from common.reporting.html.leaderboards import Leaderboard
from common.reporting.html.sample_users import SampleUsers, check_users
from common.utils.terminal import visible

HERE = Path(__file__).parent


def render(boards: Sequence[Leaderboard], data_dir: Path, users: Sequence[str] = ()) -> str:
    """The page of some leaderboards, with the lists of the named users or the first few."""
    samples = [SampleUsers(board, data_dir) for board in boards]
    check_users(users, samples)
    styles = Styles(boards)
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    table_script, table_style = data_tables()
    return environment.get_template("page.html").render(
        boards=[(board, sample, sample.sample(users)) for board, sample in zip(boards, samples, strict=True)],
        users=list(users),
        figures={board.key: charts(board, styles) for board in boards},
        styles=styles,
        chance=CHANCE,
        part_names=PART_NAMES,
        page_style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        page_script=Markup((HERE / "page.js").read_text(encoding="utf-8")),
        plotly_script=Markup(inside_script(get_plotlyjs())),
        table_script=Markup(inside_script(table_script)),
        table_style=Markup(table_style),
    )


def _shown(value: Any) -> Any:
    """What the template writes, without characters that would steer a browser; markup is ours and stays."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def data_tables() -> tuple[str, str]:
    """DataTables' module and style, as the package itables carries them.

    The module exports its table class under a short name; the added line makes it known to the page.
    """
    from itables.utils import read_package_file

    module = read_package_file("html/dt_bundle.js")
    exported = re.search(r"export\s*\{[^}]*?(\w+) as default", module)
    if exported is None:
        raise RuntimeError("the module of itables exports no default; see render.data_tables")
    return f"{module}\nwindow.DataTable = {exported[1]};\n", read_package_file("html/dt_bundle.css")


def inside_script(source: str) -> str:
    """JavaScript that can stand in a script element: tags in its strings are spelled so that no browser sees them.

    >>> inside_script("'<script>'")
    "'\\\\x3cscript>'"
    """
    return re.sub(r"<(?=/?script|!--)", r"\\x3c", source, flags=re.IGNORECASE)
