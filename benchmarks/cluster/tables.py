"""Tables of docs/cluster.md: of what the notebook holds, and of nothing else."""

from typing import Any

from benchmarks.notebook import Notebook
from benchmarks.scale.tables import measured_alone
from common.reporting.markdown_blocks import Table

Row = dict[str, Any]


def blocks(notebook: Notebook) -> dict[str, str]:
    """The blocks of the page by marker; those of which nothing was measured are left out."""
    made = {"cluster engines": _engines(notebook), "cluster work": _work(notebook), "cluster kill": _kill(notebook)}
    return measured_alone(made)


def _engines(notebook: Notebook) -> Table:
    """Both engines on the same work: fit and lists, seconds and CPU seconds."""
    header = ["events", "model", "engine", "cores", "fit, s", "lists, s", "CPU s", "NDCG@10, validation"]
    rows = [_local(row) for row in notebook.of("local")]
    rows += [_on_spark(row) for row in notebook.of("cluster") if "ndcg_10" in row]
    return Table(header, [cells for _, cells in sorted(rows, key=lambda row: row[0])], texts=3)


def _local(row: Row) -> tuple[tuple[int, str], list[str]]:
    cpu = row["fit_cpu_seconds"] + row["lists_cpu_seconds"]
    return _line(row, row["model"], ["local", "1"], (row["fit_seconds"], row["lists_seconds"], cpu))


def _on_spark(row: Row) -> tuple[tuple[int, str], list[str]]:
    taken = (row["fit_seconds"], row["recommend_seconds"], row["cpu_seconds"])
    return _line(row, row["work"], ["spark", str(row["cores"])], taken)


def _line(row: Row, model: str, engine: list[str], taken: tuple[float, ...]) -> tuple[tuple[int, str], list[str]]:
    """What puts a row in order, and its cells."""
    figures = [*(f"{number:,.1f}" for number in taken), f"{row['ndcg_10']:.4f}"]
    return (int(row["size"].split()[0]), model), [_events(row), model, *engine, *figures]


def _work(notebook: Notebook) -> Table:
    header = [
        *("events", "work", "tasks", "CPU s of tasks", "of it collecting garbage", "shuffle, MB"),
        *("spilled, MB", "execution memory of a task, MB"),
    ]
    cells = [
        [
            *(_events(row), row["work"], f"{row['tasks']:,.0f}", f"{row['cpu_seconds']:,.1f}"),
            *(f"{row['gc_seconds']:,.1f}", f"{row['shuffle_mb']:,.1f}", f"{row['spilled_mb']:,.1f}"),
            f"{row['memory_mb']:,.0f}",
        ]
        for row in sorted(notebook.of("cluster"), key=lambda row: int(row["size"].split()[0]))
    ]
    return Table(header, cells, texts=2)


def _kill(notebook: Notebook) -> Table:
    header = ["events", "lines of Spark's log on the lost executor", "aggregates after the kill", "NDCG@10 of ALS"]
    cells = []
    for row in notebook.of("kill"):
        same = "the same" if row["same"] else "different"
        cells.append([_events({"size": row["name"]}), str(row["lost"]), same, f"{row['ndcg_10']:.4f}"])
    return Table(header, cells, texts=1)


def _events(row: Row) -> str:
    return f"{int(row['size'].split()[0]):,}"
