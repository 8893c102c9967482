"""Figures of published rows: which are drawn, and of what."""

import pandas as pd
import pytest

from common.plots import model_comparison as plots
from common.reporting.published_figures import agreement_of, draw_figures, tuned_rows

ROWS = [
    {"model": "random", "preset": "tuned", "ndcg_10": 0.0, "coverage_10": 1.0, "fit_cpu_seconds": 0.0},
    {"model": "popularity", "preset": "tuned", "ndcg_10": 0.1, "coverage_10": 0.1, "fit_cpu_seconds": 0.1},
    {"model": "item_knn", "preset": "tuned", "ndcg_10": 0.2, "coverage_10": 0.2, "fit_cpu_seconds": 0.2},
    {"model": "item_knn", "preset": "classic", "ndcg_10": 0.3, "coverage_10": 0.0, "fit_cpu_seconds": 0.2},
    {"model": "item_knn+mmr", "preset": "tuned", "ndcg_10": 0.3, "coverage_10": 0.0, "fit_cpu_seconds": 0.2},
]


@pytest.fixture
def drawn(monkeypatch):
    """Values of each figure that would be drawn."""
    found = {}
    for name in ("metrics_by_cutoff", "metric_agreement", "costs", "cold_start"):
        monkeypatch.setattr(plots, name, lambda *values, name=name, **_: found.update({name: values}))
    return found


def test_tuned_rows_as_their_models_made_them_are_shown():
    assert tuned_rows(ROWS)["model"].tolist() == ["random", "popularity", "item_knn"]


def test_metrics_agree_where_they_order_the_models_alike_without_random():
    table, n = agreement_of(tuned_rows(ROWS))
    assert n == 2
    assert table.loc["ndcg", "coverage"] == pytest.approx(1.0), "random would turn it round"


def test_curves_are_drawn_only_where_every_row_has_its_files(drawn, ran, small_data, tmp_path):
    published = {"protocols": {"listen": {"rows": ROWS}}}
    paths = draw_figures(published, ran / small_data.name, small_data, tmp_path)
    assert [path.name for path in paths] == ["metrics_by_k.png", "nine.png", "cost.png"]
    assert list(drawn["metrics_by_cutoff"][0]) == ["item_knn"], "popularity lies far below the others"
    drawn.clear()
    more = [*ROWS, {"model": "als", "preset": "tuned", "ndcg_10": 0.2, "coverage_10": 0.2, "fit_cpu_seconds": 1.0}]
    draw_figures({"protocols": {"listen": {"rows": more}}}, ran / small_data.name, small_data, tmp_path)
    assert set(drawn) == {"metric_agreement", "costs"}


def test_the_cold_start_curve_needs_the_results_of_all_its_models(drawn, ran, small_data, tmp_path):
    rows = [row for row in ROWS if row["model"] == "popularity"]
    published = {"protocols": {"newcomer": {"rows": rows}}}
    draw_figures(published, ran / small_data.name, small_data, tmp_path)
    curves: dict[str, pd.DataFrame] = drawn["cold_start"][0]
    assert list(curves) == ["popularity"]
    drawn.clear()
    published["protocols"]["newcomer"]["rows"] = [*rows, rows[0] | {"model": "als"}]
    draw_figures(published, ran / small_data.name, small_data, tmp_path)
    assert "cold_start" not in drawn
