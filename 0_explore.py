"""Stage 0: prepare the data, split it, describe it, draw it.

Reads the raw files (or generates a data set), writes the prepared tables and every split that the data allows, and
keeps statistics, a data-quality report and figures under `outputs/<dataset>/explore/`:

    python 0_explore.py
    python 0_explore.py --dataset synthetic --synthetic.users 500 --synthetic.items 2000
"""

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.data.dataset import Dataset, load_dataset
from common.data.quality import quality_report, shares_by_column
from common.experiments import tracking
from common.experiments.flags import command, parse
from common.experiments.settings import DataSettings
from common.plots import dataset as plots
from common.splits.statistics import describe, describe_splits, lorenz
from common.utils.io import display, strict, write_json
from common.utils.logs import log_file

STAGE = "0_explore"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(DataSettings):
    """Stage 0: prepare, split, describe and draw one data set."""


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the stage."""
    settings = parse(Settings, argv)
    data = load_dataset(settings.dataset, settings.data_dir, settings.synthetic)
    folder = settings.output_dir / data.name / "explore"
    with log_file(folder / "log.txt"):
        statistics = describe(data)
        print_statistics(statistics)
        statistics["splits"] = describe_splits(data, settings.split_seed)
        print_splits(statistics["splits"])
        statistics["quality"] = quality_report(data.tables)
        print_quality(statistics["quality"])
        write_json(folder / "statistics.json", statistics)
        figures = draw(data, statistics, folder / "figures")
        identity = tracking.RunIdentity("explore", STAGE, "data", data.name, "data", data.sha256, "select", 0)
        tracker = tracking.start(settings.wandb, settings.output_dir, identity, {"data_sha256": data.sha256})
        tracker.summary(strict(statistics))
        for path in figures:
            tracker.figure(path.stem, path)
        tracker.finish()
        log.info("\ndata: %s\nstatistics and figures: %s\nW&B: %s", display(data.folder), display(folder), tracker.hint)


def draw(data: Dataset, statistics: dict, folder: Path) -> list[Path]:
    """Draw every figure that the data has something for; returns their paths."""
    tables, name = data.tables, data.name
    by_item = tables.interactions.groupby("item_id")["weight"].agg(["size", "sum"])
    listeners, plays = by_item["size"].to_numpy(), by_item["sum"].to_numpy()
    curves, gini = {"listeners": lorenz(listeners), "plays": lorenz(plays)}, statistics["gini_of_listeners"]
    tags = [table["tag"] for table in (tables.user_item_tags, tables.item_tags) if table is not None]
    known, shares = plots.sounding(tables.songs, tables.items), shares_by_column(statistics["quality"])
    drawings: dict[str, Callable[[Path], bool]] = {
        "activity": lambda path: plots.activity(tables.interactions, name, path),
        "popularity": lambda path: plots.popularity(listeners, curves, gini, name, path),
        "content": lambda path: plots.content(statistics["with_content"], name, path),
        "friends_and_tags": lambda path: plots.friends_and_tags(tables.social, tags, name, path),
        "timeline": lambda path: plots.timeline(tables.interactions, tables.user_item_tags, name, path),
        "audio": lambda path: plots.audio(known, name, path),
        "audio_correlations": lambda path: plots.audio_correlations(known, name, path),
        "audio_by_genre": lambda path: plots.audio_by_genre(known, name, path),
        "cold_start": lambda path: plots.unseen_pairs(statistics["splits"], name, path),
        "quality": lambda path: plots.quality(shares, name, path),
    }
    paths = {figure: folder / f"{figure}.png" for figure in drawings}
    return [paths[figure] for figure, draw_one in drawings.items() if draw_one(paths[figure])]


def print_statistics(statistics: dict) -> None:
    """The numbers a reader wants first."""
    log.info("\n%s", statistics["dataset"])
    for name in ("users", "items", "interactions"):
        log.info("  %-34s %12s", name, f"{statistics[name]:,}")
    for name in ("density", "gini_of_listeners", "share_of_items_with_one_listener"):
        log.info("  %-34s %12.4f", name.replace("_", " "), statistics[name])
    for name in ("items_per_user", "listeners_per_item", "plays_per_interaction"):
        shown = "  ".join(f"{mark} {value:,.0f}" for mark, value in statistics[name].items())
        log.info("  %-34s %s", name.replace("_", " "), shown)
    for name, shares in statistics["with_content"].items():
        log.info("  %-34s %s", f"with {name}", "  ".join(f"{of} {value:.1%}" for of, value in shares.items()))
    for repair in statistics["repairs"]:
        log.info("  repaired in %-22s %6d rows: %s", repair["table"], repair["rows"], repair["what"])


def print_splits(splits: dict) -> None:
    """One line per protocol."""
    log.info(
        "\n  %-14s %7s %7s %8s %7s %7s %14s", "protocol", "users", "items", "train", "valid", "test", "unseen items"
    )
    for protocol, split in splits.items():
        if "impossible" in split:
            log.info("  %-14s not possible: %s", protocol, split["impossible"])
        else:
            numbers = [f"{split[name]:,}" for name in ("users", "items", "train", "valid", "test")]
            unseen = f"{split['test_pairs_of_unseen_items']:.1%}"
            log.info("  %-14s %7s %7s %8s %7s %7s %14s", protocol, *numbers, unseen)


def print_quality(report: dict) -> None:
    """One line per table; the columns themselves stand in statistics.json."""
    log.info("\n  %-16s %10s %8s %14s   %s", "table", "rows", "columns", "repeated keys", "columns with missing values")
    for table, about in report.items():
        missing = {name: column["missing"] / max(1, about["rows"]) for name, column in about["columns"].items()}
        worst = sorted((name for name in missing if missing[name] > 0), key=lambda name: -missing[name])
        shown = ", ".join(f"{name} {missing[name]:.1%}" for name in worst[:3]) + (", ..." if len(worst) > 3 else "")
        numbers = f"{about['rows']:,}", len(about["columns"]), about["repeated_keys"]
        log.info("  %-16s %10s %8d %14d   %s", table, *numbers, shown or "none")


if __name__ == "__main__":
    sys.exit(main())
