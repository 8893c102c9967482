"""The weights of the ensemble, chosen on the validation users of `newcomer`."""

import dataclasses
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.evaluation.evaluator import Evaluator
from common.experiments import ensemble_weights
from common.experiments.ensemble_weights import choose_weights, simplex
from common.experiments.experiment import Experiment
from common.experiments.presets import preset_values
from common.models import Ensemble
from common.models.ensemble import N_GIVEN, EnsembleSettings
from common.models.linear.als import ALSSettings
from common.utils.errors import UserError

START = EnsembleSettings(als=ALSSettings(factors=8, regularisation=1.0))


@pytest.fixture
def experiment(small_settings) -> Experiment:
    return Experiment(dataclasses.replace(small_settings, phase="select"), "2_als")


def test_weights_are_learned_and_written(experiment, tmp_path):
    best = experiment.tune(Ensemble, START, 6, tmp_path)
    assert best.als == START.als
    np.testing.assert_allclose(best.part_weights().sum(axis=1), 1)
    written = tomllib.loads((tmp_path / f"{experiment.data.presets}.toml").read_text())["tuned"]["ensemble"]["listen"]
    assert written["als_20"] == best.als_20
    read = preset_values("tuned", experiment.data.presets, "listen", "ensemble", EnsembleSettings, tmp_path)
    assert dataclasses.replace(read, als=best.als) == best
    table = pd.read_parquet(experiment.folder / "ensemble" / "weights.parquet")
    assert len(table) == 6
    assert table[[str(n) for n in N_GIVEN]].to_numpy().max() < 1
    assert best == experiment.tune(Ensemble, START, 6, tmp_path)


def test_only_newcomers_of_validation_are_looked_at(experiment, tmp_path, monkeypatch):
    asked: list[tuple[str, str]] = []
    rank_scores = Evaluator.rank_scores

    def noted(self, score):
        asked.append((self.train.protocol, self.train.phase))
        return rank_scores(self, score)

    monkeypatch.setattr(Evaluator, "rank_scores", noted)
    experiment.tune(Ensemble, START, 3, tmp_path)
    assert set(asked) == {("newcomer", "select")}


def test_scores_that_do_not_fit_into_memory_are_made_anew(experiment, tmp_path, monkeypatch):
    kept = experiment.tune(Ensemble, START, 3, tmp_path)
    monkeypatch.setattr(ensemble_weights, "MOST_BYTES", 0)
    assert experiment.tune(Ensemble, START, 3, tmp_path) == kept


def test_the_best_mixture_at_every_history_length_wins():
    mixtures = simplex(3)
    length_of_row = np.repeat(np.arange(len(N_GIVEN)), 4)
    values = np.zeros((3, len(length_of_row)))
    values[2, length_of_row == 0] = 9.0  # ALS cannot win where there is no history
    for place, winner in enumerate([0, 1, 2, 2, 1]):
        values[winner, length_of_row == place] += 1.0
    chosen = choose_weights(START, mixtures, values, length_of_row).part_weights()
    np.testing.assert_array_equal(chosen, mixtures[[0, 1, 2, 2, 1]])


def test_where_chance_decides_the_weights_lie_between():
    mixtures = simplex(3)
    values = np.zeros((3, 20))
    values[0, ::2], values[2, 1::2] = 1.0, 1.0
    chosen = choose_weights(START, mixtures, np.tile(values, len(N_GIVEN)), np.repeat(np.arange(len(N_GIVEN)), 20))
    assert 0.3 < chosen.als_5 < 0.7
    assert chosen.als_5 + chosen.popularity_5 == pytest.approx(1)


def test_data_without_newcomers_keep_their_weights(experiment, tmp_path, monkeypatch, caplog):
    def impossible(*_: object) -> None:
        raise UserError("no newcomers here")

    monkeypatch.setattr(ensemble_weights, "Task", impossible)
    assert experiment.tune(Ensemble, START, 3, tmp_path) == START
    assert "keeps its weights" in caplog.text
    assert not list(Path(tmp_path).glob("*.toml"))
