"""Tables and the figure of docs/scaling.md: of what the notebook holds, and of nothing else."""

import math
from pathlib import Path
from typing import Any

from benchmarks.notebook import Notebook
from benchmarks.scale.tables import measured_alone
from benchmarks.scaling.classic import METRICS
from benchmarks.scaling.estimates import LEAST, exponent, points
from benchmarks.scaling.fits import FITS
from common.evaluation.registry import label as label_of
from common.reporting.markdown_blocks import Table
from common.utils.memory import readable

Row = dict[str, Any]
PANELS = {
    "fit_cpu_seconds": "Fit, CPU seconds",
    "fit_mb": "Memory that the fit adds, MB",
    "model_bytes": "Model, MB",
    "list_ms": "One list of ten, CPU ms",
}


def blocks(notebook: Notebook) -> dict[str, str]:
    """The blocks of the page by marker; those of which nothing was measured are left out."""
    made = {
        "scaling data": _data(notebook),
        "scaling fits": _fits(notebook),
        "scaling exponents": _exponents(notebook),
        "scaling classic": _classic(notebook),
    }
    return measured_alone(made)


def _data(notebook: Notebook) -> Table:
    header = ["users", "tracks", "pairs", "per user", "drawing them, CPU s"]
    cells = [
        [
            *(f"{row[key]:,}" for key in ("users", "items", "pairs")),
            f"{row['pairs'] / row['users']:.1f}",
            f"{row['cpu_seconds']:.1f}",
        ]
        for row in sorted(notebook.of("generate"), key=lambda row: row["users"])
    ]
    return Table(header, cells, texts=0)


def _fits(notebook: Notebook) -> Table:
    """Every model at every size; what was not run says why."""
    header = ["model", "users", "fit, CPU s", "peak memory, MB", "of it for the fit", "model, MB", "one list, CPU ms"]
    rows = {(row["model"], row["users"]): row for part in ("left out", "fit") for row in notebook.of(part)}
    order = sorted(rows, key=lambda key: (list(FITS).index(key[0]), key[1]))
    cells = [
        [f"`{model}`" if model in FITS else model, f"{users:,}", *_cells(rows[model, users])] for model, users in order
    ]
    return Table(header, cells, texts=1)


def _cells(row: Row) -> list[str]:
    if "refused" in row:
        why = f"refused: needs {readable(row['refused'])}, may take {readable(row['allowed'])}"
        return [why, *["-"] * 4]
    if "estimate" in row:
        return [f"not run: about {_duration(row['estimate'])} (estimate)", *["-"] * 4]
    return [
        figure(row["fit_cpu_seconds"]),
        f"{row['peak_mb']:,.0f}",
        f"{row['peak_mb'] - row['opened_mb']:,.0f}",
        figure(row["model_bytes"] / 1e6),
        figure(row["list_ms"]),
    ]


def figure(value: float) -> str:
    """A number with three digits that count.

    >>> figure(0.00142), figure(3.14159), figure(1234.5)
    ('0.00142', '3.14', '1,234')
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _duration(seconds: float) -> str:
    """Seconds in words.

    >>> _duration(90), _duration(7200)
    ('2 minutes', '2.0 hours')
    """
    return f"{seconds / 3600:.1f} hours" if seconds >= 5400 else f"{seconds / 60:.0f} minutes"


def _exponents(notebook: Notebook) -> Table:
    """e of figure ~ users^e, over all sizes at which there is a figure worth it, and over the last step alone."""
    header = ["model", "sizes", "fit", "fit, last step", "memory of the fit", "model", "one list"]
    cells = []
    for label in FITS:
        found = {key: points(notebook, label, key) for key in PANELS}
        if len(times := found["fit_cpu_seconds"]) >= 2:
            powers = {key: exponent(found[key], LEAST[key]) for key in PANELS}
            last = exponent(times[-2:], LEAST["fit_cpu_seconds"])
            numbers = [powers["fit_cpu_seconds"], last, *(powers[key] for key in list(PANELS)[1:])]
            cells.append([f"`{label}`", f"{len(times)}", *("-" if math.isnan(e) else f"{e:.2f}" for e in numbers)])
    return Table(header, cells, texts=1)


def _classic(notebook: Notebook) -> Table:
    header = ["model", "fit, CPU s", "model, MB", "one list, CPU ms", *map(label_of, METRICS)]
    cells = []
    for row in notebook.of("classic"):
        costs = [row["fit_cpu_seconds"], row["model_bytes"] / 1e6, row["list_ms"]]
        cells.append([f"`{row['model']}`", *map(figure, costs), *(f"{row['metrics'][name]:.4f}" for name in METRICS)])
    return Table(header, cells, texts=1)


def draw(notebook: Notebook, path: Path) -> bool:
    """Four figures of every model against the number of users, logarithmic on both sides; False below two sizes."""
    from matplotlib.ticker import NullFormatter

    from common.plots.style import figure as drawing
    from common.plots.style import legend, plain_log_axis, style

    if len({row["users"] for row in notebook.of("fit")}) < 2:
        return False
    with drawing(path, "Cost by the number of users", "generated", panels=2, rows=2) as axes:
        for axis, (key, name) in zip(axes, PANELS.items(), strict=True):
            for place, label in enumerate(FITS):
                scale = 1e-6 if key == "model_bytes" else 1.0
                found = [(users, scale * value) for users, value in points(notebook, label, key) if value >= LEAST[key]]
                if found:
                    axis.plot(*zip(*found, strict=True), label=label, **style(place))
            axis.set(xlabel="Users", ylabel=name, xscale="log", yscale="log")
            low, high = axis.get_ylim()
            axis.set_ylim(10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high)))
            for of in (axis.xaxis, axis.yaxis):
                plain_log_axis(of)
                of.set_minor_formatter(NullFormatter())
        legend(axes[-1])
    return True
