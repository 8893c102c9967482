"""Forests: the contract, and explanations by contributions of features."""

import dataclasses
from typing import ClassVar

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from common.models.inference.trees import Trees
from common.models.linear.als import ALSSettings
from common.models.linear.ease import EASESettings
from common.models.two_stage.forest import Forest, HistGradient, contributions
from common.splits.histories import Query
from tests.models.contract_tests import BLOCK, N_ITEMS, N_USERS, QUICK, block_visible
from tests.models.two_stage.test_tree_ranker import TwoStageTests


class TestForest(TwoStageTests):
    kind = Forest
    other_settings: ClassVar = {
        **{"top": 4, "negatives": 1, "weighting": "balanced", "trees": 5, "leaf": 30, "features": 1.0, "samples": 0.3},
        **{"als": ALSSettings(factors=4, iterations=4, regularisation=5.0), "ease": EASESettings(regularisation=500.0)},
    }

    def test_the_reasons_add_up_to_the_score(self, fitted, train):
        for user in (0, 21):
            history = train.histories.take(np.array([user]))
            scores = fitted.score(np.array([user]))[0]
            candidates = fitted.candidates(fitted.query(np.array([user])))
            for item in (
                candidates.items[0],
                candidates.items[-1],
                np.setdiff1d(np.arange(N_ITEMS), candidates.items)[0],
            ):
                why = fitted.explain(history, int(item), user)
                assert why.score == pytest.approx(scores[item], abs=1e-6)
                assert ("first_stage" in why.parts) == (item not in candidates.items)

    def test_somebody_unknown_gets_reasons_too(self, fitted):
        history = fitted.histories.take(np.array([5]))
        item = int(fitted.candidates(Query(np.array([-1]), history)).items[0])
        why = fitted.explain(history, item)
        assert why.score == pytest.approx(fitted.fold_in(history)[0, item], abs=1e-6)

    def test_the_trees_are_in_the_trees_file(self, fitted, tmp_path):
        fitted.save(tmp_path)
        trees = Forest.load(tmp_path).ranker.trees
        assert trees is not None
        assert isinstance(trees.estimator, RandomForestRegressor)
        assert len(trees.nodes.roots) == len(trees.estimator.estimators_) == 20


class TestHistGradient(TwoStageTests):
    kind = HistGradient
    other_settings: ClassVar = {
        **{"top": 4, "negatives": 1, "weighting": "balanced", "iterations": 5, "learning_rate": 0.01, "leaves": 2},
        **{"leaf": 100, "l2": 50.0, "als": ALSSettings(factors=4, iterations=4, regularisation=5.0)},
    }

    @pytest.mark.thorough  # those it shares with the forest are tried there
    def test_settings_are_honoured(self, fitted, train, tmp_path):
        super().test_settings_are_honoured(fitted, train, tmp_path)


def test_contributions_by_hand():
    """One tree, one split: the root's mean is the start, the rest belongs to the feature of the split."""
    features = np.array([[0.0, 5.0], [0.0, 6.0], [1.0, 5.0], [1.0, 6.0]], np.float32)
    labels = np.array([0.0, 0.0, 1.0, 1.0])
    forest = RandomForestRegressor(1, bootstrap=False, max_depth=1, max_features=None, random_state=0)
    average, steps = contributions(Trees.of(forest.fit(features, labels)), features)
    assert average == 0.5
    np.testing.assert_allclose(steps, [[-0.5, 0], [-0.5, 0], [0.5, 0], [0.5, 0]])


def test_contributions_follow_missing_values_and_add_up():
    rng = np.random.default_rng(0)
    features = rng.random((300, 6)).astype(np.float32)
    features[rng.random(features.shape) < 0.2] = np.nan
    labels = (np.nan_to_num(features[:, 0], nan=0.3) + features[:, 1:2].ravel() > 1).astype(float)
    forest = RandomForestRegressor(10, min_samples_leaf=3, random_state=0).fit(features, labels)
    average, steps = contributions(Trees.of(forest), features)
    np.testing.assert_allclose(average + steps.sum(axis=1), forest.predict(features), atol=1e-6)


def test_constant_and_unknown_features_do_no_harm(tmp_path):
    train = block_visible(tmp_path)
    assert train.social is not None
    items = train.items.assign(energy=1.0, genres="one genre", release_year=np.nan)
    poor = dataclasses.replace(train, items=items, social=train.social.iloc[:0], user_item_tags=None, item_tags=None)
    model = Forest(Forest.Settings(**QUICK["forest"]), seed=0).fit(poor)
    assert "tags" not in model.feature_builder.columns
    assert "friends" not in model.feature_builder.columns
    assert "tag_knn" not in model.feature_builder.generator.sources
    top = model.score(np.arange(N_USERS)).argmax(axis=1)
    assert (top // BLOCK == np.arange(N_USERS) % 4).mean() > 0.9
