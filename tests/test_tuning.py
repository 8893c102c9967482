import dataclasses
import tomllib
from pathlib import Path

import pytest

from common.command_line import preset_values
from common.data.visible import Visible
from common.errors import UserError
from common.experiment import Experiment
from common.models.item_knn import ItemKNN, ItemKNNSettings
from common.tuning import tune

START = ItemKNNSettings(neighbours=5)


@pytest.fixture
def experiment(small_settings) -> Experiment:
    return Experiment(dataclasses.replace(small_settings, phase="select"), "1_knn_baseline")


def validation(experiment: Experiment, settings: ItemKNNSettings) -> float:
    scorer = experiment.scorers["select"]
    return scorer.ndcg(scorer.rank(ItemKNN(settings, experiment.settings.seed).fit(experiment.select)))


def test_the_best_settings_are_at_least_as_good_as_the_start_and_are_written(experiment, tmp_path):
    best = tune(experiment, ItemKNN, START, 8, tmp_path)
    found = validation(experiment, best)
    assert found >= validation(experiment, START)
    written = tomllib.loads((tmp_path / f"{experiment.data.presets}.toml").read_text())["tuned"]["item_knn"]["listen"]
    assert written.pop("validation") == {"ndcg_10": round(found, 5), "trials": 8}
    assert ItemKNNSettings(**written) == best
    read = preset_values("tuned", experiment.data.presets, "listen", "item_knn", ItemKNNSettings, tmp_path)
    assert read == best, "the next run takes what was written"


def test_a_study_is_resumed(experiment, tmp_path, monkeypatch):
    tried: list[ItemKNNSettings] = []
    fit = ItemKNN.fit

    def noted(self: ItemKNN, seen: Visible) -> ItemKNN:
        tried.append(self.settings)
        return fit(self, seen)

    monkeypatch.setattr(ItemKNN, "fit", noted)
    tune(experiment, ItemKNN, START, 4, tmp_path)
    assert len(tried) == 4
    assert tried[0] == START
    tune(experiment, ItemKNN, START, 6, tmp_path)
    assert len(tried) == 6
    first = tune(experiment, ItemKNN, START, 6, tmp_path)
    assert len(tried) == 6, "nothing is left to try"
    assert first == tune(experiment, ItemKNN, START, 3, tmp_path)


def test_the_same_seed_tries_the_same_settings(small_settings, tmp_path):
    found = []
    for name in ("a", "b"):
        settings = dataclasses.replace(small_settings, phase="select", output_dir=tmp_path / name)
        found.append(tune(Experiment(settings, "1_knn_baseline"), ItemKNN, START, 5, tmp_path / name))
    assert found[0] == found[1]


def test_only_validation_is_looked_at(small_settings, tmp_path, monkeypatch):
    experiment = Experiment(small_settings, "1_knn_baseline")
    phases: list[str] = []
    fit = ItemKNN.fit

    def noted(self: ItemKNN, seen: Visible) -> ItemKNN:
        phases.append(seen.phase)
        return fit(self, seen)

    monkeypatch.setattr(ItemKNN, "fit", noted)
    monkeypatch.setattr(experiment.scorers["final"], "rank", lambda _: pytest.fail("test was opened"))
    tune(experiment, ItemKNN, START, 3, tmp_path)
    assert set(phases) == {"select"}


def test_all_else_in_the_file_stays(experiment, tmp_path):
    path: Path = tmp_path / f"{experiment.data.presets}.toml"
    path.write_text(
        "# a remark of ours\n[mine.item_knn]\nneighbours = 3  # by hand\n\n"
        "[tuned.als.listen]\nfactors = 8\n\n[tuned.item_knn.next]\nneighbours = 7\n\n"
        "[tuned.item_knn.listen]\nneighbours = 1\n"
    )
    best = tune(experiment, ItemKNN, START, 2, tmp_path)
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
        tune(experiment, ItemKNN, START, 1, tmp_path)
    assert path.read_text() == "[tuned"


def test_another_splits_choice_is_not_written_to_the_presets(small_settings, tmp_path):
    other = Experiment(dataclasses.replace(small_settings, phase="select", split_seed=3), "1_knn_baseline")
    tune(other, ItemKNN, START, 1, tmp_path / "presets")
    assert not (tmp_path / "presets").exists()


def test_several_processes_do_not_search_at_once(experiment, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="without torchrun"):
        tune(experiment, ItemKNN, START, 2, tmp_path)
    assert not list(tmp_path.glob("*.toml"))
