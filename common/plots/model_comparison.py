"""Figures that compare the models of a leaderboard: accuracy by cut-off, diversity, cost, cold start, ..."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import NullFormatter

from common.plots.style import PALETTE, correlation_map, figure, legend, plain_log_axis, style

MARKED = [0, 4, 9, 19, 49, 99]
"""Places of a curve that bear a mark: k = 1, 5, 10, 20, 50, 100."""
LEAST = 0.1
"""Processor seconds below which a fit's cost is not told apart."""
GAINS = {
    "ils_tag_10": "Mean cosine of tags in a list  (← better)",
    "ils_genre_10": "Mean cosine of genres in a list  (← better)",
    "calibration_genre_10": "Calibration error, genres, nats  (← better)",
    "calibration_tag_10": "Calibration error, tags, nats  (← better)",
    "coverage_10": "Coverage, share of the catalogue  (better →)",
    "novelty_10": "Novelty, bits  (better →)",
}
"""What re-ranking may gain: metric -> label of its axis."""


def metrics_by_cutoff(curves: Mapping[str, Mapping[str, np.ndarray | pd.Series]], title: str, path: Path) -> None:
    """Metrics against the cut-off, one line per model.

    curves: model -> metric -> value at each k: an array for k = 1, 2, ..., or a series with a few k as its index.
    """
    panels = max(map(len, curves.values()))
    with figure(path, "Accuracy by length of the list", title, panels=panels) as axes:
        for place, (name, of_metrics) in enumerate(curves.items()):
            for panel, (metric, values) in zip(axes, of_metrics.items(), strict=True):
                panel.set(xlabel="k, length of the list", ylabel=metric, xscale="log")
                if isinstance(values, pd.Series):
                    panel.plot(values.index, values, label=name, **style(place))
                    panel.set_xticks(values.index, [str(k) for k in values.index])
                    panel.xaxis.set_minor_formatter(NullFormatter())
                else:
                    panel.plot(np.arange(1, len(values) + 1), values, label=name, **style(place), markevery=MARKED)
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
        axes.xaxis.set_major_formatter("{x:g}x")


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
        scale = {"label": "Rank correlation of the models' orders (Spearman)"}
        correlation_map(axes, agreement, cmap="RdBu", square=True, cbar_kws=scale)
        axes.tick_params(axis="x", rotation=30)
        axes.tick_params(axis="y", rotation=0)


def cold_start(rows: Mapping[str, pd.DataFrame], title: str, path: Path, bold: str, single: str) -> None:
    """NDCG@10 against the number of known items, one line per model.

    rows: model -> columns mean, low and high, indexed by the number of given items. `bold` names the model that is
    drawn with its 95% interval, `single` the row that stands at 0 items alone, as a star.
    """
    n_given = next(iter(rows.values())).index if rows else pd.Index([])
    places = np.arange(len(n_given))
    with figure(path, "The cold-start curve", title, width=9.5, height=5.6) as (axes,):
        for place, (name, values) in enumerate(rows.items()):
            values, look = values.reindex(n_given), style(place)
            if name == single:
                bars = [[values["mean"][0] - values["low"][0]], [values["high"][0] - values["mean"][0]]]
                star = {"marker": "*", "markersize": 16, "linestyle": "", "capsize": 4, "color": "black"}
                axes.errorbar([0], [values["mean"][0]], yerr=bars, label=f"{name} (0 items)", **star)
            elif name == bold:
                axes.plot(places, values["mean"], label=name, **look | {"linewidth": 3.5, "color": "black"})
                axes.fill_between(places, values["low"], values["high"], color="black", alpha=0.12, linewidth=0)
            else:
                axes.plot(places, values["mean"], label=name, **look)
        axes.set_xticks(places, [str(n) for n in n_given])
        axes.set(xlabel="Known items of a user whom no model has seen", ylim=(0, None))
        axes.set(ylabel="NDCG@10 (95% intervals of the towers')")
        legend(axes)


def trade_offs(
    model: str, base: Mapping[str, float], rows: Sequence[Mapping[str, Any]], title: str, path: Path
) -> Path:
    """NDCG@10 against what lists are to be besides, a curve for each method from weak to strong, the chosen ringed.

    base: metrics of the run itself; rows: method, strength, chosen and metrics of every try. Returns the path.
    """
    panels = {key: text for key, text in GAINS.items() if key in base}
    rows_of_panels = 2 if len(panels) > 3 else 1
    across = -(-len(panels) // rows_of_panels)
    with figure(path, f"Re-ranking the lists of {model}", title, panels=across, rows=rows_of_panels, width=5.6) as axes:
        for axis, (key, text) in zip(axes, panels.items(), strict=False):
            ring = {"marker": "o", "markersize": 13, "fillstyle": "none", "color": "black", "linestyle": ""}
            for place, method in enumerate(dict.fromkeys(row["method"] for row in rows)):
                tried = [row for row in rows if row["method"] == method and key in row]
                x, y = ([base[name], *(row[name] for row in tried)] for name in (key, "ndcg_10"))
                axis.plot(x, y, label=method, markersize=6, **style(place))
                for row in (row for row in tried if row["chosen"]):
                    axis.plot(row[key], row["ndcg_10"], **ring)
            axis.plot(base[key], base["ndcg_10"], "*", markersize=16, color="black", label=f"{model} itself")
            axis.plot([], [], label="chosen strength", **ring)
            axis.set(xlabel=text, ylabel="NDCG@10")
        legend(axes[0])
    return path
