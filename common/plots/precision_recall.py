"""Figures of how well scores tell the hidden items from the others, and of what two settings of ALS do."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.ticker import NullFormatter

from common.evaluation.curves import precision_and_recall
from common.evaluation.evaluator import Evaluator
from common.models.base import Recommender
from common.plots.style import PALETTE, figure, legend, style
from common.utils.io import read_parquet

SAMPLE = 200
"""Evaluated rows whose scores are drawn."""


def draw_precision_recall(results: Mapping[str, Path], title: str, path: Path) -> None:
    """Precision against recall as the list grows from 1 to DEPTH, one line per model; `results`: name -> folder."""
    with figure(path, "Precision against recall", title, width=9) as (axes,):
        for place, (name, folder) in enumerate(results.items()):
            precision, recall = precision_and_recall(read_parquet(folder / "targets.parquet"))
            axes.plot(recall, precision, label=name, **style(place), markevery=[0, 4, 9, 19, 49, 99])
        axes.set(xlabel="Recall@k (marks: k = 1, 5, 10, 20, 50, 100)", ylabel="Precision@k")
        axes.set(xlim=(0, None), ylim=(0, None))
        legend(axes)


def draw_scores(models: Mapping[str, Recommender], evaluator: Evaluator, title: str, path: Path) -> None:
    """Histograms of the scores of hidden items and of all others outside the history, one panel per model."""
    with figure(path, "Scores of hidden and of other items", title, panels=len(models), width=5) as axes:
        for panel, (name, model) in zip(axes, models.items(), strict=True):
            hidden, others = evaluator.sample_scores(model, SAMPLE)
            low, high = np.quantile(np.concatenate([hidden, others[:: max(1, len(others) // 10_000)]]), [0.001, 0.999])
            bins = np.linspace(low, max(high, low + 1e-6), 50)
            for values, label, colour in ((others, "other items", PALETTE[7]), (hidden, "hidden items", PALETTE[1])):
                shares = np.full(len(values), 1 / len(values))
                panel.hist(np.clip(values, *bins[[0, -1]]), bins, weights=shares, label=label, color=colour, alpha=0.65)
            panel.set(xlabel=f"Score of {name}", ylabel="Share of the items", yscale="log")
        legend(axes[-1])


def draw_loss(losses: Sequence[float], title: str, path: Path) -> None:
    """Training loss after every iteration."""
    with figure(path, "Training loss of ALS", title, width=8) as (axes,):
        axes.plot(np.arange(1, len(losses) + 1), losses, marker="o", color=PALETTE[0])
        axes.set(xlabel="Iteration", ylabel="Loss per cell of users x items", yscale="log")


def draw_sensitivity(trials: pd.DataFrame, title: str, path: Path) -> None:
    """Validation NDCG@10 against the factors and the regularisation, one dot per trial."""
    with figure(path, "What factors and regularisation do to ALS", title, panels=2) as axes:
        for panel, (own, other) in zip(
            axes, (("factors", "regularisation"), ("regularisation", "factors")), strict=True
        ):
            dots = panel.scatter(trials[own], trials["ndcg_10"], c=np.log10(trials[other]), cmap="viridis", s=60)
            panel.set(xlabel=own.capitalize(), ylabel="Validation NDCG@10", xscale="log")
            if own == "factors":
                powers = 2 ** np.arange(0, 12)
                inside = (powers >= trials[own].min() / 1.5) & (powers <= trials[own].max() * 1.5)
                panel.set_xticks(powers[inside], [str(power) for power in powers[inside]])
                panel.xaxis.set_minor_formatter(NullFormatter())
            ticks = panel.figure.colorbar(dots, ax=panel, label=other.capitalize())
            ticks.ax.yaxis.set_major_formatter(lambda exponent, _: f"{10**exponent:.3g}")
