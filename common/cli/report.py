"""The leaderboards of a data set, printed, and with --readme also written into a Markdown page."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.data.dataset import load_dataset
from common.experiments.flags import command, parse
from common.experiments.outputs import runs_in
from common.experiments.settings import DataSettings
from common.reporting.leaderboard import text, write_leaderboard
from common.reporting.markdown_blocks import fill_page, read_page
from common.reporting.results_json import blocks, gather
from common.splits.protocols import PROTOCOLS
from common.splits.store import folder_name, load_split
from common.utils.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(DataSettings):
    """Print the leaderboards of a data set, and put them into a Markdown page if one is named."""

    readme: Path | None = None
    """Page whose blocks between <!-- leaderboard DATASET PROTOCOL --> and <!-- end --> are written anew; likewise those
    of segments, splits, seeds, ablation, parts, prices, groups, plays, unseen and ladder."""


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Rebuild, print and insert the leaderboards of every protocol that has results."""
    settings = parse(Settings, argv)
    data = load_dataset(settings.dataset, settings.data_dir, settings.synthetic)
    page = read_page(settings.readme) if settings.readme else ""
    found = False
    for protocol in PROTOCOLS:
        split = folder_name(protocol, settings.split_seed)
        folder = settings.output_dir / data.name / split
        if not runs_in(folder, "valid"):
            continue
        found = True
        table = write_leaderboard(folder, data.name, split, load_split(data, split).info["split_sha256"])
        log.info("\n%s", text(table, data.name, split))
    if not found:
        raise UserError(
            f"no results under {settings.output_dir / data.name}; run a stage first, e.g. 1_knn_baseline.py"
        )
    if settings.readme:
        made = blocks(gather(settings.output_dir / data.name, data, seed=settings.split_seed))
        fill_page(settings.readme, page, made, data.name)
