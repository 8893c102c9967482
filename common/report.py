"""The leaderboards of a data set: `python -m common.report`, and `--readme README.md` to put them into a page."""

import logging
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.command_line import DataSettings, command, parse
from common.data.prepare import load_dataset
from common.data.splits import PROTOCOLS, folder_name, load_split
from common.errors import UserError
from common.evaluation.leaderboard import markdown, text, write_leaderboard
from common.files import write_text
from common.more_tables import TABLES

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(DataSettings):
    """Print the leaderboards of a data set, and put them into a Markdown page if one is named."""

    readme: Path | None = None
    """Page whose blocks between <!-- leaderboard DATASET PROTOCOL --> and <!-- end --> are written anew; likewise those
    of splits, seeds, ablation, plays, unseen and ladder."""


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Rebuild, print and insert the leaderboards of every protocol that has results."""
    settings = parse(Settings, argv)
    data = load_dataset(settings.dataset, settings.data_dir, settings.synthetic)
    page = _read_page(settings.readme) if settings.readme else ""
    found, changed = False, list[str]()
    for protocol in PROTOCOLS:
        split = folder_name(protocol, settings.split_seed)
        folder = settings.output_dir / data.name / split
        if not any(folder.glob("*/*/seed*/valid/metrics.json")):
            continue
        found = True
        table = write_leaderboard(folder, data.name, split, load_split(data, split).info["split_sha256"])
        log.info("\n%s", text(table, data.name, split))
        filled = fill(page, f"{data.name} {split}", markdown(table, data.name, split, note=False))
        changed += [split] if settings.readme and f"<!-- leaderboard {data.name} {split} -->" in page else []
        page = filled
        for kind, table_of in TABLES.items():
            if more := table_of(settings.output_dir / data.name, data, protocol):
                page = fill(page, f"{data.name} {split}", more, kind)
    if not found:
        raise UserError(
            f"no results under {settings.output_dir / data.name}; run a stage first, e.g. 1_knn_baseline.py"
        )
    if settings.readme:
        if not changed:
            raise UserError(f"{settings.readme} has no line <!-- leaderboard {data.name} PROTOCOL -->; add one to fill")
        write_text(settings.readme, page)
        log.info("\n%s: %s written anew", settings.readme, ", ".join(changed))


def _read_page(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"--readme {path} cannot be read ({error}); name a Markdown page that exists") from error


def fill(page: str, name: str, block: str, kind: str = "leaderboard") -> str:
    """Replace what stands between a page's markers of a kind for a data set and protocol.

    >>> fill("<!-- leaderboard synthetic listen -->old<!-- end -->", "synthetic listen", "new")
    '<!-- leaderboard synthetic listen -->\\nnew<!-- end -->'
    """
    pattern = rf"(<!-- {kind} {re.escape(name)} -->).*?(<!-- end -->)"
    return re.sub(pattern, lambda found: f"{found[1]}\n{block}{found[2]}", page, flags=re.DOTALL)


if __name__ == "__main__":
    sys.exit(main())
