"""Paired differences of runs to a reference, user by user."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from common.evaluation.statistics import LEVEL, paired_differences
from common.experiments.run import PartResults


def compare(runs: Sequence[PartResults], metric: str) -> pd.DataFrame:
    """One row per run: run, value; and of every run but the first, the reference, its paired difference.

    difference: the mean over the users whom both runs have a value for (users); low, high: its 95% bootstrap interval;
    p, p_holm: two-sided, by itself and after Holm's correction over the compared runs; excludes_zero, significant:
    whether the interval excludes zero, and whether p_holm < 0.05, too; higher, lower: users whose value is so. NaN
    where a metric exists for all lists together only, like coverage.
    """
    rows: list[dict[str, Any]] = [{"run": run.label, "value": run.metrics[metric]} for run in runs]
    tested: dict[int, np.ndarray] = {}
    for place, run in enumerate(runs[1:], start=1):
        if metric not in run.by_user or metric not in runs[0].by_user:
            rows[place]["difference"] = run.metrics[metric] - runs[0].metrics[metric]
            continue
        values = (run.by_user[metric] - runs[0].by_user[metric]).dropna().to_numpy(float)
        if len(values):
            tested[place] = values
    for (place, values), found in zip(tested.items(), paired_differences(list(tested.values())), strict=True):
        counts = {"users": len(values), "higher": int((values > 0).sum()), "lower": int((values < 0).sum())}
        rows[place] |= found | counts
    columns = ["run", "value", "difference", "users", "low", "high", "p", "higher", "lower"]
    table = pd.DataFrame(rows).reindex(columns=[*columns, "p_holm"])
    table["excludes_zero"] = (table["low"] > 0) | (table["high"] < 0)
    table["significant"] = table["excludes_zero"] & (table["p_holm"] < LEVEL)
    return table[[*columns, "excludes_zero", "significant", "p_holm"]]
