"""Searches in the open: every trial of every model on one split, the best of each, and how they got there.

A folder holds `<dataset>-<split>-<model>.tsv` (a row per trial) for each model, and `<dataset>-<split>.png`.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from common.plots import search as plots
from common.utils.io import write_text

HEADER = ("Model", "Trials", "CPU s", "Cut short", "NDCG@10 of the start", "Best NDCG@10", "Found after, CPU s")
Trials = Mapping[str, pd.DataFrame]
"""Trials of each model as `Search.every_trial` gives them, those of models without any left out."""


def write_trials(trials: Trials, dataset: str, split: str, folder: Path) -> list[Path]:
    """Write each model's trials and the figure of the best so far; returns their paths."""
    written = []
    for model, table in trials.items():
        shown = table.assign(ndcg_10=table["ndcg_10"].round(5))
        written.append(folder / f"{dataset}-{split}-{model}.tsv")
        write_text(written[-1], shown.to_csv(index=False, sep="\t", lineterminator="\n"))
    progress = {model: best_so_far(table) for model, table in trials.items() if table["ndcg_10"].notna().any()}
    if progress:
        written.append(folder / f"{dataset}-{split}.png")
        plots.best_by_budget(progress, f"{dataset}, {split}, validation", written[-1])
    return written


def best_so_far(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """CPU seconds after each trial, and the best value until then, float64 (trials,) each, from the first value on.

    >>> table = pd.DataFrame({"ndcg_10": [np.nan, 0.2, 0.1, 0.3], "cpu_seconds": [1.0, 2.0, 3.0, 4.0]})
    >>> [values.tolist() for values in best_so_far(table)]
    [[3.0, 6.0, 10.0], [0.2, 0.2, 0.3]]
    """
    values = np.fmax.accumulate(table["ndcg_10"].to_numpy(float))
    known = ~np.isnan(values)
    return np.cumsum(table["cpu_seconds"].to_numpy(float))[known], values[known]


def summary(trials: Trials) -> list[list[str]]:
    """Cells below HEADER, a row per model: how many trials in how many seconds, where the search began, the best, and
    when it came."""
    return [_row(model, table) for model, table in trials.items()]


def _row(model: str, table: pd.DataFrame) -> list[str]:
    values, seconds = table["ndcg_10"], np.cumsum(table["cpu_seconds"].to_numpy(float))
    counts = [f"{len(table)}", f"{seconds[-1]:.0f}", f"{int(values.isna().sum())}"]
    if values.isna().all():
        return [model, *counts, "-", "-", "-"]
    best = int(np.nanargmax(values))
    first = "-" if np.isnan(values.iloc[0]) else f"{values.iloc[0]:.4f}"
    return [model, *counts, first, f"{values.iloc[best]:.4f}", f"{seconds[best]:.0f}"]
