"""Figures that compare the models of a leaderboard: accuracy by cut-off, diversity, popularity, cost, agreement."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns

from common.plots.style import PALETTE, figure, legend, plain_log_axis, style, times_axis


def metrics_by_cutoff(curves: Mapping[str, Mapping[str, np.ndarray]], title: str, path: Path) -> None:
    """Metrics against the cut-off k = 1, 2, ..., one line per model; curves: model -> metric -> value at each k."""
    with figure(path, "Accuracy by length of the list", title, panels=2) as axes:
        for place, (name, of_metrics) in enumerate(curves.items()):
            for panel, (metric, values) in zip(axes, of_metrics.items(), strict=True):
                cutoffs = np.arange(1, len(values) + 1)
                panel.plot(cutoffs, values, label=name, **style(place), markevery=[0, 4, 9, 19, 49, 99])
                panel.set(xlabel="k, length of the list", ylabel=metric, xscale="log")
        for panel in axes:
            plain_log_axis(panel.xaxis)
        legend(axes[0])


def accuracy_against_diversity(measured: Mapping[str, Mapping[str, Any]], title: str, path: Path) -> None:
    """NDCG@10 against coverage and against the similarity inside a list; measured: model -> its metrics."""
    similarity = next((key for key in ("ils_tag_10", "ils_genre_10") if key in next(iter(measured.values()))), None)
    panels = {"coverage_10": "Coverage@10 (share of the catalogue shown to anybody)"}
    if similarity:
        panels[similarity] = f"Similarity inside the top 10 (mean cosine of {similarity.split('_')[1]}s)"
    with figure(path, "Accuracy against diversity", title, panels=len(panels)) as axes:
        for panel, (key, text) in zip(axes, panels.items(), strict=True):
            for place, (name, values) in enumerate(measured.items()):
                panel.plot(
                    values[key], values["ndcg_10"], label=name, markersize=11, **(style(place) | {"linestyle": ""})
                )
            panel.set(xlabel=text, ylabel="NDCG@10")
        legend(axes[0])


def popularity_lift(lifts: Mapping[str, pd.Series], title: str, path: Path) -> None:
    """How much more popular the recommended items are than those of the history; model -> ratio of each user."""
    with figure(path, "How popular the recommended is, beside the consumed", title, width=10) as (axes,):
        axes.boxplot(
            [np.maximum(v, 1e-3) for v in lifts.values()],
            orientation="horizontal",
            showfliers=False,
            tick_labels=list(lifts),
            medianprops={"color": "black"},
            patch_artist=True,
            boxprops={"facecolor": PALETTE[0]},
        )
        axes.axvline(1, color="grey", linestyle="--")
        axes.set(
            xlabel="Mean listeners of the top 10 / of the history (box: half of the users)",
            xscale="log",
        )
        axes.invert_yaxis()
        times_axis(axes.xaxis)


LEAST = 0.1
"""Processor seconds below which a fit's cost is not told apart."""


def costs(tables: Mapping[str, pd.DataFrame], dataset: str, path: Path) -> None:
    """NDCG@10 with its 95% interval against the processor seconds of a fit, a panel for each protocol."""
    models = [*dict.fromkeys(model for table in tables.values() for model in table["model"] if model != "random")]
    with figure(path, "What accuracy costs", f"{dataset}, test", panels=len(tables)) as axes:
        for panel, (protocol, table) in zip(axes, tables.items(), strict=True):
            for _, row in table[table["model"].isin(models)].iterrows():
                look = style(models.index(row["model"])) | {"linestyle": "", "markersize": 9}
                reach = [[row["ndcg_10"] - row["ndcg_10_low"]], [row["ndcg_10_high"] - row["ndcg_10"]]]
                cost = max(LEAST, row["fit_cpu_seconds"])
                panel.errorbar(cost, row["ndcg_10"], reach, label=row["model"], elinewidth=1, capsize=2, **look)
            panel.set(
                xscale="log",
                xlabel=f"Processor seconds of one fit ({LEAST:g}: no more)",
                ylabel="NDCG@10",
                title=protocol,
            )
            plain_log_axis(panel.xaxis)
        legend(max(axes, key=lambda panel: len(panel.get_legend_handles_labels()[1])))


def metric_agreement(agreement: pd.DataFrame, n_models: int, dataset: str, path: Path) -> None:
    """How any two metrics agree in the order of the models: a square table of rank correlations."""
    with figure(path, "Which metrics agree", f"{dataset}, {n_models} models", width=9, height=6.4) as (axes,):
        label = "Rank correlation of the models' orders (Spearman)"
        look = {"vmin": -1, "vmax": 1, "cmap": "RdBu", "annot": True, "fmt": ".2f", "square": True}
        sns.heatmap(agreement, ax=axes, cbar_kws={"label": label}, **look)
        axes.tick_params(axis="x", rotation=30)
        axes.tick_params(axis="y", rotation=0)
