"""The figures that pages show of all models side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from common.data.dataset import Dataset
from common.experiments.analysis.cold_start import LADDER
from common.experiments.run_folders import run_folders
from common.plots.cold_start import draw_cold_start
from common.plots.model_comparison import draw_core_metrics, draw_costs, draw_curves
from common.reporting.extra_tables import cold_start_tables

LEFT_OUT = ("random", "trending", "content_knn", "popularity")
"""Rows that a figure of quality by length leaves out, since they lie far below all others."""


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
        draw_core_metrics(tables["listen"], f"{data.name}, listen, test", drawn[-1])
    if costs := {protocol: table for protocol, table in tables.items() if "fit_cpu_seconds" in table}:
        drawn.append(folder / "cost.png")
        draw_costs(dict(list(costs.items())[:2]), data.name, drawn[-1])
    if "newcomer" in tables:
        climbing = cold_start_tables(results, data, "newcomer")
        if climbing and {name for name in LADDER if name in set(tables["newcomer"]["model"])} <= set(climbing):
            drawn.append(folder / "ladder.png")
            draw_cold_start(climbing, f"{data.name}, newcomer, test", drawn[-1])
    return drawn


def tuned_rows(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows of tuned models as they are, not re-ranked, in their order."""
    table = pd.DataFrame([row for row in rows if row["preset"] == "tuned" and "+" not in row["model"]])
    return table.reset_index(drop=True)
