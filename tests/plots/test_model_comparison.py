import numpy as np
import pandas as pd
import pytest

from common.plots import model_comparison as plots
from tests.plots.pictures import picture, texts

CURVES = {
    name: {"NDCG@k": np.linspace(0, top, 100), "Recall@k": np.linspace(0, 1, 100)} for name, top in (("a", 1), ("b", 2))
}
MEASURED = {"a": {"ndcg_10": 0.1, "coverage_10": 0.5, "ils_tag_10": 0.3}, "b": {"ndcg_10": 0.2, "coverage_10": 0.1}}
LIFTS = {"a": pd.Series([1.0, 2.0, 0.5]), "b": pd.Series([4.0, 9.0])}
COSTS = pd.DataFrame(
    {
        "model": ["a", "b"],
        "ndcg_10": [0.1, 0.2],
        "ndcg_10_low": 0.05,
        "ndcg_10_high": 0.25,
        "fit_cpu_seconds": [0.0, 9.0],
    }
)


@pytest.mark.parametrize(
    ("draw", "values"),
    [
        (plots.metrics_by_cutoff, (CURVES,)),
        (plots.accuracy_against_diversity, ({"a": MEASURED["a"], "b": MEASURED["a"]},)),
        (plots.popularity_lift, (LIFTS,)),
        (plots.costs, ({"listen": COSTS},)),
        (plots.metric_agreement, (pd.DataFrame(np.eye(2), index=["ndcg", "map"], columns=["ndcg", "map"]), 3)),
    ],
)
def test_each_figure_is_drawn_from_tables_alone(tmp_path, draw, values):
    draw(*values, "small", tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_a_metric_at_a_few_cutoffs_is_a_panel_too(monkeypatch, tmp_path):
    curves = {name: {**of, "Diversity@k": pd.Series({5: 0.1, 10: 0.2, 20: 0.4})} for name, of in CURVES.items()}
    said = texts(monkeypatch, tmp_path, plots.metrics_by_cutoff, curves, "toy").splitlines()
    assert {"NDCG@k", "Recall@k", "Diversity@k", "5", "20"} <= set(said)


VALUES = pd.DataFrame({"mean": [0.1, 0.2], "low": [0.05, 0.1], "high": [0.15, 0.3]}, index=[0, 5])


def test_a_line_for_each_model_and_a_star_for_what_is_known_without_items(monkeypatch, tmp_path):
    rows = {"als": VALUES, "two_tower": VALUES + 0.1, "with friends": VALUES + 0.2}

    def draw(path):
        plots.cold_start(rows, "toy", path, bold="two_tower", single="with friends")

    assert {"als", "two_tower", "with friends (0 items)", "0", "5"} <= set(
        texts(monkeypatch, tmp_path, draw).splitlines()
    )


def test_the_interval_of_the_bold_model_alone_is_drawn(tmp_path):
    wide = VALUES.assign(high=0.9)

    def draw(rows):
        return picture(tmp_path, lambda path: plots.cold_start(rows, "toy", path, bold="two_tower", single=""))

    assert draw({"als": VALUES, "two_tower": VALUES}) == draw({"als": wide, "two_tower": VALUES})
    assert draw({"als": VALUES, "two_tower": VALUES}) != draw({"als": VALUES, "two_tower": wide})


BASE = {"ndcg_10": 0.3, "coverage_10": 0.1, "novelty_10": 4.0}
ROWS = [
    {"method": "mmr", "strength": 0.1, "chosen": False, "ndcg_10": 0.29, "coverage_10": 0.12, "novelty_10": 4.1},
    {"method": "mmr", "strength": 0.5, "chosen": True, "ndcg_10": 0.25, "coverage_10": 0.2, "novelty_10": 4.5},
    {"method": "novelty", "strength": 1.0, "chosen": False, "ndcg_10": 0.2, "coverage_10": 0.3, "novelty_10": 6.0},
]


def test_a_panel_for_each_aim_and_a_curve_for_each_method(monkeypatch, tmp_path):
    said = texts(monkeypatch, tmp_path, plots.trade_offs, "als", BASE, ROWS, "toy").splitlines()
    assert {"mmr", "novelty", "als itself", "chosen strength", "Novelty, bits  (better →)"} <= set(said)
    assert not any("cosine" in line for line in said), "the run has no similarity inside a list"
