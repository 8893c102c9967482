import numpy as np
import pandas as pd
import pytest

from common import plots

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
