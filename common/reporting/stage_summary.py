"""The end of every stage: the leaderboard and the figures that compare its rows, which `report` draws, too."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.evaluation.curves import curves, diversity, precision_and_recall
from common.experiments.experiment import Experiment
from common.experiments.outputs import RowResults
from common.plots import model_comparison as plots
from common.plots.precision_recall import precision_recall
from common.reporting.leaderboard import text, write_leaderboard
from common.utils.io import display

SPACES = {"tag": "tags", "genre": "genres", "audio": "sound"}
"""What a space of `evaluation.curves.diversity` is called on an axis."""
log = logging.getLogger(__name__)


def summarise(exp: Experiment, figures: Iterable[Path] = ()) -> None:
    """Write the leaderboard and, unless `--no-compare` is given, the figures that compare its rows; print it and where
    everything is."""
    table = write_leaderboard(exp.folder, exp.data.name, exp.split, exp.train.split_sha256)
    log.info("\n%s", text(table, exp.data.name, exp.split))
    drawn = [*(compare_rows(exp.plot, exp.all_rows()) if exp.args.compare else ()), *figures]
    log.info("results: %s\nfigures: %s", display(exp.folder), ", ".join(path.name for path in drawn) or "none")
    if exp.hint:
        log.info("runs in W&B: %s", exp.hint)


def beside(accuracy: dict[str, np.ndarray], space: str, diverse: pd.Series | None) -> dict[str, Any]:
    """Curves of accuracy, and diversity, where there is any, in the second place: beside NDCG."""
    if diverse is None:
        return dict(accuracy)
    (first, ndcg), *others = accuracy.items()
    return {first: ndcg, f"Diversity@k, 1 - cosine of {SPACES[space]}": diverse, **dict(others)}


def compare_rows(plot: Callable[..., Path], rows: RowResults) -> list[Path]:
    """Metrics against the cut-off, precision against recall, accuracy against diversity, popularity: all rows but
    chance. plot: draws a figure of the split, as `Experiment.plot` does."""
    others = {name: row for name, row in rows.items() if row.run.key.model != "random"} or rows
    if not others:
        return []
    measured = {name: row.metrics for name, row in others.items()}
    space, diverse = diversity(measured)
    by_cutoff = {name: beside(curves(row.targets), space, diverse.get(name)) for name, row in others.items()}
    relations = {name: precision_and_recall(row.targets) for name, row in others.items()}
    lifts = {name: row.per_user["popularity_lift_10"].dropna() + 1 for name, row in others.items()}
    return [
        plot("metrics_by_k", plots.metrics_by_cutoff, by_cutoff, part=rows.part),
        plot("precision_recall", precision_recall, relations, part=rows.part),
        plot("accuracy_diversity", plots.accuracy_against_diversity, measured, part=rows.part),
        plot("popularity", plots.popularity_lift, lifts, part=rows.part),
    ]
