"""Precision against recall, the scores of held-out and other items, and the loss and settings of ALS."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.ticker import NullFormatter

from common.plots.style import PALETTE, bin_edges, figure, legend, style


def precision_recall(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str, path: Path) -> None:
    """Precision against recall as the list grows, a line per model; curves: model -> precision, recall at each k."""
    with figure(path, "Precision against recall", title, width=9) as (axes,):
        for place, (name, (precision, recall)) in enumerate(curves.items()):
            axes.plot(recall, precision, label=name, **style(place), markevery=[0, 4, 9, 19, 49, 99])
        axes.set(xlabel="Recall@k (marks: k = 1, 5, 10, 20, 50, 100)", ylabel="Precision@k")
        axes.set(xlim=(0, None), ylim=(0, None))
        legend(axes)


def scores(values: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str, path: Path) -> None:
    """Histograms of the scores of held-out items and of all others outside the history, one panel per model."""
    with figure(path, "Scores of held-out and of other items", title, panels=len(values), width=5) as axes:
        for panel, (name, (held_out, others)) in zip(axes, values.items(), strict=True):
            sample = np.concatenate([held_out, others[:: max(1, len(others) // 10_000)]])
            bins = bin_edges(np.quantile(sample, [0.001, 0.999]), 49)
            for drawn, label, colour in ((others, "other items", PALETTE[7]), (held_out, "held-out items", PALETTE[1])):
                shares = np.full(len(drawn), 1 / max(1, len(drawn)))
                panel.hist(np.clip(drawn, *bins[[0, -1]]), bins, weights=shares, label=label, color=colour, alpha=0.65)
            panel.set(xlabel=f"Score of {name}", ylabel="Share of the items", yscale="log")
        legend(axes[-1])


def loss(losses: Sequence[float], title: str, path: Path) -> None:
    """Training loss after every iteration."""
    with figure(path, "Training loss of ALS", title, width=8) as (axes,):
        axes.plot(np.arange(1, len(losses) + 1), losses, marker="o", color=PALETTE[0])
        axes.set(xlabel="Iteration", ylabel="Loss per cell of users x items", yscale="log")


def settings(trials: pd.DataFrame, title: str, path: Path) -> None:
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
