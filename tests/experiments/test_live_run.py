"""A run that is being made: what goes to disk and to the tracker, and when."""

import dataclasses
from typing import Any

import pandas as pd
import pytest

from common.experiments import live_run, tracking
from common.experiments.experiment import Experiment
from common.experiments.live_run import about, curve_name, top_ten
from common.experiments.run import hash_config
from common.models import ItemKNN, Popularity
from common.utils.io import read_json
from tests.runs import STAGE, finish


class Recorder(tracking.NullTracker):
    """Keeps what is tracked."""

    is_on = True

    def __init__(self) -> None:
        self.epochs: list[tuple[int, dict[str, float]]] = []
        self.summaries: list[dict[str, Any]] = []
        self.artifacts: list[str] = []

    def log(self, values: dict[str, float], epoch: int) -> None:
        self.epochs.append((epoch, values))

    def summary(self, values: dict[str, Any]) -> None:
        self.summaries.append(values)

    def artifact(self, name: str, kind: str, files: Any, metadata: dict[str, Any]) -> None:
        self.artifacts.append(kind)


@pytest.fixture
def recorder(monkeypatch) -> Recorder:
    made = Recorder()
    monkeypatch.setattr(tracking, "start", lambda *_: made)
    return made


def test_the_summary_is_that_of_test_with_validation_beside_it(small_settings, recorder):
    [run] = finish(small_settings, [Popularity])
    [summary] = recorder.summaries
    assert summary["ndcg_10"] == run.results("test").metrics["ndcg_10"]
    assert summary["valid/ndcg_10"] == run.results("valid").metrics["ndcg_10"]
    assert recorder.artifacts == ["recommendations", "model"]


def test_select_leaves_the_model_of_a_final_run_alone(small_settings, recorder):
    [run] = finish(small_settings, [ItemKNN])
    before = {path.name: path.stat().st_mtime_ns for path in run.model_folder.iterdir()}
    recorder.artifacts.clear()
    finish(dataclasses.replace(small_settings, phase="select"), [ItemKNN])
    assert {path.name: path.stat().st_mtime_ns for path in run.model_folder.iterdir()} == before
    assert recorder.artifacts == ["recommendations"]


def test_a_helper_process_keeps_nothing(small_settings, recorder):
    exp = Experiment(small_settings, STAGE)
    for model, run in exp.runs(Popularity):
        run.save(model.fit(exp.train), None)
        assert not run.parts
    assert not recorder.summaries


def test_curves_are_reported_as_they_come_else_at_the_end(small_settings, recorder, monkeypatch):
    monkeypatch.setattr(live_run, "draw_accuracy", lambda run, parts: None)
    exp = Experiment(small_settings, STAGE)
    for model, run in exp.runs(Popularity):
        context = run.context("valid")
        assert context.checkpoints == run.checkpoints("valid")
        model.fit(exp.train)
        model.curves = {"train/loss": [2.0, 1.0]}
        run.save(model, exp.valid.evaluate(model))
        assert recorder.epochs == [(1, {"train/loss": 2.0}), (2, {"train/loss": 1.0})]
        report = run.context("test").report
        assert report is not None
        report({"train/loss": 1.5}, 1)
        model.refit(exp.train_valid)
        model.curves = {"train/loss": [1.5]}
        run.save(model, exp.test.evaluate(model))
    assert recorder.epochs[2:] == [(1, {"refit/loss": 1.5})], "reported once"
    assert read_json(run.folder / "curves.json") == {"train/loss": [2.0, 1.0], "refit/loss": [1.5]}


def test_metrics_name_the_phase_and_the_hash_of_the_settings():
    config = {name: name for name in live_run.ABOUT} | {"settings": {"factors": 8}}
    found = about(config, "test")
    assert (found["phase"], found["config_sha256"]) == ("final", hash_config(config))
    assert "settings" not in found
    assert curve_name("val/ndcg_10", "valid") == "val/ndcg_10"


def test_the_top_ten_of_a_few_users_bear_names(small_settings):
    [run] = finish(small_settings, [Popularity])
    train = Experiment(small_settings, STAGE).train_valid
    lists = run.results("test").recommendations
    shown = top_ten(lists, train)
    assert shown["user_id"].nunique() == live_run.USERS
    assert shown.groupby("user_id")["rank"].max().tolist() == [10] * live_run.USERS
    first = shown.iloc[0]
    assert first["name"] == pd.Series(train.labels.to_numpy(), train.items["item_id"].astype(str))[first["item_id"]]
