"""Figures that compare the models of a leaderboard, drawn from what their runs wrote."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns

from common.evaluation.core_metrics import core_metrics
from common.evaluation.curves import curves
from common.experiments.run_folders import on_part, run_folders
from common.models.top_items import DEPTH
from common.plots.style import PALETTE, figure, legend, plain_log_axis, style, times_axis
from common.utils.io import read_parquet

log = logging.getLogger(__name__)


def draw_comparison(folder: Path, rows: pd.DataFrame, title: str) -> list[Path]:
    """Metrics against the cut-off, accuracy against diversity, and popularity, for all rows of a leaderboard."""
    rows = rows[rows["model"] != "random"] if (rows["model"] != "random").any() else rows
    results = run_folders(folder, rows)
    if not results:
        return []
    title = on_part(title, results)
    paths = [folder / "figures" / name for name in ("metrics_by_k.png", "accuracy_diversity.png", "popularity.png")]
    draw_curves(results, title, paths[0])
    draw_accuracy_against_diversity(folder, rows, title, paths[1])
    draw_popularity(results, title, paths[2])
    return paths


def draw_accuracy(folder: Path, parts: Iterable[str], title: str) -> Path:
    """One run's NDCG and recall against k, on each part of the split that it was scored on."""
    draw_curves({part: folder / part for part in parts}, title, folder / "figures" / "accuracy_by_k.png")
    return folder / "figures" / "accuracy_by_k.png"


def draw_curves(results: dict[str, Path], title: str, path: Path) -> None:
    """NDCG and recall against k, one line per model."""
    with figure(path, "Accuracy by length of the list", title, panels=2) as axes:
        for place, (name, run) in enumerate(results.items()):
            for panel, (metric, values) in zip(
                axes, curves(read_parquet(run / "targets.parquet")).items(), strict=True
            ):
                panel.plot(np.arange(1, DEPTH + 1), values, label=name, **style(place), markevery=[0, 4, 9, 19, 49, 99])
                panel.set(xlabel="k, length of the list", ylabel=metric, xscale="log")
        for panel in axes:
            plain_log_axis(panel.xaxis)
        legend(axes[0])


def draw_accuracy_against_diversity(folder: Path, rows: pd.DataFrame, title: str, path: Path) -> None:
    """NDCG@10 against coverage and against the likeness inside a list."""
    measured = {
        name: pd.Series(pd.read_json(run / "metrics.json", typ="series"))
        for name, run in run_folders(folder, rows).items()
    }
    similarity = next((key for key in ("ils_tag_10", "ils_genre_10") if key in next(iter(measured.values()))), None)
    panels = {"coverage_10": "Coverage@10 (share of the catalogue shown to anybody)"}
    if similarity:
        panels[similarity] = f"Likeness inside the top 10 (mean cosine of {similarity.split('_')[1]}s)"
    with figure(path, "Accuracy against diversity", title, panels=len(panels)) as axes:
        for panel, (key, text) in zip(axes, panels.items(), strict=True):
            for place, (name, values) in enumerate(measured.items()):
                panel.plot(
                    values[key], values["ndcg_10"], label=name, markersize=11, **(style(place) | {"linestyle": ""})
                )
            panel.set(xlabel=text, ylabel="NDCG@10")
        legend(axes[0])


def draw_popularity(results: dict[str, Path], title: str, path: Path) -> None:
    """How much more popular the recommended items are than those of the history, per model."""
    lifts = {
        name: read_parquet(run / "per_user.parquet")["popularity_lift_10"].dropna() + 1 for name, run in results.items()
    }
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


def draw_costs(tables: Mapping[str, pd.DataFrame], dataset: str, path: Path) -> None:
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


def draw_core_metrics(table: pd.DataFrame, dataset: str, path: Path) -> None:
    """How the orders agree in which any two of the nine measures put the models: Spearman's rank correlation."""
    models = table[table["model"] != "random"]  # it is last, or first, in everything
    rows = (models.loc[place].to_dict() for place in models.index)
    measured = pd.DataFrame([core_metrics({str(key): value for key, value in row.items()}) for row in rows])
    agreement = (
        measured.dropna(axis="columns").rename(columns=lambda name: name.replace("_", " ")).corr(method="spearman")
    )
    with figure(path, "Which measures agree", f"{dataset}, {len(models)} models", width=9, height=6.4) as (axes,):
        label = "Rank correlation of the models' orders (Spearman)"
        look = {"vmin": -1, "vmax": 1, "cmap": "RdBu", "annot": True, "fmt": ".2f", "square": True}
        sns.heatmap(agreement, ax=axes, cbar_kws={"label": label}, **look)
        axes.tick_params(axis="x", rotation=30)
        axes.tick_params(axis="y", rotation=0)
