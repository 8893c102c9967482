import dataclasses
import json
import zipfile
from typing import Any

import numpy as np
import pytest

from common.models.inference.trees import read_trees
from common.models.linear.als import ALSSettings
from common.models.linear.ease import EASESettings
from common.models.two_stage.tree_ranker import PLAYS, RANKER
from common.training.context import FitContext
from common.utils.environment import Seconds
from common.utils.errors import UserError
from tests.models.contract_tests import N_ITEMS, N_USERS, QUICK, ContractTests
from tests.runs import unsealed

SOURCES: dict[str, Any] = {
    "als": ALSSettings(factors=8, iterations=4, regularisation=1.0, alpha=10.0),
    "ease": EASESettings(regularisation=5.0),
}
QUICK["forest"] = {**SOURCES, "top": 8, "trees": 20}
QUICK["hist_gradient"] = {**SOURCES, "top": 8, "iterations": 20}


def said_by(estimator: Any, rows: np.ndarray) -> np.ndarray:
    """What scikit-learn predicts, of positive ones the share."""
    return estimator.predict_proba(rows)[:, 1] if hasattr(estimator, "predict_proba") else estimator.predict(rows)


class TwoStageTests(ContractTests):
    def test_the_score_of_a_candidate_is_a_share_and_all_others_stand_below(self, fitted):
        scores = fitted.score(self.everybody)
        candidates = fitted.candidates(fitted.query(self.everybody))
        proposed = np.zeros(scores.shape, bool)
        proposed[candidates.rows, candidates.items] = True
        assert ((scores[proposed] >= 0) & (scores[proposed] <= 1)).all()
        assert (scores[~proposed] <= 0).all()
        assert 0 < proposed.mean() < 0.9

    def test_nobody_is_proposed_what_they_have(self, fitted, train):
        candidates = fitted.candidates(fitted.query(self.everybody))
        assert not train.histories.matrix()[candidates.rows, candidates.items].sum()

    def test_somebody_without_candidates_gets_no_new_items_and_no_error(self, fitted):
        scores = fitted.fold_in([list(range(N_ITEMS)), [3]])
        assert np.isfinite(scores).all()
        assert (scores[0] <= 0).all()

    def test_plays_are_predicted_for_pairs_in_any_order_and_whatever_the_company(self, fitted: Any):
        users, items = np.array([7, 0, 7, 39]), np.array([40, 3, 2, 3])
        together = fitted.predict_plays(users, items)
        assert together.dtype == np.float32
        assert np.isfinite(together).all()
        for place in range(4):
            alone = fitted.predict_plays(users[[place]], items[[place]])
            np.testing.assert_allclose(alone, together[[place]], rtol=1e-5)

    def test_plays_that_all_weigh_the_same_are_not_predicted(self, train):
        flat = dataclasses.replace(train, interactions=train.interactions.assign(weight=1.0))
        model: Any = self.make().fit(flat)
        assert model.predict_plays(np.array([0]), np.array([0])) is None
        assert "plays" not in model.feature_builder.columns

    def test_where_nothing_can_be_learned_the_first_stage_decides(self, train):
        single = train.interactions.drop_duplicates("user")  # nothing is left of anybody in their fold
        model = self.make().fit(dataclasses.replace(train, interactions=single.reset_index(drop=True)))
        assert model.ranker.trees is None
        scores = model.score(self.everybody)
        assert np.isfinite(scores).all()
        candidates = model.candidates(model.query(self.everybody))
        assert scores[candidates.rows, candidates.items].min() >= 0
        order = np.argsort(-candidates.rest[candidates.rows, candidates.items][candidates.rows == 0])
        by_score = np.argsort(-scores[candidates.rows, candidates.items][candidates.rows == 0])
        np.testing.assert_array_equal(order, by_score)

    def test_cross_fitted_data_serve_all_fits_that_share_and_their_time_is_counted(self, train):
        sharing = FitContext(shared={})
        first = self.make().fit(train, context=sharing)
        assert first.shared_seconds == Seconds()
        again = self.make().fit(train, context=sharing)
        assert again.training_data is first.training_data
        assert again.ranker.trees is first.ranker.trees
        assert again.shared_seconds.wall > (first.source_seconds + first.feature_seconds).wall
        assert again.costs["fit_seconds"] > again.shared_seconds.wall
        balanced = self.make(weighting="balanced").fit(train, context=sharing)
        assert balanced.training_data is first.training_data
        assert balanced.ranker.trees is not first.ranker.trees
        assert balanced.shared_seconds == first.source_seconds + first.feature_seconds
        other = self.make(negatives=3).fit(train, context=sharing)
        assert other.training_data is not first.training_data
        assert other.shared_seconds == Seconds()

    def test_without_a_place_to_share_every_fit_starts_from_the_beginning(self, fitted, train):
        again = self.make().fit(train)
        assert again.training_data is not fitted.training_data
        assert again.shared_seconds == Seconds()

    def test_only_trusted_types_are_built_from_a_file(self, fitted, tmp_path):
        fitted.save(tmp_path)
        with zipfile.ZipFile(tmp_path / RANKER) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
        schema = json.loads(content["schema.json"])
        schema["__class__"], schema["__module__"], schema["__loader__"] = "system", "os", "FunctionNode"
        content["schema.json"] = json.dumps(schema).encode()
        with zipfile.ZipFile(tmp_path / RANKER, "w") as archive:
            for name, data in content.items():
                archive.writestr(name, data)
        unsealed(tmp_path / "model.json")
        with pytest.raises(UserError, match=r"ranker\.skops is missing or damaged; train"):
            self.kind.load(tmp_path)

    @pytest.mark.parametrize("damage", [b"", b"\x93noise" * 20, None])
    def test_damaged_trees_alone_are_refused(self, fitted, tmp_path, damage):
        fitted.save(tmp_path)
        if damage is None:
            (tmp_path / RANKER).unlink()
        else:
            (tmp_path / RANKER).write_bytes(damage)
        with pytest.raises(UserError, match=r"ranker\.skops .*; train"):
            self.kind.load(tmp_path)
        unsealed(tmp_path / "model.json")
        with pytest.raises(UserError, match=r"ranker\.skops is missing or damaged; train"):
            self.kind.load(tmp_path)

    def test_the_trees_say_bit_for_bit_what_scikit_learn_says_fitted_and_read(self, fitted, tmp_path, monkeypatch):
        fitted.save(tmp_path)
        rows = fitted.candidates(fitted.query(self.everybody)).features
        rows = np.concatenate([rows, np.full_like(rows[:1], np.nan)])
        assert np.isnan(rows[:-1]).any()
        for trees, name in ((fitted.ranker.trees, RANKER), (fitted.ranker.plays_trees, PLAYS)):
            theirs = said_by(trees.estimator, rows)
            read: Any = read_trees(tmp_path / name)
            for ours in (trees, read):
                np.testing.assert_array_equal(ours.walk(rows), theirs)
                for many in (len(rows) + 1, len(rows), 7):  # by numpy, compiled, compiled and spread over threads
                    monkeypatch.setattr("common.models.inference.trees.MANY", many)
                    np.testing.assert_array_equal(ours.predict(rows), theirs.astype(np.float32))
                np.testing.assert_array_equal(ours.predict(rows[:1]), theirs[:1].astype(np.float32))
                assert not len(ours.predict(rows[:0]))

    def test_few_rows_are_answered_without_scikit_learn_and_many_with_it(self, fitted, tmp_path, monkeypatch):
        fitted.save(tmp_path)
        rows = fitted.candidates(fitted.query(self.everybody)).features
        read: Any = read_trees(tmp_path / RANKER)
        monkeypatch.setattr("common.models.inference.trees.MANY", len(rows))
        read.predict(rows[1:])
        assert "estimator" not in vars(read)
        read.predict(rows)
        assert "estimator" in vars(read)

    def test_plays_of_a_saved_model_are_the_same(self, fitted: Any, tmp_path):
        fitted.save(tmp_path)
        users, items = np.arange(N_USERS), np.arange(N_USERS)
        loaded: Any = self.kind.load(tmp_path)
        np.testing.assert_array_equal(loaded.predict_plays(users, items), fitted.predict_plays(users, items))
        assert fitted.nbytes() > sum(array.nbytes for array in fitted.arrays().values())
