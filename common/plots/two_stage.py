"""Figures of two-stage models: candidates, importance, ablation, predicted plays, trade-off, calibration."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import NullFormatter

from common.plots.style import PALETTE, bin_edges, figure, legend, percent_axis, style

SHOWN = 20
"""Features in the figure of importance."""


def candidate_recall(recall: pd.DataFrame, top: int, title: str, path: Path) -> None:
    """Share of held-out pairs among the first n proposals, one line per source and one for all together."""
    with figure(path, "How many held-out items are candidates", title, width=9) as (axes,):
        for place, name in enumerate(recall):
            look = {"color": "black", "linewidth": 3} if name == "all" else style(place)
            label = "all sources together" if name == "all" else str(name)
            axes.plot(recall.index, recall[name], label=label, **look, markevery=[9, 49, 99, 199])
        axes.axvline(top, color="grey", linestyle="--", linewidth=1)
        axes.set(xlabel="n, proposals of each source (dashed: the stage's choice)", ylabel="Held-out items found")
        axes.set(xlim=(0, None), ylim=(0, None))
        percent_axis(axes.yaxis)
        axes.figure.legend(loc="outside right center", frameon=False)


def importance(table: pd.DataFrame, title: str, path: Path) -> None:
    """Importance by impurity, by permutation, and of whole groups, each with the others beside it."""
    groups = table[table["group"] == "group"].sort_values("loss")
    singles = table[table["group"] != "group"].head(SHOWN)[::-1]
    with figure(path, "What the forest looks at", title, panels=3, height=7, width=6) as axes:
        axes[0].barh(singles["name"], singles["impurity"], color=PALETTE[0])
        axes[0].set(xlabel="Impurity: share of what all splits gain")
        percent_axis(axes[0].xaxis)
        for panel, rows in ((axes[1], singles), (axes[2], groups)):
            panel.barh(rows["name"], rows["loss"], xerr=_errors(rows), color=PALETTE[1], ecolor="black", capsize=2)
            panel.axvline(0, color="black", linewidth=1)
        axes[1].set(xlabel="Permuted: loss of NDCG@10, 95% interval")
        axes[2].set(xlabel="Group permuted: loss of NDCG@10, 95% interval")


def partial_dependence(dependence: Mapping[str, np.ndarray], title: str, path: Path) -> None:
    """Mean score of a candidate against the value of each of some features."""
    with figure(path, "How the strongest features move a score", title, panels=3, rows=2, width=5) as axes:
        for panel, (name, (values, scores)) in zip(axes, dependence.items(), strict=False):
            panel.plot(values, scores, color=PALETTE[0], linewidth=2)
            panel.set(xlabel=name, ylabel="Mean score", ylim=(0, None))


def ablation(
    table: pd.DataFrame, title: str, path: Path, heading: str = "What each group of features is worth"
) -> None:
    """What leaving out a part costs against the table's first row, with intervals."""
    rows = table.iloc[1:].sort_values("loss")
    with figure(path, heading, title, width=9) as (axes,):
        axes.barh(rows["name"], rows["loss"], xerr=_errors(rows), color=PALETTE[2], ecolor="black", capsize=3)
        axes.axvline(0, color="black", linewidth=1)
        name, full = table[["name", "ndcg_10"]].iloc[0]
        axes.set(xlabel=f"Loss of NDCG@10 against {name} ({full:.4f}), 95% interval over users")


def _draw_predictions(panel: Any, true: np.ndarray, predicted: np.ndarray, cells: int, label: str) -> None:
    _draw_density(panel, true, predicted, cells, label)
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    panel.plot(ends, ends, color=PALETTE[3], linestyle="--", label="exact")
    panel.set(xlabel="True log(1 + plays)", ylabel="Predicted log(1 + plays)")
    panel.legend(loc="lower right")


def _draw_density(panel: Any, x: np.ndarray, y: np.ndarray, cells: int, label: str) -> None:
    density = panel.hexbin(x, y, gridsize=cells, bins="log", cmap="viridis", mincnt=1)
    bar = panel.figure.colorbar(density, ax=panel, label=label)
    bar.ax.yaxis.set_major_formatter("{x:g}")
    bar.ax.yaxis.set_minor_formatter(NullFormatter())


def _errors(rows: pd.DataFrame) -> np.ndarray:
    """Lengths of the error bars below and above each loss."""
    return np.abs(np.stack([rows["loss"] - rows["low"], rows["high"] - rows["loss"]]))


def play_residuals(pairs: pd.DataFrame, r2: float, title: str, path: Path) -> None:
    """Predicted against true log plays, the errors' distribution, their quantiles, and residuals by prediction."""
    from scipy import stats

    true, predicted = pairs["log_plays"].to_numpy(float), pairs["predicted"].to_numpy(float)
    errors = true - predicted
    with figure(path, f"Predicted plays of held-out pairs, R² {r2:.3f}", title, panels=2, rows=2, width=7) as axes:
        against, spread, quantiles, residuals = axes
        _draw_predictions(against, true, predicted, 40, "Pairs")
        against.set_title("Predicted against true")
        spread.hist(errors, bins=bin_edges(errors, 60), density=True, color=PALETTE[0])
        grid = np.linspace(errors.min(), errors.max(), 200)
        spread.set(xlabel="True - predicted", ylabel="Density", title="Errors")
        if np.ptp(errors) > 0:
            normal = stats.norm.pdf(grid, errors.mean(), errors.std())
            spread.plot(grid, normal, color=PALETTE[3], label=f"normal, spread {errors.std():.2f}")
            spread.legend()
            _draw_quantiles(quantiles, errors)
        _draw_density(residuals, predicted, errors, 40, "Pairs")
        residuals.axhline(0, color=PALETTE[3], linestyle="--")
        residuals.set(xlabel="Predicted log(1 + plays)", ylabel="True - predicted", title="Residuals")


def _draw_quantiles(panel: Any, errors: np.ndarray) -> None:
    from scipy import stats

    (theory, sample), (slope, start, _) = stats.probplot(errors, dist="norm")
    panel.scatter(theory, sample, s=6, color=PALETTE[0])
    panel.plot(theory, slope * theory + start, color=PALETTE[3], linestyle="--", label="normal")
    panel.set(xlabel="Quantile of a normal distribution", ylabel="Quantile of the errors", title="Q-Q")
    panel.legend(loc="lower right")


def trade_off(table: pd.DataFrame, others: pd.DataFrame, title: str, path: Path) -> None:
    """NDCG@10 against the similarity inside lists in each space, a point per `ils_weight`, beside rows of other stages.

    others: model, ndcg_10 and the same metrics of similarity.
    """
    spaces = [name for name in ("ils_genre_10", "ils_tag_10", "ils_audio_10") if name in table]
    with figure(path, "Accuracy against similarity inside the lists", title, panels=len(spaces), width=6) as axes:
        for axis, space in zip(axes, spaces, strict=True):
            axis.plot(
                table[space], table["ndcg_10"], marker="o", color=PALETTE[0], label="hybrid_listnet, by ils_weight"
            )
            for row in table.to_dict("records"):
                label = f"{row['ils_weight']:g}"
                axis.annotate(label, (row[space], row["ndcg_10"]), xytext=(4, 6), textcoords="offset points", size=9)
            for place, row in enumerate(others.to_dict("records")):
                if pd.isna(row.get(space)):
                    continue
                look = {"marker": "sD^vP"[place % 5], "color": PALETTE[1 + place], "s": 50}
                axis.scatter(row[space], row["ndcg_10"], label=row["model"], **look)
            axis.set(xlabel=f"Mean cosine of two items of a list: {space.split('_')[1]}", ylabel="NDCG@10")
        legend(axes[0])


def calibration(table: pd.DataFrame, error: float, title: str, path: Path) -> None:
    """Expected against found shares of relevant candidates."""
    with figure(path, "Calibration", title, width=9, height=7) as (axes,):
        ends = [table["expected"].min() / 1.3, min(1.0, table["expected"].max() * 1.3)]
        axes.plot(ends, ends, color="grey", linestyle="--", label="exact")
        label = f"hybrid_listnet, mean distance {error:.3f}"
        axes.plot(table["expected"], table["found"], marker="o", color=PALETTE[0], label=label)
        axes.set(xlabel="Expected share of relevant candidates", ylabel="Found share", xscale="log", yscale="log")
        axes.legend(loc="upper left")
