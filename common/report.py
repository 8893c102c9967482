"""The leaderboards of a data set: `python -m common.report`, and `--readme README.md` to put them into a page."""

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.command_line import DataSettings, command, parse
from common.data.prepare import load_dataset
from common.data.splits import PROTOCOLS, folder_name, load_split
from common.errors import UserError
from common.evaluation.leaderboard import text, write_leaderboard
from common.files import write_text
from common.results import blocks, gather

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
        if not any(folder.glob("*/*/seed*/valid/metrics.json")):
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


def read_page(path: Path) -> str:
    """The text of a page."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); name a Markdown page that exists") from error


def fill_page(path: Path, page: str, made: Mapping[str, str], dataset: str) -> None:
    """Write a page with those of its blocks anew that are made; all else in it stays."""
    filled = [marker for marker in made if f"<!-- {marker} -->" in page]
    if not filled:
        raise UserError(f"{path} has no line <!-- leaderboard {dataset} PROTOCOL -->; add one to fill")
    for marker in filled:
        page = fill(page, marker, made[marker])
    write_text(path, page)
    log.info("\n%s: %s written anew", path, ", ".join(filled))


def fill(page: str, marker: str, block: str) -> str:
    """Replace what stands between a page's marker and the end of its block.

    >>> fill("<!-- leaderboard synthetic listen -->old<!-- end -->", "leaderboard synthetic listen", "new")
    '<!-- leaderboard synthetic listen -->\\nnew<!-- end -->'
    """
    pattern = rf"(<!-- {re.escape(marker)} -->).*?(<!-- end -->)"
    return re.sub(pattern, lambda found: f"{found[1]}\n{block}{found[2]}", page, flags=re.DOTALL)


if __name__ == "__main__":
    sys.exit(main())
