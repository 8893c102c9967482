"""The figures that pages show of all models side by side: quality by length of the list, by cost, for newcomers."""

from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd
import seaborn as sns

from common.cold_start import draw_ladder
from common.comparison import draw_curves, legend, run_folders, style
from common.data.prepare import Dataset
from common.data.splits import load_split
from common.evaluation.leaderboard import leaderboard
from common.evaluation.nine import nine
from common.figures import figure, plain_log_axis
from common.more_tables import ladder_rows

LEFT_OUT = ("random", "trending", "content_knn", "popularity")
"""Rows that a figure of quality by length leaves out, since they lie far below all others."""
LEAST = 0.1
"""Processor seconds below which a fit's cost is not told apart."""


def draw_figures(results: Path, data: Dataset, wanted: Mapping[str, Collection], folder: Path) -> list[Path]:
    """Draw what there are results for, from the tuned rows of `outputs/<dataset>`; returns the figures' paths."""
    tables = {}
    for protocol in (name for name in wanted if (results / name).exists()):
        table = leaderboard(results / protocol, load_split(data, protocol).info["split_sha256"], wanted[protocol])
        if not table.empty and "ndcg_10" in table:
            tables[protocol] = table[(table["preset"] == "tuned") & table["ndcg_10"].notna()]
    drawn = []
    if "listen" in tables:
        drawn.append(folder / "metrics_by_k.png")
        rows = tables["listen"][~tables["listen"]["model"].isin(LEFT_OUT)]
        draw_curves(run_folders(results / "listen", rows), f"{data.name}, listen, test", drawn[-1])
        drawn.append(folder / "nine.png")
        draw_nine(tables["listen"], f"{data.name}, listen, test", drawn[-1])
    if costs := {protocol: table for protocol, table in tables.items() if "fit_cpu_seconds" in table}:
        drawn.append(folder / "cost.png")
        draw_costs(dict(list(costs.items())[:2]), data.name, drawn[-1])
    if "newcomer" in tables and (rows_by_name := ladder_rows(results, data, "newcomer")):
        drawn.append(folder / "ladder.png")
        draw_ladder(rows_by_name, f"{data.name}, newcomer, test", drawn[-1])
    return drawn


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
            panel.set(xscale="log", xlabel="Processor seconds of one fit", ylabel="NDCG@10", title=protocol)
            plain_log_axis(panel.xaxis)
        legend(axes[0])


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
