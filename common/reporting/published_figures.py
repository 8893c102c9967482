"""The figures that pages show of all models side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from common.data.dataset import Dataset
from common.evaluation.core_metrics import core_metrics
from common.evaluation.curves import curves
from common.experiments.analysis.cold_start import COLD_START_MODELS, WITH_FRIENDS
from common.experiments.outputs import results_of_rows
from common.plots import model_comparison as plots
from common.reporting.extra_tables import cold_start_results

LEFT_OUT = ("random", "trending", "content_knn", "popularity")
"""Rows that a figure of quality by length leaves out, since they lie far below all others."""


def draw_figures(published: Mapping[str, Any], results: Path, data: Dataset, folder: Path) -> list[Path]:
    """Draw the tuned rows of published results; returns the figures' paths.

    Curves need what runs left under `results`, `outputs/<dataset>`: they are drawn if that is there for every row that
    they show, else those drawn before stay.
    """
    tables = {protocol: tuned_rows(found["rows"]) for protocol, found in published["protocols"].items()}
    drawn = []
    if "listen" in tables:
        drawn += _draw_listen(tables["listen"], results / "listen", data.name, folder)
    if costs := {protocol: table for protocol, table in tables.items() if "fit_cpu_seconds" in table}:
        drawn.append(folder / "cost.png")
        plots.costs(dict(list(costs.items())[:2]), data.name, drawn[-1])
    if "newcomer" in tables:
        known = cold_start_results(results, data, "newcomer")
        if known and {name for name in COLD_START_MODELS if name in set(tables["newcomer"]["model"])} <= set(known):
            drawn.append(folder / "ladder.png")
            plots.cold_start(known, f"{data.name}, newcomer, test", drawn[-1], bold="two_tower", single=WITH_FRIENDS)
    return drawn


def _draw_listen(table: pd.DataFrame, results: Path, dataset: str, folder: Path) -> list[Path]:
    """Accuracy by cut-off, and which metrics agree."""
    title, drawn = f"{dataset}, listen, test", []
    rows = table[~table["model"].isin(LEFT_OUT)]
    if len(rows) and len(found := results_of_rows(results, rows)) == len(rows):
        drawn.append(folder / "metrics_by_k.png")
        plots.metrics_by_cutoff({name: curves(row.targets) for name, row in found.items()}, title, drawn[-1])
    drawn.append(folder / "nine.png")
    plots.metric_agreement(*agreement_of(table), title, drawn[-1])
    return drawn


def agreement_of(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Spearman's rank correlation of the orders in which any two core metrics put the models, and how many these are;
    chance, which is last or first in everything, is left out."""
    models = table[table["model"] != "random"]
    rows = (models.loc[place].to_dict() for place in models.index)
    measured = pd.DataFrame([core_metrics({str(key): value for key, value in row.items()}) for row in rows])
    named = measured.dropna(axis="columns").rename(columns=lambda name: name.replace("_", " "))
    return named.corr(method="spearman"), len(models)


def tuned_rows(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows of tuned models as they are, not re-ranked, in their order."""
    table = pd.DataFrame([row for row in rows if row["preset"] == "tuned" and "+" not in row["model"]])
    return table.reset_index(drop=True)
