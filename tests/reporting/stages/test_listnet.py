"""What stage 6 shows where there is nothing to show, and the schedule that its study replays."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from common.models import HybridListNet
from common.reporting.stages import listnet
from common.utils.io import write_json


def test_the_schedule_of_a_validated_training_is_read_from_its_checkpoint(tmp_path):
    assert listnet.read_schedule(tmp_path) is None
    write_json(tmp_path / "best.json", {"epoch": 3, "factors": [1.0, 0.5], "more": 1})
    schedule = listnet.read_schedule(tmp_path)
    assert schedule is not None
    assert (schedule.epochs, schedule.factors) == (3, [1.0, 0.5])


@pytest.mark.parametrize(("found", "drawn"), [([0.0, 0.0], []), ([0.1, 0.2], ["hybrid_calibration"])])
def test_calibration_is_drawn_where_a_held_out_item_is_a_candidate(monkeypatch, caplog, found, drawn):
    caplog.set_level("INFO")
    table = pd.DataFrame({"expected": [0.1, 0.4], "found": found, "candidates": [5, 5]})
    monkeypatch.setattr(listnet.study, "calibration", lambda model, evaluator: table)
    exp: Any = SimpleNamespace(evaluator=None, part="test", plot=lambda name, *_, **__: name)
    assert listnet.show_calibration(exp, HybridListNet()) == drawn
    assert ("no held-out item is among the candidates" in caplog.text) == (not drawn)
    assert ("calibration on test: expected and found shares of relevant candidates" in caplog.text) == bool(drawn)


def test_a_model_of_plays_alone_has_no_calibration():
    exp: Any = SimpleNamespace()
    assert listnet.show_calibration(exp, HybridListNet(task="plays")) == []


def test_without_content_there_is_no_trade_off(caplog):
    caplog.set_level("INFO")
    exp: Any = SimpleNamespace(valid=SimpleNamespace(metric_suite=SimpleNamespace(spaces={})))
    assert listnet.study_trade_off(exp) == []
    assert "nothing to weigh" in caplog.text


@pytest.mark.parametrize(
    "text", ["{", "3", "[]", '{"epoch": 3, "factors": 5}', '{"epoch": 3, "factors": [], "seal": "x"}']
)
def test_a_damaged_checkpoint_leaves_the_study_of_plays_out(monkeypatch, tmp_path, caplog, text):
    monkeypatch.setattr(listnet.play_count_holdout, "plays_split", lambda train, seed: None)
    (tmp_path / "best.json").write_text(text)
    run = SimpleNamespace(checkpoints=lambda part: tmp_path)
    exp: Any = SimpleNamespace(train=None, args=SimpleNamespace(seed=0), device="cpu")
    exp.run_of, exp.settings_of = lambda model: run, lambda model: None
    assert listnet.study_plays(exp) == []
    assert "plays are left out: " in caplog.text
    assert "best.json" in caplog.text
