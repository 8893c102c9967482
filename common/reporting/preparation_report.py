"""The quality report of a prepared log as one HTML file: what went in, what each step did, what came out."""

import base64
from pathlib import Path

from markupsafe import Markup

from common.plots.preparation import prepared_log
from common.reporting.html.environment import TEMPLATES, environment
from common.utils.io import read_json, write_text
from common.utils.memory import readable

QUALITY, REPORT, FIGURE = "quality.json", "quality.html", "figures/quality.png"


def write_report(folder: Path) -> Path:
    """Write `quality.html`, with its figure, into a folder that the ten steps have made; returns its path."""
    quality, steps = read_json(folder / QUALITY), read_json(folder / "steps.json")["steps"]
    (folder / FIGURE).parent.mkdir(exist_ok=True)
    prepared_log(
        quality["events_per_month"], quality["cut"], quality["long_tail"]["curve"], folder.name, folder / FIGURE
    )
    templates = environment()
    templates.filters |= {"size": readable, "count": lambda number: f"{number:,}"}
    picture = base64.b64encode((folder / FIGURE).read_bytes()).decode()
    style = Markup((TEMPLATES / "quality.css").read_text(encoding="utf-8"))
    page = templates.get_template("quality.html").render(
        name=folder.name, quality=quality, steps=steps, figure=picture, style=style
    )
    write_text(folder / REPORT, page)
    return folder / REPORT
