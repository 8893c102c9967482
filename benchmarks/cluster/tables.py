"""Tables of docs/cluster.md: of what the notebook holds, and of nothing else."""

from typing import Any

from benchmarks.cluster import formulas
from benchmarks.notebook import Notebook
from benchmarks.scale.tables import measured_alone
from common.reporting.markdown_blocks import Table

Row = dict[str, Any]


STEPS = "ten steps"
THREADS = 2
"""Of the machine with which clusters are compared."""
CORES = 16, 64
"""Sizes of clusters for which the break-even is told."""


def blocks(notebook: Notebook) -> dict[str, str]:
    """The blocks of the page by marker; those of which nothing was measured are left out."""
    made = {
        "cluster engines": _engines(notebook),
        "cluster break-even": _break_even(notebook),
        "cluster work": _work(notebook),
        "cluster kill": _kill(notebook),
        "cluster formulas": formulas.table(notebook),
    }
    return measured_alone(made)


def _engines(notebook: Notebook) -> Table:
    """Both engines on the same work: CPU seconds of all processes, and what the lists reach."""
    header = ["events", "work", "engine", "CPU s", "NDCG@10, validation"]
    rows = sorted([*_local(notebook), *_on_spark(notebook)], key=lambda row: (events_of(row), row["work"]))
    cells = [
        [
            *(f"{events_of(row):,}", row["work"], row["engine"]),
            f"{row['all_cpu_seconds']:,.1f}",
            f"{row['ndcg_10']:.4f}" if "ndcg_10" in row else "",
        ]
        for row in rows
    ]
    return Table(header, cells, texts=3)


def _local(notebook: Notebook) -> list[Row]:
    """What the local engine took: the ten steps, and each model with its lists."""
    found: list[Row] = []
    for whole in notebook.of("prepare"):
        costs = {"all_cpu_seconds": whole["cpu_seconds"]}
        found.append({"size": whole["name"], "work": STEPS, "engine": "local", **costs})
    for row in notebook.of("local"):
        costs = {"all_cpu_seconds": row["fit_cpu_seconds"] + row["lists_cpu_seconds"]}
        found.append({**row, "work": row["model"], "engine": "local", **costs})
    return found


def _on_spark(notebook: Notebook) -> list[Row]:
    """What Spark took, the start of cluster and session as a work of its own."""
    return [{**row, "engine": "spark"} for row in notebook.of("cluster")]


def _break_even(notebook: Notebook) -> Table:
    """How much more Spark takes, and from which size on a cluster would be done first, by the formula of the page."""
    header = ["events", "work", "Spark / local, CPU s", "cluster wins above, cores"]
    header += [f"with {cores} cores from, million events" for cores in CORES]
    local = {(row["size"], row["work"]): row["all_cpu_seconds"] for row in _local(notebook)}
    starts = {row["size"]: row["all_cpu_seconds"] for row in _on_spark(notebook) if row["work"] == "start"}
    cells = []
    for row in sorted(_on_spark(notebook), key=events_of):
        if (own := local.get((row["size"], row["work"]))) and row["size"] in starts:
            c, s = own / events_of(row), row["all_cpu_seconds"] / events_of(row)
            least = [events_to_win(c, s, starts[row["size"]], cores) for cores in CORES]
            told = ["never" if events is None else f"{events / 1e6:,.1f}" for events in least]
            cells.append([f"{events_of(row):,}", row["work"], f"{s / c:.1f}", f"{THREADS * s / c:.0f}", *told])
    return Table(header, cells, texts=2)


def events_to_win(c: float, s: float, start: float, cores: int) -> float | None:
    """Events from which a cluster is done before the local engine's THREADS; None where it never is.

    c, s: CPU seconds per event of the local engine and of Spark; start: those until a session is there, of which one
    core at a time is busy.

    >>> events_to_win(c=2e-6, s=8e-6, start=30.0, cores=16)
    60000000.0
    >>> events_to_win(c=2e-6, s=8e-6, start=30.0, cores=8) is None
    True
    """
    gained = c / THREADS - s / cores
    return round(start / gained, 3) if gained > 0 else None


def _work(notebook: Notebook) -> Table:
    header = [
        *("events", "work", "tasks", "CPU s of tasks in the JVM", "of it collecting garbage", "shuffle, MB"),
        *("shuffle, bytes per event", "spilled, MB", "execution memory of a task, MB"),
    ]
    cells = [
        [
            *(f"{events_of(row):,}", row["work"], f"{row['tasks']:,.0f}", f"{row['cpu_seconds']:,.1f}"),
            *(f"{row['gc_seconds']:,.1f}", f"{row['shuffle_mb']:,.1f}"),
            *(f"{row['shuffle_mb'] * 1e6 / events_of(row):,.1f}", f"{row['spilled_mb']:,.1f}"),
            f"{row['memory_mb']:,.0f}",
        ]
        for row in sorted(notebook.of("cluster"), key=events_of)
        if "tasks" in row
    ]
    return Table(header, cells, texts=2)


def _kill(notebook: Notebook) -> Table:
    header = ["events", "lines of Spark's log on the lost executor", "aggregates after the kill", "NDCG@10 of ALS"]
    cells = []
    for row in notebook.of("kill"):
        same = "the same" if row["same"] else "different"
        cells.append([f"{events_of({'size': row['name']}):,}", str(row["lost"]), same, f"{row['ndcg_10']:.4f}"])
    return Table(header, cells, texts=1)


def events_of(row: Row) -> int:
    """Events of the log that a row is about."""
    return int(row["size"].split()[0])
