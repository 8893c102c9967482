"""What shuffles take by the formulas of docs/cluster.md, and what Spark's event log says of them."""

from pathlib import Path
from typing import Any

from benchmarks.cluster.event_log import shuffles
from benchmarks.notebook import Notebook
from common.reporting.markdown_blocks import Table
from common.splits.train_view import TrainView

TO_BLOCKS, FACTORS_SENT = ("mapPartitions at ALS.scala", "map at ALS.scala"), "flatMap at ALS.scala"
"""How MLlib names the stages that sort pairs into blocks, and those that send factors, of users and tracks in turn."""
HEADER = [
    *("events", "users U", "tracks I", "pairs P", "popularity: bytes per track and task"),
    *("lists: bytes per pair", "ALS, pairs to blocks: bytes per pair"),
    *("users' factors of an iteration, MB", "by the formula"),
    *("tracks' factors of an iteration, MB", "by the formula"),
]
Row = dict[str, Any]


def note(notebook: Notebook, name: str, train: TrainView, events: Path, factors: int, blocks: int) -> None:
    """Keep, of a size, what was fitted and which stages of popularity and ALS have written how much."""
    found = shuffles(events)
    sizes = {"users": train.n_users, "tracks": int((train.counts > 0).sum()), "pairs": len(train.histories.items)}
    works = {name: found.get(name, []) for name in ("popularity", "als")}
    notebook.note("shuffles", name, **sizes, factors=factors, blocks=blocks, **works)


def table(notebook: Notebook) -> Table:
    """A row for each size."""
    cells = [cells_of(row) for row in sorted(notebook.of("shuffles"), key=lambda row: int(row["name"].split()[0]))]
    return Table(HEADER, cells, texts=1)


def cells_of(row: Row) -> list[str]:
    """The cells of a size."""
    counts = row["popularity"][0]  # of listeners, which every task has counted for its own pairs
    histories = max(stage["bytes"] for stage in row["popularity"])  # sent to where lists are made
    to_blocks = sum(stage["bytes"] for stage in row["als"] if stage["stage"].startswith(TO_BLOCKS))
    sent = [stage["bytes"] for stage in row["als"] if stage["stage"].startswith(FACTORS_SENT)]
    users, tracks, pairs = row["users"], row["tracks"], row["pairs"]
    cells = [f"{int(row['name'].split()[0]):,}", f"{users:,}", f"{tracks:,}", f"{pairs:,}"]
    cells += [f"{size:.1f}" for size in (counts["bytes"] / counts["records"], histories / pairs, to_blocks / pairs)]
    for own, n in ((sent[::2], users), (sent[1::2], tracks)):
        told = 4 * row["factors"] * n * blocks_met(pairs / n, row["blocks"])
        cells += [f"{sum(own) / len(own) / 1e6:,.3f}", f"{told / 1e6:,.3f}"]
    return cells


def blocks_met(pairs: float, blocks: int) -> float:
    """How many of the blocks so many pairs meet, on average: d of the page.

    >>> blocks_met(1, 4), round(blocks_met(100, 4), 3)
    (1.0, 4.0)
    """
    return blocks * (1 - (1 - 1 / blocks) ** pairs)
