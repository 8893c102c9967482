"""Leaderboards of a data set, printed, and figures of their rows; with --readme also a Markdown page."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from common.experiments.flags import command, parse
from common.experiments.outputs import no_results, plot, results_of_rows, rows_of, runs_in
from common.experiments.settings import DataSettings
from common.reporting.leaderboard import text, write_leaderboard
from common.reporting.markdown_blocks import fill_page, read_page
from common.reporting.results_json import blocks, gather
from common.reporting.stage_summary import compare_rows
from common.splits.protocols import PROTOCOLS
from common.splits.store import folder_name, load_split
from common.utils.io import display

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(DataSettings):
    """Print the leaderboards of a data set, draw their rows side by side, and fill a Markdown page if one is named."""

    readme: Path | None = None
    """Page whose blocks between <!-- leaderboard DATASET PROTOCOL --> and <!-- end --> are written anew; likewise those
    of segments, splits, seeds, ablation, parts, prices, groups, plays, unseen and ladder."""


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Rebuild, print, draw and insert the leaderboards of every protocol that has results."""
    settings = parse(Settings, argv)
    data = settings.load_data()
    page = read_page(settings.readme) if settings.readme else ""
    folder = settings.output_dir / data.name
    splits = [folder_name(protocol, settings.split_seed) for protocol in PROTOCOLS]
    splits = [split for split in splits if runs_in(folder / split, "valid")]
    if not splits:
        raise no_results(folder)
    hashes = {split: load_split(data, split).info["split_sha256"] for split in splits}
    for split, split_sha256 in hashes.items():
        table = write_leaderboard(folder / split, data.name, split, split_sha256)
        log.info("\n%s", text(table, data.name, split))
    if settings.readme:
        made = blocks(gather(folder, data, seed=settings.split_seed))
        fill_page(settings.readme, page, made, data.name)
    for split, split_sha256 in hashes.items():
        rows = results_of_rows(folder / split, rows_of(folder / split, split_sha256))
        drawn = compare_rows(partial(plot, folder / split, data.name), rows)
        if drawn:
            log.info("%s: %s", display(folder / split / "figures"), ", ".join(path.name for path in drawn))
