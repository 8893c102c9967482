import dataclasses
import logging
import math
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import optuna
import pytest

from common.evaluation.task import Task
from common.experiments import tuning
from common.experiments.experiment import Experiment
from common.experiments.presets import preset_values
from common.experiments.study_store import finished, held, open_study
from common.experiments.tuning import first_values, searchable, suggest
from common.models.knn.item_knn import ItemKNN, ItemKNNSettings
from common.models.neural.sasrec.model import SASRec, SASRecSettings
from common.models.registry import MODELS
from common.plots import search as plots
from common.splits.train_view import TrainView
from common.utils.errors import DivergedError, UserError
from common.utils.settings import SearchRange, check_ranges
from tests.conftest import ROOT

START = ItemKNNSettings(neighbours=5)


@pytest.fixture
def experiment(small_settings) -> Experiment:
    return Experiment(dataclasses.replace(small_settings, phase="select"), "1_knn_baseline")


def validation(experiment: Experiment, settings: ItemKNNSettings) -> float:
    return experiment.valid(ItemKNN(settings, seed=experiment.args.seed).fit(experiment.train))


def test_the_best_settings_are_at_least_as_good_as_the_start_and_are_written(experiment, tmp_path):
    best = experiment.tune(ItemKNN, START, 8, tmp_path)
    found = validation(experiment, best)
    assert found >= validation(experiment, START)
    written = tomllib.loads((tmp_path / f"{experiment.data.presets}.toml").read_text())["tuned"]["item_knn"]["listen"]
    assert written.pop("validation") == {"ndcg_10": round(found, 5), "trials": 8}
    assert ItemKNNSettings(**written) == best
    read = preset_values("tuned", experiment.data.presets, "listen", "item_knn", ItemKNNSettings, tmp_path)
    assert read == best, "the next run takes what was written"


def test_a_study_is_resumed(experiment, tmp_path, monkeypatch):
    tried: list[ItemKNNSettings] = []
    fit = ItemKNN._fit

    def noted(self: ItemKNN, train: TrainView, *given: Any) -> None:
        tried.append(self.settings)
        fit(self, train, *given)

    monkeypatch.setattr(ItemKNN, "_fit", noted)
    experiment.tune(ItemKNN, START, 4, tmp_path)
    assert len(tried) == 4
    assert tried[0] == START
    experiment.tune(ItemKNN, START, 6, tmp_path)
    assert len(tried) == 6
    first = experiment.tune(ItemKNN, START, 6, tmp_path)
    assert len(tried) == 6, "nothing is left to try"
    assert first == experiment.tune(ItemKNN, START, 3, tmp_path)


def test_the_same_seed_tries_the_same_settings(small_settings, tmp_path):
    found = []
    for name in ("a", "b"):
        settings = dataclasses.replace(small_settings, phase="select", output_dir=tmp_path / name)
        found.append(Experiment(settings, "1_knn_baseline").tune(ItemKNN, START, 5, tmp_path / name))
    assert found[0] == found[1]


def test_only_validation_is_looked_at(small_settings, tmp_path, monkeypatch):
    experiment = Experiment(small_settings, "1_knn_baseline")
    phases: list[str] = []
    fit = ItemKNN._fit

    def noted(self: ItemKNN, train: TrainView, *given: Any) -> None:
        phases.append(train.phase)
        fit(self, train, *given)

    monkeypatch.setattr(ItemKNN, "_fit", noted)
    monkeypatch.setattr(Task, "test", property(lambda _: pytest.fail("test was opened")))
    experiment.tune(ItemKNN, START, 3, tmp_path)
    assert set(phases) == {"select"}


def test_all_else_in_the_file_stays(experiment, tmp_path):
    path: Path = tmp_path / f"{experiment.data.presets}.toml"
    path.write_text(
        "# a remark of ours\n[mine.item_knn]\nneighbours = 3  # by hand\n\n"
        "[tuned.als.listen]\nfactors = 8\n\n[tuned.item_knn.next]\nneighbours = 7\n\n"
        "[tuned.item_knn.listen]\nneighbours = 1\n"
    )
    best = experiment.tune(ItemKNN, START, 2, tmp_path)
    text = path.read_text()
    assert "# a remark of ours" in text
    assert "neighbours = 3  # by hand" in text
    content = tomllib.loads(text)
    assert content["mine"]["item_knn"]["neighbours"] == 3
    assert content["tuned"]["als"]["listen"]["factors"] == 8
    assert content["tuned"]["item_knn"]["next"]["neighbours"] == 7
    assert content["tuned"]["item_knn"]["listen"]["neighbours"] == best.neighbours


def test_a_broken_file_is_refused_and_kept(experiment, tmp_path):
    path = tmp_path / f"{experiment.data.presets}.toml"
    path.write_text("[tuned")
    with pytest.raises(UserError, match="not readable TOML"):
        experiment.tune(ItemKNN, START, 1, tmp_path)
    assert path.read_text() == "[tuned"


def test_another_splits_choice_is_not_written_to_the_presets(small_settings, tmp_path):
    other = Experiment(dataclasses.replace(small_settings, phase="select", split_seed=3), "1_knn_baseline")
    other.tune(ItemKNN, START, 1, tmp_path / "presets")
    assert not (tmp_path / "presets").exists()


def test_several_processes_do_not_search_at_once(experiment, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="without torchrun"):
        experiment.tune(ItemKNN, START, 2, tmp_path)
    assert not list(tmp_path.glob("*.toml"))


# Stops, and going on


@pytest.fixture
def tried(monkeypatch) -> list[ItemKNNSettings]:
    """The settings of every trial that was begun."""
    begun: list[ItemKNNSettings] = []
    fit = ItemKNN._fit

    def noted(self: ItemKNN, train: TrainView, *given: Any) -> None:
        begun.append(self.settings)
        fit(self, train, *given)

    monkeypatch.setattr(ItemKNN, "_fit", noted)
    return begun


def study_file(experiment: Experiment) -> Path:
    return experiment.folder / "item_knn" / "study.jsonl"


def counted(experiment: Experiment) -> list[Any]:
    """The finished trials of the study."""
    return finished(open_study(study_file(experiment), experiment.search(ItemKNN).name(START), create=False))


def stopped_in(monkeypatch, number: int, how: type[BaseException]) -> None:
    """From now on, the trial of that number is stopped after its settings were drawn."""
    fit = Experiment.fit
    calls = []

    def stopping(self: Experiment, *given: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == number:
            raise how
        return fit(self, *given, **named)

    monkeypatch.setattr(Experiment, "fit", stopping)


class Killed(BaseException):
    """The process is gone: nobody writes down that the trial failed."""


@pytest.mark.parametrize(("number", "how"), [(1, Killed), (1, KeyboardInterrupt), (4, Killed), (4, KeyboardInterrupt)])
def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(small_settings, tmp_path, monkeypatch, number, how):
    found = []
    for name in ("whole", "stopped"):
        settings = dataclasses.replace(small_settings, phase="select", output_dir=tmp_path / name)
        experiment = Experiment(settings, "1_knn_baseline")
        if name == "stopped":
            with monkeypatch.context() as patched, pytest.raises(how):
                stopped_in(patched, number, how)
                experiment.tune(ItemKNN, START, 5, tmp_path / name)
            assert len(counted(experiment)) == number - 1
        experiment.tune(ItemKNN, START, 5, tmp_path / name)
        found.append([(trial.params, trial.value) for trial in counted(experiment)])
    assert found[0] == found[1]
    assert len(found[0]) == 5
    written = tomllib.loads((tmp_path / "stopped" / f"{experiment.data.presets}.toml").read_text())
    assert written["tuned"]["item_knn"]["listen"]["validation"]["trials"] == 5


def test_going_on_does_not_try_the_same_again(experiment, tmp_path, tried):
    for trials in (3, 6, 9):
        experiment.tune(ItemKNN, START, trials, tmp_path)
    assert len({str(settings) for settings in tried}) == len(tried) == 9


def test_half_a_record_at_the_end_is_taken_away(experiment, tmp_path, tried):
    experiment.tune(ItemKNN, START, 3, tmp_path)
    with study_file(experiment).open("a") as handle:
        handle.write('{"op_code":6,"worker')
    experiment.tune(ItemKNN, START, 4, tmp_path)
    assert len(counted(experiment)) == len(tried) == 4


def test_other_settings_that_are_not_searched_make_another_study(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "not_searched", lambda kind: {"weighting"})
    experiment.tune(ItemKNN, START, 2, tmp_path)
    other = dataclasses.replace(START, weighting="idf")
    assert experiment.search(ItemKNN).trials(other).empty
    assert experiment.tune(ItemKNN, other, 2, tmp_path).weighting == "idf"
    assert len(experiment.search(ItemKNN).trials(START)) == len(experiment.search(ItemKNN).trials(other)) == 2


# Files that are no study, and two at once


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("this is no study", "line 1,"),
        ("user_id,item_id\n1,2\n", "line 1,"),
        ('{"a": 1}\n', "line 1,"),
        ("[1, 2]\n17\n", "line 1,"),
        ('{"op_code": 99}\n', "damaged"),
        ('{"op_code": 4, "worker_id": "x"}\n', "damaged"),
    ],
)
def test_a_file_that_is_no_study_is_refused_and_kept(experiment, tmp_path, content, named):
    path = study_file(experiment)
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(UserError, match=named) as refused:
        experiment.tune(ItemKNN, START, 2, tmp_path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert path.read_text() == content
    assert {file.name for file in path.parent.iterdir()} == {path.name}


def test_a_broken_line_in_a_study_is_named(experiment, tmp_path):
    experiment.tune(ItemKNN, START, 2, tmp_path)
    path = study_file(experiment)
    lines = path.read_text().splitlines(keepends=True)
    lines[3] = "###\n"
    path.write_text("".join(lines))
    with pytest.raises(UserError, match="line 4,"):
        experiment.tune(ItemKNN, START, 3, tmp_path)
    assert path.read_text() == "".join(lines)


def test_two_processes_do_not_search_one_study(experiment, tmp_path):
    path = study_file(experiment)
    with held(path):
        again = "from pathlib import Path; from common.experiments.study_store import held"
        again += f"\nwith held(Path({str(path)!r})): pass"
        done = subprocess.run([sys.executable, "-c", again], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert "is being searched by another process" in done.stderr
        with pytest.raises(UserError, match="another process"):
            experiment.tune(ItemKNN, START, 2, tmp_path)
    experiment.tune(ItemKNN, START, 2, tmp_path)


# What is searched, and how long


def having_settings() -> list[Any]:
    return [model for model in map(MODELS.get, MODELS) if model is not None and searchable(model.Settings)]


@pytest.mark.parametrize("model", having_settings(), ids=lambda model: model.name)
def test_every_model_is_searched_within_what_makes_sense(model):
    start = model.Settings()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [suggest(study.ask(), start) for _ in range(20)]
    assert len(set(map(str, drawn))) == 20
    for settings in drawn:
        check_ranges(model.name, settings)
        getattr(settings, "check", lambda: None)()
        for name in searchable(model.Settings):
            assert type(getattr(settings, name)) is type(getattr(start, name)), name
    for name in searchable(model.Settings):
        assert len({str(getattr(settings, name)) for settings in drawn}) > 1, f"{name} is always the same"


@pytest.mark.parametrize("model", having_settings(), ids=lambda model: model.name)
@pytest.mark.parametrize("preset", ["tuned", "classic", "smoke"])
def test_a_search_starts_from_any_preset(model, preset):
    """Also from one whose values lie outside what is searched, like no regularisation on a logarithmic scale."""
    start = preset_values(preset, "synthetic", "listen", model.name, model.Settings)
    study = optuna.create_study()
    study.enqueue_trial(first_values(start))
    settings = suggest(study.ask(), start)
    for name, tried in searchable(model.Settings).items():
        value = getattr(start, name)
        low, high = (tried.low, tried.high) if isinstance(tried, SearchRange) else (value, value)
        expected = value if low <= value <= high else low if value < low else high
        assert getattr(settings, name) == (
            pytest.approx(expected, rel=1e-3) if isinstance(tried, SearchRange) else value
        )


NETWORK = SASRecSettings(epochs=4, width=8, heads=2, layers=1, patience=9)


def curve_of(values: dict[int, float], monkeypatch) -> list[int]:
    """Trainings follow a made-up course: trial by trial, that value at every epoch. Gives the epochs gone through."""
    gone: list[int] = []

    def fit(self: Experiment, model: Any, report: Any) -> Any:
        gone.append(0)
        for epoch in range(1, 5):
            gone[-1] = epoch
            report({"train/loss": 1.0, "val/ndcg_10": values[len(gone)] if epoch > 1 else math.nan}, epoch)

    monkeypatch.setattr(Experiment, "fit", fit)
    monkeypatch.setattr("common.evaluation.evaluator.Evaluator.__call__", lambda self, _: values[len(gone)])
    return gone


def test_a_training_behind_the_others_is_cut_short_and_counts(experiment, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    gone = curve_of(dict.fromkeys(range(1, 7), 0.5) | {7: 0.1, 8: 0.6}, monkeypatch)
    experiment.tune(SASRec, NETWORK, 8, tmp_path)
    assert gone == [4] * 6 + [2, 4]
    assert "NDCG@10 0.6000 of 8 trials" in caplog.text
    assert len(experiment.search(SASRec).trials(NETWORK)) == 7
    assert "not drawn from 7 trials, it takes 10" in caplog.text


def test_settings_that_diverge_are_a_lost_trial_and_no_end(experiment, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    fit, calls = Experiment.fit, []

    def diverging(self: Experiment, *given: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) in (1, 3):
            raise DivergedError("the loss is not finite")
        return fit(self, *given, **named)

    monkeypatch.setattr(Experiment, "fit", diverging)
    with pytest.raises(UserError, match="none of 1 trials"):
        experiment.tune(ItemKNN, START, 1, tmp_path)
    experiment.tune(ItemKNN, START, 4, tmp_path)
    assert len(calls) == 4
    assert len(experiment.search(ItemKNN).trials(START)) == 2
    assert caplog.text.count("counts as lost") == 2


SHORT = dataclasses.replace(NETWORK, epochs=1)


def test_a_network_is_really_searched(experiment, tmp_path):
    best = experiment.tune(SASRec, SHORT, 2, tmp_path)
    trials = experiment.search(SASRec).trials(SHORT)
    assert len(trials) == 2
    assert set(trials) - {"ndcg_10"} == set(searchable(SASRecSettings))
    assert best.learning_rate in set(trials["learning_rate"].map(tuning.rounded))


# The figure


@pytest.mark.rendered
def test_importance_is_drawn_and_finds_the_setting_that_matters(experiment, tmp_path, monkeypatch):
    value = {"now": 0.0}

    def fit(self: Experiment, model: ItemKNN, *_: Any) -> ItemKNN:
        value["now"] = model.settings.asymmetry / 2 + model.settings.neighbours / 1e6
        return model

    monkeypatch.setattr(Experiment, "fit", fit)
    monkeypatch.setattr("common.evaluation.evaluator.Evaluator.__call__", lambda self, _: value["now"])
    shown: dict[str, Any] = {}
    draw = plots.search

    def noted(importance, values, n_pruned, title, path):
        shown.update(importance=importance, values=values, title=title)
        draw(importance, values, n_pruned, title, path)

    monkeypatch.setattr(plots, "search", noted)
    experiment.tune(ItemKNN, START, 15, tmp_path)
    assert next(iter(shown["importance"])) == "asymmetry"
    assert sum(shown["importance"].values()) == pytest.approx(1)
    assert set(shown["importance"]) == set(searchable(ItemKNNSettings))
    assert len(shown["values"]) == 15
    assert shown["title"] == f"item_knn, {experiment.data.name}, listen, validation"
    assert (experiment.folder / "figures" / "item_knn_tuning.png").stat().st_size > 10_000


def test_importance_is_not_drawn_where_nothing_differs(experiment, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("common.evaluation.evaluator.Evaluator.__call__", lambda self, _: 0.25)
    experiment.tune(ItemKNN, START, 10, tmp_path)
    assert "all 10 trials have the same NDCG@10" in caplog.text
    assert not list(experiment.folder.rglob("*.png"))
