"""What stage 3 prints of its candidates."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from common.reporting.stages import forest

STAGE: Any = forest
"""Its figures are named and not drawn here."""


def test_candidates_are_shown_by_source(caplog, monkeypatch):
    caplog.set_level("INFO")
    ranks = pd.DataFrame({"als": [1, 9], "ease": [30, 2]})
    monkeypatch.setattr(forest.study, "candidate_ranks", lambda *_: ranks)
    seconds = SimpleNamespace(wall=1.0)
    model: Any = SimpleNamespace(source_seconds=seconds, feature_seconds=seconds, settings=SimpleNamespace(top=5))
    labels = np.array([1, 0, 0, 0])
    model.feature_builder = SimpleNamespace(generator=None, names=["a", "b"])
    model.training_data = SimpleNamespace(labels=labels)
    exp = SimpleNamespace(valid=None, plot=lambda name, draw, *values, **_: (name, values))
    name, (recall, top) = STAGE.show_candidates(exp, model)
    assert (name, top) == ("forest_candidates", 5)
    assert recall.loc[5, "all"] == 1.0
    assert "als            50.00%" in caplog.text
    assert "learned from 4 candidates, 25.0% of them relevant" in caplog.text
