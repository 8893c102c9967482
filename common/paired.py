"""Paired differences of runs to a reference, user by user."""

from collections.abc import Sequence

import pandas as pd

from common.evaluation.statistics import bootstrap_interval, holm, paired_p
from common.runs import Run

LEVEL = 0.95


def compare(runs: Sequence[Run], metric: str) -> pd.DataFrame:
    """One row per run: run, value; and of every run but the first, the reference, its paired difference.

    difference: the mean over the users whom both runs have a value for (users); low, high: its 95% bootstrap interval;
    p, p_holm: two-sided, by itself and after Holm's correction over the compared runs; excludes_zero, significant:
    whether the interval excludes zero, and whether p_holm < 0.05, too; higher, lower: users whose value is so. NaN
    where a metric exists for all lists together only, like coverage.
    """
    rows = []
    for run in runs:
        row = {"run": run.label, "value": run.record[metric]}
        rows.append(row | (_difference(runs[0], run, metric) if run is not runs[0] else {}))
    columns = ["run", "value", "difference", "users", "low", "high", "p", "higher", "lower"]
    table = pd.DataFrame(rows).reindex(columns=columns)
    tested = table["p"].notna()
    table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"].to_numpy(float))
    table["excludes_zero"] = (table["low"] > 0) | (table["high"] < 0)
    table["significant"] = table["excludes_zero"] & (table.reindex(columns=["p_holm"])["p_holm"] < 1 - LEVEL)
    return table.reindex(columns=[*table.columns.drop("p_holm", errors="ignore"), "p_holm"])


def _difference(reference: Run, run: Run, metric: str) -> dict[str, float]:
    if metric not in run.per_user or metric not in reference.per_user:
        return {"difference": run.record[metric] - reference.record[metric]}
    values = (run.per_user[metric] - reference.per_user[metric]).dropna().to_numpy(float)
    if not len(values):
        return {}
    low, high = bootstrap_interval(values, LEVEL)
    return {
        "difference": float(values.mean()),
        "users": len(values),
        "low": low,
        "high": high,
        "p": paired_p(values).item(),
        "higher": int((values > 0).sum()),
        "lower": int((values < 0).sum()),
    }
