"""What stage 3 prints of its candidates and of the plays that it predicts."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from common.reporting.stages import forest

STAGE: Any = forest
"""Its figures are named and not drawn here."""


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
    targets = pd.DataFrame({"predicted_log_plays": [1.0]})
    [(name, (drawn, r2))] = STAGE.show_plays(experiment(targets, metrics))
    assert (name, r2) == ("forest_plays", 0.5)
    assert drawn is targets
    assert caplog.text.count("0.5000    0.2500") == len(names)


def test_without_predicted_plays_nothing_is_drawn(caplog):
    caplog.set_level("INFO")
    assert STAGE.show_plays(experiment(pd.DataFrame({"rank": [1]}), {})) == []
    assert "plays: nothing to predict" in caplog.text


def test_candidates_are_shown_by_source(caplog, monkeypatch):
    caplog.set_level("INFO")
    ranks = pd.DataFrame({"als": [1, 9], "ease": [30, 2]})
    monkeypatch.setattr(forest.study, "candidate_ranks", lambda *_: ranks)
    seconds = SimpleNamespace(wall=1.0)
    model: Any = SimpleNamespace(source_seconds=seconds, feature_seconds=seconds, settings=SimpleNamespace(top=5))
    labels = np.array([1, 0, 0, 0])
    model.feature_builder = SimpleNamespace(generator=None, names=["a", "b"])
    model.training_data = SimpleNamespace(labels=labels)
    name, (recall, top) = STAGE.show_candidates(experiment(pd.DataFrame(), {}), model)
    assert (name, top) == ("forest_candidates", 5)
    assert recall.loc[5, "all"] == 1.0
    assert "als            50.00%" in caplog.text
    assert "learned from 4 candidates, 25.0% of them relevant" in caplog.text
