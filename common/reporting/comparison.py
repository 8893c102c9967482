"""Runs side by side: paired differences to the first of them, and settings that differ."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from common.evaluation.statistics import Measured, paired_table
from common.experiments.run import PartResults
from common.utils.io import display


def compare(runs: Sequence[PartResults], metric: str) -> pd.DataFrame:
    """One row per run, column `run` its label; the other columns are those of `paired_table`."""
    rows = [Measured(run.label, run.metrics[metric], run.by_user.get(metric)) for run in runs]
    return paired_table(rows).rename(columns={"model": "run"})


def flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted names.

    >>> flat({"als": {"factors": 8}, "top": 100})
    {'als.factors': 8, 'top': 100}
    """
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def differing(runs: Sequence[PartResults]) -> dict[str, list[Any]]:
    """Settings that are not the same in all runs -> the value in each, None where a run has no such setting."""
    each = [{"seed": run.config["seed"]} | flat(run.config["settings"]) for run in runs]
    names = dict.fromkeys(name for settings in each for name in settings)
    values = {name: [settings.get(name) for settings in each] for name in names}
    return {name: row for name, row in values.items() if any(value != row[0] for value in row)}


def content(runs: Sequence[PartResults], compared: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Everything for programs: the table of every metric, the settings, and each run's own record."""
    return {
        "dataset": runs[0].metrics["dataset"],
        "protocol": runs[0].split,
        "part": runs[0].part,
        "split_sha256": runs[0].metrics["split_sha256"],
        "reference": runs[0].label,
        "metrics": {metric: rows.to_dict("records") for metric, rows in compared.items()},
        "settings_that_differ": differing(runs),
        "runs": [
            {"run": run.label, "folder": display(run.run.folder), "config": run.config} | run.metrics for run in runs
        ],
    }
