"""How good the data of a fit are, and what was made of them: a row for each output column of numbers."""

from typing import Any

import numpy as np
import pandas as pd

from common.features.preprocessing.formulas import BINARY, KEYS, NUMERIC

COLUMNS = (
    *("column", "from", "rows", "missing", "outliers"),
    *("mean_before", "std_before", "skew_before", "mean_after", "std_after", "skew_after"),
)
"""Columns of the quality report."""


def measure(rows: pd.DataFrame, ready: pd.DataFrame, keys: pd.DataFrame, fitted: Any) -> list[dict[str, Any]]:
    """The quality report of a fit, a dictionary per output column of numbers, with the keys of COLUMNS.

    rows: typed rows; ready: what the fit made of them; keys: their ids; fitted: what it has learned (`Fitted`). Of
    items and users each is counted once. Before: the column itself, or of a product of several the product. Outliers
    lie more than 1.5 interquartile ranges beyond the quartiles of the derived column. Nothing to tell is None.
    """
    found = []
    for name, feature in (NUMERIC | BINARY).items():
        if name not in fitted.scales | fitted.usual:
            continue
        once = ~keys.duplicated(list(KEYS[feature.part])).to_numpy()
        if feature.part == "interactions":
            once[:] = True
        derived = feature.values(rows[once], fitted.constants)
        before = rows.loc[once, feature.sources[0]].to_numpy(float) if len(feature.sources) == 1 else derived
        row = {"column": name, "from": ", ".join(feature.sources), "rows": int(once.sum())}
        row |= {"missing": int(np.isnan(derived).sum()), "outliers": _outliers(derived, fitted.scales.get(name))}
        found.append(row | _moments(before, "before") | _moments(ready[name].to_numpy(float)[once], "after"))
    return found


def _outliers(values: np.ndarray, scale: Any) -> int:
    if scale is None or scale.low is None or scale.high is None:
        return 0
    return int(((values < scale.low) | (values > scale.high)).sum())


def _moments(values: np.ndarray, when: str) -> dict[str, float | None]:
    """Mean, standard deviation and skew of known values, those of a population.

    >>> _moments(np.array([0.0, 0.0, 3.0, np.nan]), "before")["skew_before"]
    0.7071
    >>> _moments(np.array([2.0, 2.0]), "after")
    {'mean_after': 2.0, 'std_after': 0.0, 'skew_after': None}
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return {f"{name}_{when}": None for name in ("mean", "std", "skew")}
    mean, std = float(known.mean()), float(known.std())
    flat = std <= 1e-12 * max(1.0, abs(mean))
    skew = None if flat else float((((known - mean) / std) ** 3).mean())
    values_of = {"mean": mean, "std": std, "skew": skew}
    return {f"{name}_{when}": None if v is None else float(f"{v:.4g}") for name, v in values_of.items()}


def as_table(quality: list[dict[str, Any]]) -> pd.DataFrame:
    """The report as a table, numbers that nobody can tell as NaN."""
    table = pd.DataFrame(quality, columns=list(COLUMNS))
    counts = ["rows", "missing", "outliers"]
    return table.astype(dict.fromkeys(COLUMNS[5:], float) | dict.fromkeys(counts, int))


def as_text(table: pd.DataFrame) -> str:
    """The report for people to read."""
    return table.to_string(index=False, na_rep="-", float_format="{:.4g}".format)
