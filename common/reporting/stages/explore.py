"""What stage 0 shows of a data set: statistics, splits and quality in the terminal, and its figures."""

import logging
from collections.abc import Sized
from pathlib import Path
from typing import Any

import pandas as pd

from common.data.dataset import Dataset
from common.data.quality import shares_by_column
from common.plots import dataset as plots
from common.splits.statistics import lorenz, popularity_of
from common.utils.io import display, write_parquet

log = logging.getLogger(__name__)


def draw_dataset(data: Dataset, statistics: dict[str, Any], folder: Path) -> list[Path]:
    """Draw every figure that the data has something for; returns their paths."""
    tables, name = data.shown, data.name
    listeners, plays = popularity_of(data)
    curves, gini = {"listeners": lorenz(listeners), "plays": lorenz(plays)}, statistics["gini_of_listeners"]
    tags = [table["tag"] for table in (tables.user_item_tags, tables.item_tags) if table is not None]
    known, shares = plots.sounding(tables.songs, tables.items), shares_by_column(statistics["quality"])
    splits = {protocol: split for protocol, split in statistics["splits"].items() if "impossible" not in split}
    drawings: dict[str, tuple[Any, ...]] = {
        "activity": (plots.activity, tables.interactions),
        "popularity": (plots.popularity, listeners, curves, gini),
        "content": (plots.content, statistics["with_content"]),
        "friends_and_tags": (plots.friends_and_tags, tables.social, tags),
        "timeline": (plots.timeline, plots.dated(tables.interactions, tables.user_item_tags)),
        "audio": (plots.audio, known),
        "audio_correlations": (plots.audio_correlations, known),
        "audio_by_genre": (plots.audio_by_genre, known if known is not None and "genres" in known else None),
        "cold_start": (plots.unseen_pairs, splits),
        "quality": (plots.quality, shares[shares.max(axis=1) > 0]),
    }
    drawn = []
    for figure, (draw, *values) in drawings.items():
        if any(isinstance(value, Sized) and len(value) for value in values):
            drawn.append(folder / f"{figure}.png")
            draw(*values, name, drawn[-1])
    return drawn


def print_statistics(statistics: dict[str, Any]) -> None:
    """Print size, sparsity, concentration, content and repairs, as `describe` gives them."""
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


def print_splits(splits: dict[str, dict[str, Any]]) -> None:
    """Print a line per protocol; cold pairs: the share of test pairs whose item has no interaction in train + valid."""
    log.info("\n  %-14s %7s %7s %8s %7s %7s %14s", "protocol", "users", "items", "train", "valid", "test", "cold pairs")
    for protocol, split in splits.items():
        if "impossible" in split:
            log.info("  %-14s not possible: %s", protocol, split["impossible"])
        else:
            numbers = [f"{split[name]:,}" for name in ("users", "items", "train", "valid", "test")]
            cold = f"{split['test_pairs_of_unseen_items']:.1%}"
            log.info("  %-14s %7s %7s %8s %7s %7s %14s", protocol, *numbers, cold)


def print_quality(report: dict[str, Any]) -> None:
    """Print a line per table; the columns themselves stand in statistics.json."""
    log.info("\n  %-16s %10s %8s %14s   %s", "table", "rows", "columns", "repeated keys", "columns with missing values")
    for table, about in report.items():
        missing = {name: column["missing"] / max(1, about["rows"]) for name, column in about["columns"].items()}
        worst = sorted((name for name in missing if missing[name] > 0), key=lambda name: -missing[name])
        shown = ", ".join(f"{name} {missing[name]:.1%}" for name in worst[:3]) + (", ..." if len(worst) > 3 else "")
        numbers = f"{about['rows']:,}", len(about["columns"]), about["repeated_keys"]
        log.info("  %-16s %10s %8d %14d   %s", table, *numbers, shown or "none")


def print_duplicates(counts: dict[str, int], pairs: pd.DataFrame, path: Path) -> None:
    """Print how many spellings of artists are another one's, and list the pairs in a file."""
    write_parquet(path, pairs)
    what = {
        "spellings": "names of artists",
        "same_key": "  another one but for case, accents, punctuation",
        "near_spelling": "  nearly a much more played one",
        "artists": "artists that --deduplicate leaves",
        "only_listed": "near names that it would not merge, in pairs",
    }
    log.info("")
    for name, said in what.items():
        log.info("  %-48s %8s", said, f"{counts[name]:,}")
    log.info("  all pairs: %s", display(path))
