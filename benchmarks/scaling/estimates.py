"""How a figure grows with the number of users, and what it would be at a size at which nothing was measured."""

import math
from collections.abc import Sequence

import numpy as np

from benchmarks.notebook import Notebook

LEAST = {"fit_cpu_seconds": 0.001, "fit_mb": 1.0, "model_bytes": 1, "list_ms": 0.01}
"""Smaller figures say more about the clock, or the allocator, than about the model."""


def points(notebook: Notebook, label: str, key: str) -> list[tuple[int, float]]:
    """Users and figure of what was measured of a model, by users. fit_mb: memory that the fit added to the data's."""
    rows = [row for row in notebook.of("fit") if row["model"] == label and "refused" not in row]
    values = [(row["users"], row["peak_mb"] - row["opened_mb"] if key == "fit_mb" else float(row[key])) for row in rows]
    return sorted(values)


def exponent(found: Sequence[tuple[int, float]], least: float = 0.0) -> float:
    """e of figure ~ users^e by least squares of the logarithms, of figures of at least `least`; NaN below two.

    >>> exponent([(10, 3.0), (100, 300.0), (1000, 30000.0)])
    2.0
    """
    kept = [(users, value) for users, value in found if value >= least]
    if len(kept) < 2:
        return math.nan
    logs = np.log10(np.array(kept, float))
    return round(float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0]), 6)


def estimated_seconds(notebook: Notebook, label: str, users: int) -> float:
    """CPU seconds of a fit at a size if the last step between two measured ones went on; 0 where nothing is known, and
    where a smaller size was refused, as the model then says itself what it needs."""
    rows = [row for row in notebook.of("fit") if row["model"] == label and "refused" in row]
    if any(row["users"] < users for row in rows):
        return 0.0
    found = [point for point in points(notebook, label, "fit_cpu_seconds") if point[0] < users]
    if len(found) < 2:
        return 0.0
    return found[-1][1] * (users / found[-1][0]) ** max(1.0, exponent(found[-2:]))
