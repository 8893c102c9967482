"""Precision against recall, the scores of held-out and other items, and the loss and settings of ALS."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import NullFormatter

from common.plots.style import PALETTE, bin_edges, figure, legend, style

ACROSS = 4
"""Panels side by side at most."""


def precision_recall(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str, path: Path) -> None:
    """Precision against recall as the list grows, a line per model; curves: model -> precision, recall at each k."""
    with figure(path, "Precision against recall", title, width=9) as (axes,):
        for place, (name, (precision, recall)) in enumerate(curves.items()):
            axes.plot(recall, precision, label=name, **style(place), markevery=[0, 4, 9, 19, 49, 99])
        axes.set(xlabel="Recall@k (marks: k = 1, 5, 10, 20, 50, 100)", ylabel="Precision@k")
        axes.set(xlim=(0, None), ylim=(0, None))
        legend(axes)


def scores(
    values: Mapping[str, tuple[np.ndarray, np.ndarray]], calibration: Mapping[str, pd.DataFrame], title: str, path: Path
) -> None:
    """Histograms of the scores of held-out items and of all others outside the history, a panel for each model, and how
    often items are held out beside how often their scores say so.

    calibration: model -> expected and found shares, of each group of scores, as `evaluation.curves` makes them.
    """
    rows = -(-(len(values) + 1) // ACROSS)
    across = -(-(len(values) + 1) // rows)
    with figure(path, "Scores of held-out and of other items", title, across, rows, width=5) as axes:
        for panel, (name, (held_out, others)) in zip(axes, values.items(), strict=False):
            _draw_histograms(panel, held_out, others)
            panel.set(xlabel=f"Score of {name}", ylabel="Share of the items", yscale="log")
        legend(axes[0])
        _draw_calibration(axes[len(values)], calibration)


def _draw_histograms(panel: Any, held_out: np.ndarray, others: np.ndarray) -> None:
    sample = np.concatenate([held_out, others[:: max(1, len(others) // 10_000)]])
    bins = bin_edges(np.quantile(sample, [0.001, 0.999]), 49)
    for drawn, label, colour in ((others, "other items", PALETTE[7]), (held_out, "held-out items", PALETTE[1])):
        shares = np.histogram(np.clip(drawn, *bins[[0, -1]]), bins)[0] / max(1, len(drawn))
        panel.stairs(shares, bins, fill=True, label=label, color=colour, alpha=0.65)


def _draw_calibration(panel: Any, calibration: Mapping[str, pd.DataFrame]) -> None:
    told = {name: table for name, table in calibration.items() if len(table)}
    if not told:
        panel.set_axis_off()
        panel.text(0.5, 0.5, "No calibration: all scores are the same", ha="center", transform=panel.transAxes)
        return
    ends = pd.concat([table["expected"] for table in told.values()]).agg(["min", "max"])
    panel.plot(ends, ends, color="grey", linestyle="--", label="exact")
    for place, (name, table) in enumerate(told.items()):
        seen = table[table["found"] > 0]
        panel.plot(seen["expected"], seen["found"], label=name, **style(place))
    panel.set(xlabel="Expected share of held-out items", ylabel="Found share", xscale="log", yscale="log")
    panel.legend(loc="lower right", fontsize="small")


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
