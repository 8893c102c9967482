"""Runs side by side: paired differences to the first of them."""

from collections.abc import Sequence

import pandas as pd

from common.evaluation.statistics import Measured, paired_table
from common.experiments.run import PartResults


def compare(runs: Sequence[PartResults], metric: str) -> pd.DataFrame:
    """One row per run, column `run` its label; the other columns are those of `paired_table`."""
    rows = [Measured(run.label, run.metrics[metric], run.by_user.get(metric)) for run in runs]
    return paired_table(rows).rename(columns={"model": "run"})
