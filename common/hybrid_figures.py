"""Figures of stage 6: predicted plays, ablation, accuracy against likeness, calibration."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from common.comparison import legend
from common.evaluation.plays import plays_metrics
from common.figures import PALETTE, figure

NEIGHBOURS = ("als", "ease", "forest", "hist_gradient", "two_tower")
"""Rows of other stages shown beside the curve of accuracy against likeness."""


def draw_plays_panels(pairs: pd.DataFrame, title: str, path: Path) -> None:
    """Predicted against true log plays, the errors' distribution, their quantiles, and residuals by prediction."""
    true, predicted = pairs["log_plays"].to_numpy(float), pairs["predicted"].to_numpy(float)
    errors, r2 = true - predicted, plays_metrics(true, predicted)["r2"]
    with figure(path, f"Predicted plays of held-out pairs, R² {r2:.3f}", title, panels=2, rows=2, width=7) as axes:
        against, spread, quantiles, residuals = axes
        ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
        cells = against.hexbin(true, predicted, gridsize=40, bins="log", cmap="viridis", mincnt=1)
        against.plot(ends, ends, color=PALETTE[3], linestyle="--", label="exact")
        against.set(xlabel="True log(1 + plays)", ylabel="Predicted log(1 + plays)", title="Predicted against true")
        against.figure.colorbar(cells, ax=against, label="Pairs")
        against.legend(loc="lower right")
        spread.hist(errors, bins=60, density=True, color=PALETTE[0])
        grid = np.linspace(errors.min(), errors.max(), 200)
        normal = stats.norm.pdf(grid, errors.mean(), errors.std())
        spread.plot(grid, normal, color=PALETTE[3], label=f"normal, spread {errors.std():.2f}")
        spread.set(xlabel="True - predicted", ylabel="Density", title="Errors")
        spread.legend()
        (theory, sample), (slope, start, _) = stats.probplot(errors, dist="norm")
        quantiles.scatter(theory, sample, s=6, color=PALETTE[0])
        quantiles.plot(theory, slope * theory + start, color=PALETTE[3], linestyle="--", label="normal")
        quantiles.set(xlabel="Quantile of a normal distribution", ylabel="Quantile of the errors", title="Q-Q")
        quantiles.legend(loc="lower right")
        cells = residuals.hexbin(predicted, errors, gridsize=40, bins="log", cmap="viridis", mincnt=1)
        residuals.axhline(0, color=PALETTE[3], linestyle="--")
        residuals.set(xlabel="Predicted log(1 + plays)", ylabel="True - predicted", title="Residuals")
        residuals.figure.colorbar(cells, ax=residuals, label="Pairs")


def draw_trade_off(table: pd.DataFrame, others: pd.DataFrame, title: str, path: Path) -> None:
    """NDCG@10 against the likeness of lists in each space, a point per price, beside rows of other stages.

    others: model, ndcg_10 and the same measures of likeness.
    """
    spaces = [name for name in ("ils_genre_10", "ils_tag_10", "ils_audio_10") if name in table]
    with figure(path, "Accuracy against likeness of the lists", title, panels=len(spaces), width=6) as axes:
        for axis, space in zip(axes, spaces, strict=True):
            axis.plot(table[space], table["ndcg_10"], marker="o", color=PALETTE[0], label="hybrid_listnet, by price")
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


def draw_calibration(table: pd.DataFrame, error: float, title: str, path: Path) -> None:
    """Expected against found shares of wanted candidates."""
    with figure(path, "Calibration", title, width=9, height=7) as (axes,):
        ends = [table["expected"].min() / 1.3, min(1.0, table["expected"].max() * 1.3)]
        axes.plot(ends, ends, color="grey", linestyle="--", label="exact")
        label = f"hybrid_listnet, mean distance {error:.3f}"
        axes.plot(table["expected"], table["found"], marker="o", color=PALETTE[0], label=label)
        axes.set(xlabel="Expected share of wanted candidates", ylabel="Found share", xscale="log", yscale="log")
        axes.legend(loc="upper left")
