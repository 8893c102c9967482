"""The figures that pages show of all models side by side: quality by length of the list, by cost, for newcomers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import seaborn as sns

from common.cold_start import LADDER, draw_ladder
from common.comparison import draw_curves, legend, run_folders, style
from common.data.prepare import Dataset
from common.evaluation.nine import nine
from common.figures import figure, plain_log_axis
from common.more_tables import ladder_rows

LEFT_OUT = ("random", "trending", "content_knn", "popularity")
"""Rows that a figure of quality by length leaves out, since they lie far below all others."""
LEAST = 0.1
"""Processor seconds below which a fit's cost is not told apart."""


def draw_figures(published: Mapping[str, Any], results: Path, data: Dataset, folder: Path) -> list[Path]:
    """Draw the tuned rows of published results; returns the figures' paths.

    Curves and the ladder need what runs left under `results`, `outputs/<dataset>`: they are drawn if that is there for
    every row that they show, else those drawn before stay.
    """
    tables = {protocol: tuned_rows(found["rows"]) for protocol, found in published["protocols"].items()}
    drawn = []
    if "listen" in tables:
        rows = tables["listen"][~tables["listen"]["model"].isin(LEFT_OUT)]
        if len(folders := run_folders(results / "listen", rows)) == len(rows):
            drawn.append(folder / "metrics_by_k.png")
            draw_curves(folders, f"{data.name}, listen, test", drawn[-1])
        drawn.append(folder / "nine.png")
        draw_nine(tables["listen"], f"{data.name}, listen, test", drawn[-1])
    if costs := {protocol: table for protocol, table in tables.items() if "fit_cpu_seconds" in table}:
        drawn.append(folder / "cost.png")
        draw_costs(dict(list(costs.items())[:2]), data.name, drawn[-1])
    if "newcomer" in tables:
        climbing = ladder_rows(results, data, "newcomer")
        if climbing and {name for name in LADDER if name in set(tables["newcomer"]["model"])} <= set(climbing):
            drawn.append(folder / "ladder.png")
            draw_ladder(climbing, f"{data.name}, newcomer, test", drawn[-1])
    return drawn


def tuned_rows(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows of tuned models as they are, not re-ranked, in their order."""
    table = pd.DataFrame([row for row in rows if row["preset"] == "tuned" and "+" not in row["model"]])
    return table.reset_index(drop=True)


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


def draw_nine(table: pd.DataFrame, dataset: str, path: Path) -> None:
    """How the orders agree in which any two of the nine measures put the models: Spearman's rank correlation."""
    models = table[table["model"] != "random"]  # it is last, or first, in everything
    rows = (models.loc[place].to_dict() for place in models.index)
    measured = pd.DataFrame([nine({str(key): value for key, value in row.items()}) for row in rows])
    agreement = (
        measured.dropna(axis="columns").rename(columns=lambda name: name.replace("_", " ")).corr(method="spearman")
    )
    with figure(path, "Which measures agree", f"{dataset}, {len(models)} models", width=9, height=6.4) as (axes,):
        label = "Rank correlation of the models' orders (Spearman)"
        look = {"vmin": -1, "vmax": 1, "cmap": "RdBu", "annot": True, "fmt": ".2f", "square": True}
        sns.heatmap(agreement, ax=axes, cbar_kws={"label": label}, **look)
        axes.tick_params(axis="x", rotation=30)
        axes.tick_params(axis="y", rotation=0)
