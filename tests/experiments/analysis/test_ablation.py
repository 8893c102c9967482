"""Ablation of the hybrid and the calibration of its probabilities."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from common.evaluation.task import Task
from common.experiments.analysis import ablation as study
from common.models.neural.listnet.model import HybridListNet, HybridListNetSettings
from common.splits.train_view import load_train_view


@pytest.mark.thorough
def test_a_part_that_is_not_there_is_not_left_out(small_data, monkeypatch):
    """Without a weight of similarity there is no row that leaves it out."""
    monkeypatch.setattr(study, "PARTS", {"without ILS": {"ils_weight": 0.0}, "order alone": {"task": "rank"}})
    train = load_train_view(small_data, "listen", "select")
    settings = HybridListNetSettings(top=20, width=4, hidden=(8,), epochs=1)
    rows = list(study.ablation(HybridListNet(settings), lambda m: m.fit(train), Task(small_data, "listen").valid))
    assert [row["name"] for row in rows] == ["all", "order alone"]


def test_sound_and_tags_that_the_data_lack_are_not_left_out(small_data, monkeypatch):
    train = load_train_view(small_data, "listen", "select")
    bare = replace(train, items=train.items[["item_id", "name"]], songs=None, item_tags=None, user_item_tags=None)
    kept = ("without audio", "without tags", "without ILS", "without shortcuts")
    monkeypatch.setattr(study, "PARTS", {name: study.PARTS[name] for name in kept})
    settings = HybridListNetSettings(top=20, width=4, hidden=(8,), epochs=1, ils_weight=1.0)
    rows = list(study.ablation(HybridListNet(settings), lambda m: m.fit(bare), Task(small_data, "listen").valid))
    assert [row["name"] for row in rows] == ["all", "without shortcuts"]


def test_what_a_part_changes_comes_on_top():
    base = HybridListNetSettings(without=("people",))
    assert study.changed(base, {"without": ("audio",)}).without == ("audio", "people")
    assert study.changed(base, {"without": ()}).without == ()
    no_audio = HybridListNetSettings(without=("audio", "ids"))
    assert study.changed(no_audio, {"without": ()}).without == ("audio",), "ids alone come back"
    assert study.changed(base, {"task": "rank"}).without == ("people",)


def test_calibration_compares_probabilities_with_what_happened(small_data):
    """A network that knows nothing gives all candidates the same probability, which is right on average."""
    train = load_train_view(small_data, "listen", "select")
    evaluator = Task(small_data, "listen").valid
    model = HybridListNet(HybridListNetSettings(top=20, width=4, hidden=(8,), epochs=1)).fit(train)
    ranker: Any = model.ranker
    ranker.order = lambda pool: np.zeros(len(pool.items), np.float32)
    table = study.calibration(model, evaluator)
    n = table["candidates"]
    assert (table["expected"] * n).sum() / n.sum() == pytest.approx((table["found"] * n).sum() / n.sum(), rel=1e-6)
    owners, items = evaluator.targets_of(np.arange(len(evaluator.query)))
    truth = set(zip(owners.tolist(), items.tolist(), strict=True))

    def knows(pool):
        return np.array([50.0 * ((r, i) in truth) for r, i in zip(pool.rows, pool.items, strict=True)])

    ranker.order = knows
    exact = study.calibration(model, evaluator)
    assert study.calibration_error(exact) < 0.02
    assert exact["expected"].iloc[-1] > 0.98
    ranker.order = lambda pool: -knows(pool)
    assert study.calibration_error(study.calibration(model, evaluator)) > 0.01
