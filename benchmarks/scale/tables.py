"""Tables and the figure of docs/scale.md: of what the notebook holds, and of nothing else."""

import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.notebook import Notebook
from benchmarks.scale.sizes import BYTES
from common.reporting.markdown_blocks import Table, block

Row = dict[str, Any]


def blocks(notebook: Notebook) -> dict[str, str]:
    """The blocks of the page by marker; those of which nothing was measured are left out."""
    made = {
        "scale generate": _generate(notebook),
        "scale steps": _steps(notebook),
        "scale prepare": _prepare(notebook),
        "scale aggregate": _aggregate(notebook),
        "scale als": _als(notebook),
        "scale als-pairs": _als_pairs(notebook),
        "scale lists": _lists(notebook),
        "scale index": _index(notebook),
    }
    return measured_alone(made)


def measured_alone(made: dict[str, Table]) -> dict[str, str]:
    """Tables by marker as Markdown, those without a row left out."""
    return {marker: table.markdown() for marker, table in made.items() if table.cells}


def _generate(notebook: Notebook) -> Table:
    header = ["events", "format", "users", "tracks", "pairs", "size, GB", "CPU s per million", "peak memory, MB"]
    cells = [
        [
            *_size(row["name"]),
            *(f"{row[name]:,}" for name in ("users", "items", "pairs")),
            f"{row['bytes'] / 1e9:,.2f}",
            f"{(row['cpu_seconds'] + row['ledger_cpu_seconds']) / row['rows'] * 1e6:.2f}",
            f"{row['peak_mb']:,.0f}",
        ]
        for row in _by_size(notebook.of("generate"))
    ]
    return Table(header, cells, texts=2)


def _steps(notebook: Notebook) -> Table:
    header = ["events", "format", "step", "rows in", "rows out", "CPU s", "CPU s per million events", "peak memory, MB"]
    cells = []
    for row in _by_size(notebook.of("step"), "size"):
        events = int(row["size"].split()[0])
        numbers = [f"{row['rows_in']:,}", f"{row['rows_out']:,}", f"{row['cpu_seconds']:,.1f}"]
        per_million = f"{row['cpu_seconds'] / events * 1e6:.3f}"
        cells.append([*_size(row["size"]), f"`{row['step']}`", *numbers, per_million, f"{row['peak_mb']:,.0f}"])
    return Table(header, cells, texts=3)


def _prepare(notebook: Notebook) -> Table:
    header = [
        "events",
        "format",
        "`--memory`",
        "CPU s per million",
        "peak memory, GB",
        "disk / raw size",
        "against the ledger",
    ]
    raw = {row["name"]: row["bytes"] for row in notebook.of("generate")}
    ledger = {row["name"]: row for row in notebook.of("ledger")}
    cells = []
    for row in _by_size(notebook.of("prepare")):
        events, found = int(row["name"].split()[0]), ledger[row["name"]]
        disk = f"{row['disk_mb'] * 1e6 / raw[row['name']]:.2f}" if row["name"] in raw else "-"
        right = f"{found['compared'] - len(found['wrong'])} of {found['compared']} figures equal"
        numbers = [f"{row['cpu_seconds'] / events * 1e6:.2f}", f"{row['peak_mb'] / 1e3:.2f}", disk, right]
        cells.append([*_size(row["name"]), row["memory"], *numbers])
    return Table(header, cells, texts=3)


def _aggregate(notebook: Notebook) -> Table:
    """Medians of the turns, and medians of the ratios of one turn."""
    header = [
        "events",
        "who, memory",
        "turns",
        "CPU s",
        "seconds",
        "peak memory, MB",
        "CPU / DuckDB's",
        "memory / DuckDB's",
    ]
    rows = notebook.of("aggregate")
    cells = []
    for events in sorted({row["events"] for row in rows}):
        of_size = [row for row in rows if row["events"] == events]
        names = list(dict.fromkeys(row["who"] for row in of_size))
        rival = next((name for name in names if name.startswith("DuckDB")), "")
        for who in names:
            own = [row for row in of_size if row["who"] == who]
            against = [
                ratio(own, [row for row in of_size if row["who"] == rival], key) for key in ("cpu_seconds", "peak_mb")
            ]
            medians = [statistics.median(row[key] for row in own) for key in ("cpu_seconds", "seconds", "peak_mb")]
            numbers = [f"{medians[0]:,.1f}", f"{medians[1]:,.1f}", f"{medians[2]:,.0f}", *against]
            cells.append([f"{events:,}", who, f"{len(own)}", *numbers])
    return Table(header, cells, texts=2)


def ratio(own: list[Row], others: list[Row], key: str) -> str:
    """Median over turns of one figure over another's of the same turn."""
    by_turn = {row["name"].rsplit(" ", 1)[1]: row[key] for row in others}
    found = [row[key] / by_turn[turn] for row in own if by_turn.get(turn := row["name"].rsplit(" ", 1)[1])]
    return f"{statistics.median(found):.2f}" if found else "-"


def _als(notebook: Notebook) -> Table:
    header = [
        "events",
        "format",
        "pairs",
        "turns",
        "our fit, CPU s",
        "`implicit`, CPU s",
        "ratio",
        "our peak memory, GB",
    ]
    cells = []
    for size in dict.fromkeys(row["size"] for row in _by_size(notebook.of("als_turn"), "size")):
        rows = [row for row in notebook.of("als_turn") if row["size"] == size]
        ours, bare = ([row for row in rows if row["who"] == who] for who in ("als", "bare_als"))
        if ours and bare:
            medians = [f"{statistics.median(row['fit_cpu_seconds'] for row in of):,.1f}" for of in (ours, bare)]
            peak = f"{statistics.median(row['peak_mb'] for row in ours) / 1e3:.2f}"
            numbers = [f"{len(ours)}", *medians, ratio(ours, bare, "fit_cpu_seconds"), peak]
            cells.append([*_size(size), f"{ours[0]['pairs']:,}", *numbers])
    return Table(header, cells, texts=2)


def _als_pairs(notebook: Notebook) -> Table:
    """Medians of the turns, and medians of the ratios of one turn."""
    header = ["events", "who", "users", "tracks", "pairs", "iterations", "turns"]
    header += [
        "CPU s per iteration and million pairs",
        "/ `implicit`'s",
        "besides iterations, CPU s",
        "peak memory, GB",
    ]
    cells, noted = [], notebook.of("als_pairs")
    for events, iterations in sorted({(row["events"], row["iterations"]) for row in noted}):
        rows = [row for row in noted if (row["events"], row["iterations"]) == (events, iterations)]
        for who in dict.fromkeys(row["who"] for row in rows):
            own = [row for row in rows if row["who"] == who]
            each, rest, peak = (
                statistics.median(row[key] for row in own)
                for key in ("iteration_cpu_seconds", "rest_cpu_seconds", "peak_mb")
            )
            against = ratio(own, [row for row in rows if row["who"] == "implicit"], "iteration_cpu_seconds")
            counts = [f"{own[0][key]:,}" for key in ("users", "tracks", "pairs")]
            numbers = [f"{each / own[0]['pairs'] * 1e6:.3f}", against, f"{rest:,.1f}", f"{peak / 1e3:.2f}"]
            cells.append([f"{events:,}", who, *counts, f"{iterations}", f"{len(own)}", *numbers])
    return Table(header, cells, texts=2)


def _lists(notebook: Notebook) -> Table:
    header = ["events", "format", "users", "tracks", "lists and ranks, ms CPU", "bare product, ms CPU", "ratio"]
    header += [
        "all measures, ms CPU",
        "re-ranking, ms CPU",
        "lists with two versions, before and after",
        "peak memory, GB",
    ]
    cells = []
    for row in _by_size(notebook.of("lists")):
        per_user = {
            name: 1000 * row[f"{name}_cpu_seconds"] / row["users"] for name in ("rank", "product", "measure", "rerank")
        }
        cells.append(
            [
                *_size(row["name"]),
                f"{row['users']:,}",
                f"{row['items']:,}",
                f"{per_user['rank']:.2f}",
                f"{per_user['product']:.2f}",
                f"{per_user['rank'] / per_user['product']:.2f}",
                f"{per_user['measure']:.2f}",
                f"{per_user['rerank']:.2f}",
                f"{row['twice'][0]:,}, {row['twice'][1]:,}",
                f"{row['peak_mb'] / 1e3:.2f}",
            ]
        )
    return Table(header, cells, texts=2)


def _index(notebook: Notebook) -> Table:
    header = ["events", "format", "what", "kind", "recall@100", "ms per query", "exact, ms", "building, CPU s"]
    cells = []
    for part, what in (("index", "similar tracks"), ("faiss", "lists of users")):
        for row in _by_size(notebook.of(part)):
            ms = 1000 * row["search_seconds"] / row["users"] if part == "faiss" else row["ms"]
            numbers = [
                f"{row['recall']:.4f}",
                f"{ms:.3f}",
                f"{row['exact_ms']:.3f}",
                f"{row['build_cpu_seconds']:,.1f}",
            ]
            cells.append([*_size(row["name"]), what, row["kind"], *numbers])
    return Table(header, cells, texts=4)


def _size(name: str) -> tuple[str, str]:
    events, form = name.split()[:2]
    return f"{int(events):,}", form


def _by_size(rows: Iterable[Row], key: str = "name") -> list[Row]:
    """The rows by format and number of events, each size's in the order in which they were measured."""
    return sorted(
        rows, key=lambda row: (row[key].split()[1] != "parquet", row[key].split()[1], int(row[key].split()[0]))
    )


def merged(before: str, made: str) -> str:
    """A table, and behind its rows those of one that it takes the place of which are about other sizes.

    >>> head = "| events | x |\\n| --- | --- |\\n"
    >>> merged(head + "| 2,000 | old |\\n| 90 | old |\\n", head + "| 2,000 | new |\\n").splitlines()[2:]
    ['| 90 | old |', '| 2,000 | new |']
    """
    header, line, *rows = made.splitlines()
    keys = 2 if cells_of(header)[1] == "format" else 1
    sizes = {tuple(cells_of(row)[:keys]) for row in rows}
    known = before.splitlines()[2:] if before.startswith(header) else []
    kept = [row for row in known if tuple(cells_of(row)[:keys]) not in sizes]
    return "\n".join([header, line, *sorted([*kept, *rows], key=_order)]) + "\n"


def cells_of(row: str) -> list[str]:
    """The cells of a row of a Markdown table."""
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def _order(row: str) -> tuple[bool, str, int]:
    """Parquet first, then by format and number of events."""
    events, second, *_ = cells_of(row)
    form = second if second in BYTES else "parquet"
    return form != "parquet", form, int(events.replace(",", ""))


def draw(page: str, path: Path) -> bool:
    """CPU seconds per million events, peak memory and disk against the number of events, from the tables of a page;
    False below two sizes in Parquet."""
    from common.plots.style import PALETTE, figure

    raw = {row[0]: float(row[5]) for row in _of_parquet(page, "scale generate")}
    rows = [row for row in _of_parquet(page, "scale prepare") if row[0] in raw]
    if len(rows) < 2:
        return False
    events = [int(row[0].replace(",", "")) / 1e6 for row in rows]
    panels = {
        "CPU seconds per million events": [float(row[3]) for row in rows],
        "Peak memory, GB": [float(row[4]) for row in rows],
        "Disk, GB": [float(row[5]) * raw[row[0]] for row in rows],
    }
    with figure(path, "The ten steps by size", "generated logs in Parquet", panels=3) as axes:
        for axis, (label, values), color in zip(axes, panels.items(), PALETTE, strict=False):
            axis.plot(events, values, marker="o", color=color)
            axis.set(xlabel="Millions of events", ylabel=label, xscale="log")
            axis.set_ylim(0, 1.15 * max(values))
            axis.set_xticks(events, [f"{millions:g}" for millions in events])
            axis.minorticks_off()
    return True


def _of_parquet(page: str, marker: str) -> list[list[str]]:
    rows = [cells_of(row) for row in block(page, marker).splitlines()[2:]]
    return [row for row in rows if row[1] == "parquet"]
