"""All results on one page, `outputs/index.html`, which loads nothing from a network."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.experiments.flags import command, parse_flags
from common.experiments.outputs import no_results
from common.reporting.html.leaderboards import find_boards
from common.reporting.html.render import render
from common.reporting.html.screenshot import screenshot
from common.utils.io import ROOT, display, write_text

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """Write one page of all results under outputs/: leaderboards, charts, training, and lists of a few users."""

    users: tuple[str, ...] = ()
    """Ids of the users whose lists are shown; the first three of each protocol where none are named."""
    page: Path | None = None
    """File of the page; index.html under --output-dir where none is named."""
    screenshot: Path | None = None
    """PNG file that receives a picture of the page, taken by an installed Chromium."""
    data_dir: Path = ROOT / "data"
    """Folder of prepared data: names and histories."""
    output_dir: Path = ROOT / "outputs"
    """Folder that holds the results."""
    verify: bool = False
    """Check stored files of 64 MB and more by their hash, too, not by size and time alone."""


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Read all results, write the page, and take a screenshot with --screenshot."""
    settings = parse_flags(Settings, argv)
    boards = find_boards(settings.output_dir, settings.data_dir)
    if not boards:
        if any(settings.output_dir.glob("*/explore/statistics.json")):
            log.info("no page is written: of the data under %s no model is trained yet", display(settings.output_dir))
            return
        raise no_results(settings.output_dir)
    page = settings.page or settings.output_dir / "index.html"
    write_text(page, render(boards, settings.data_dir, settings.users))
    rows = sum(len(board.rows) for board in boards)
    size = page.stat().st_size / 2**20
    log.info("%s: data sets and protocols %d, rows %d, %.1f MiB", display(page), len(boards), rows, size)
    log.info("it shows user ids and item names: share it only where the licence of the data allows that")
    if settings.screenshot:
        screenshot(page, settings.screenshot)
        log.info("%s: its picture", display(settings.screenshot))
