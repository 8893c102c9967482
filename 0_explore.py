"""Stage 0: prepare the data, split it, describe it, draw it.

Reads the raw files (or generates a data set), writes the prepared tables and every split that the data allows, and
keeps the main statistics and three figures under `outputs/<dataset>/explore/`:

    python 0_explore.py
    python 0_explore.py --dataset synthetic --synthetic.users 500 --synthetic.items 2000
"""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common import tracking
from common.command_line import DataSettings, command, parse
from common.data.prepare import Dataset, load_dataset
from common.describe import describe, describe_splits, lorenz
from common.experiment import log_file
from common.figures import PALETTE, figure, percent_axis, plain_log_axis, thousands_axis
from common.files import display, write_json

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
        splits = describe_splits(data, settings.split_seed)
        print_splits(splits)
        write_json(folder / "statistics.json", statistics | {"splits": splits})
        figures = draw(data, statistics, folder / "figures")
        identity = tracking.RunIdentity("explore", STAGE, "data", data.name, "data", data.sha256, "select", 0)
        tracker = tracking.start(settings.wandb, settings.output_dir, identity, {"data_sha256": data.sha256})
        tracker.summary({name: value for name, value in statistics.items() if isinstance(value, int | float | str)})
        for path in figures:
            tracker.figure(path.stem, path)
        tracker.finish()
        log.info("\ndata: %s\nstatistics and figures: %s\nW&B: %s", display(data.folder), display(folder), tracker.hint)


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


def draw(data: Dataset, statistics: dict, folder: Path) -> list[Path]:
    """The three figures: who listens how much, how unequal popularity is, what is known of the items."""
    return [
        draw_activity(data, folder / "activity.png"),
        draw_popularity(data, statistics["gini_of_listeners"], folder / "popularity.png"),
        draw_content(data, statistics["with_content"], folder / "content.png"),
    ]


def draw_activity(data: Dataset, path: Path) -> Path:
    """Items per user, and plays per interaction on a logarithmic axis."""
    rows = data.tables.interactions
    with figure(path, "How much people listen", data.name, panels=2) as (left, right):
        per_user = rows.groupby("user_id").size()
        left.hist(per_user, bins=np.arange(0.5, per_user.max() + 1.5, max(1, per_user.max() // 50)), color=PALETTE[0])
        left.set(xlabel="Items in the history", ylabel="Users (logarithmic)", yscale="log", title="History length")
        plays = rows["weight"]
        edges = whole_number_edges(plays.max())
        right.hist(plays, bins=edges, color=PALETTE[1])
        right.axvline(plays.median(), color="black", linestyle="--", label=f"median {plays.median():,.0f}")
        right.set(xlabel="Plays of a user and item (logarithmic)", xscale="log", ylabel="Interactions", title="Plays")
        thousands_axis(right.yaxis)
        plain_log_axis(right.xaxis)
        plain_log_axis(left.yaxis)
        right.legend()
    return path


def whole_number_edges(largest: float, bins: int = 40) -> np.ndarray:
    """Bin edges that grow by a constant factor and lie between whole numbers, so that no bin is empty by chance."""
    return np.unique(np.round(np.geomspace(1, largest + 1, bins))) - 0.5


def draw_popularity(data: Dataset, gini: float, path: Path) -> Path:
    """Listeners by popularity rank, and the Lorenz curve of listeners and plays."""
    by_item = data.tables.interactions.groupby("item_id")["weight"].agg(["size", "sum"])
    with figure(path, "How unequal popularity is", data.name, panels=2) as (left, right):
        listeners = np.sort(by_item["size"].to_numpy())[::-1]
        left.loglog(np.arange(1, len(listeners) + 1), listeners, color=PALETTE[0], linewidth=2.5)
        left.set(xlabel="Popularity rank of the item", ylabel="Listeners", title="The long tail")
        plain_log_axis(left.xaxis)
        plain_log_axis(left.yaxis)
        for label, column, color in (("listeners", "size", PALETTE[0]), ("plays", "sum", PALETTE[1])):
            right.plot(*lorenz(by_item[column].to_numpy()), label=label, color=color, linewidth=2.5)
        right.plot([0, 1], [0, 1], color="grey", linestyle="--", label="all items alike")
        right.set(xlabel="Items, least popular first", ylabel="Share held", title=f"Lorenz curve, Gini {gini:.2f}")
        percent_axis(right.xaxis)
        percent_axis(right.yaxis)
        right.legend(loc="upper left")
    return path


def draw_content(data: Dataset, shares: dict[str, dict[str, float]], path: Path) -> Path:
    """What share of items, interactions and plays has genres, audio and tags."""
    with figure(path, "What is known of the items", data.name, width=9) as (axes,):
        kinds = ("items", "interactions", "plays")
        for place, kind in enumerate(kinds):
            at = np.arange(len(shares)) + 0.27 * (place - 1)
            bars = axes.bar(at, [s[kind] for s in shares.values()], 0.25, label=f"of {kind}", color=PALETTE[place])
            axes.bar_label(bars, fmt="{:.0%}", padding=2, fontsize=11)
        axes.set_xticks(np.arange(len(shares)), [f"with {name}" for name in shares])
        axes.set(ylabel="Share", ylim=(0, 1.12), yticks=np.arange(0, 1.01, 0.2))
        percent_axis(axes.yaxis)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=3, frameon=False)
        axes.grid(axis="x", visible=False)
    return path


if __name__ == "__main__":
    sys.exit(main())
