"""Figures that every stage has: scores with their calibration, and predicted plays."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from common.models import Forest, Popularity
from common.reporting.stages import scores

STAGE: Any = scores
"""Its figures are named and not drawn here."""


@pytest.fixture
def exp(undrawn):
    return undrawn("1_knn_baseline")


def test_scores_and_their_calibration_are_drawn_of_the_models_of_this_command(exp):
    assert STAGE.draw_scores(exp, [], "knn_scores") == []
    model = Popularity().fit(exp.train_valid)
    [(name, (drawn, calibration), _)] = STAGE.draw_scores(exp, [model], "knn_scores")
    assert name == "knn_scores"
    held_out, others = drawn["popularity"]
    assert held_out.mean() > others.mean()
    assert calibration["popularity"]["found"].iloc[-1] > calibration["popularity"]["found"].iloc[0]


def experiment(targets: pd.DataFrame, metrics: dict[str, float]) -> Any:
    results = SimpleNamespace(targets=targets, metrics=metrics)
    return SimpleNamespace(
        part="valid",
        valid=None,
        run_of=lambda _: SimpleNamespace(results=lambda _: results),
        plot=lambda name, draw, *values, **_: (name, values),
    )


def test_plays_are_shown_beside_the_means_of_user_and_item(caplog):
    caplog.set_level("INFO")
    names = ("rmse", "mae", "r2", "pearson", "spearman")
    metrics = {f"plays_{name}": 0.5 for name in names} | {f"plays_reference_{name}": 0.25 for name in names}
    targets = pd.DataFrame({"log_plays": [2.0, 3.0], "predicted_log_plays": [1.0, None]})
    [(name, (drawn, r2))] = STAGE.show_plays(experiment(targets, metrics), Forest, "forest_plays")
    assert (name, r2) == ("forest_plays", 0.5)
    assert drawn.to_dict("list") == {"log_plays": [2.0], "predicted": [1.0]}, "of some users nothing is known"
    assert caplog.text.count("0.5000    0.2500") == len(names)


def test_without_predicted_plays_nothing_is_drawn(caplog):
    caplog.set_level("INFO")
    assert STAGE.show_plays(experiment(pd.DataFrame({"rank": [1]}), {}), Forest, "forest_plays") == []
    assert "plays: nothing to predict" in caplog.text
