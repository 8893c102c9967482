"""Leaderboards as one HTML file that loads nothing from elsewhere."""

import re
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from common.experiments.run import PART_NAMES
from common.reporting.html.charts import CHANCE, Styles, charts
from common.reporting.html.environment import TEMPLATES, environment
from common.reporting.html.leaderboards import Leaderboard
from common.reporting.html.sample_users import SampleUsers, check_users


def render(boards: Sequence[Leaderboard], data_dir: Path, users: Sequence[str] = ()) -> str:
    """The page of some leaderboards, with the lists of the named users or the first few."""
    samples = [SampleUsers(board, data_dir) for board in boards]
    check_users(users, samples)
    styles = Styles(boards)
    templates = environment()
    table_script, table_style = data_tables()
    return templates.get_template("page.html").render(
        boards=[(board, sample, sample.sample(users)) for board, sample in zip(boards, samples, strict=True)],
        users=list(users),
        figures={board.key: charts(board, styles) for board in boards},
        styles=styles,
        chance=CHANCE,
        part_names=PART_NAMES,
        page_style=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        page_script=Markup((TEMPLATES / "page.js").read_text(encoding="utf-8")),
        plotly_script=Markup(inside_script(get_plotlyjs())),
        table_script=Markup(inside_script(table_script)),
        table_style=Markup(table_style),
    )


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
