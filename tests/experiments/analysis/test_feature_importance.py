"""Recall of candidates, and what single features and groups of them are worth."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from sklearn import inspection
from sklearn.ensemble import RandomForestRegressor

from common.evaluation.evaluator import Evaluator
from common.experiments.analysis import feature_importance as study
from common.experiments.experiment import Experiment
from common.models import Forest
from common.models.linear.als import ALSSettings
from common.models.two_stage.forest import ForestSettings
from common.models.two_stage.tree_ranker import fit_trees

SETTINGS = ForestSettings(top=20, trees=10, als=ALSSettings(factors=8, iterations=4, regularisation=1.0))


@pytest.fixture
def experiment(small_settings) -> Experiment:
    return Experiment(dataclasses.replace(small_settings, phase="select"), "3_random_forest_rank")


@pytest.fixture
def model(experiment) -> Forest:
    return Forest(SETTINGS, seed=0).fit(experiment.train, context=experiment.context())


def test_the_study_orders_as_the_model_does(experiment, model):
    evaluator = experiment.valid
    order = study.Order(model, evaluator)
    of_candidates = model.ranker.order(order.pool)
    np.testing.assert_array_equal(order.ndcg(of_candidates), evaluator.ndcg_per_row(evaluator.rank(model)))
    assert order.ndcg(-of_candidates).mean() < order.ndcg(of_candidates).mean()


def test_a_sample_of_an_evaluator_scores_its_users_as_the_whole_does(experiment, model):
    evaluator = experiment.valid
    whole, part = evaluator.ndcg_per_row(evaluator.rank(model)), evaluator.sample(20, seed=1)
    assert len(part.query) == 20
    rows = np.searchsorted(evaluator.holdout.users.astype(str), part.holdout.users.astype(str))
    np.testing.assert_array_equal(part.ndcg_per_row(part.rank(model)), whole[rows])
    assert set(part.evaluate(model).metrics) <= set(evaluator.evaluate(model).metrics)


def test_candidate_ranks_are_those_of_the_sources_own_lists(experiment, model):
    evaluator: Evaluator = experiment.valid
    ranks = study.candidate_ranks(model.feature_builder.generator, evaluator)
    assert len(ranks) == len(evaluator.holdout.target_rows)
    full = evaluator.rank(model.feature_builder.generator.sources["ease"]).target_ranks
    np.testing.assert_allclose(ranks["ease"], full, atol=6)  # the evaluator orders equal scores by a hash
    assert (ranks["ease"] == full).mean() > 0.9
    recall = study.recall_by_length(ranks)
    assert (recall["all"] >= recall["ease"]).all()
    assert recall.loc[20, "ease"] == (full <= 20).mean()
    table: Any = study.recall_table(ranks, 20).set_index("source")
    assert table.loc["all", "found"] == pytest.approx(recall.loc[20, "all"])
    pool = study.Order(model, evaluator).pool
    n_items = model.feature_builder.generator.n_items
    held_out = evaluator.holdout.target_rows * n_items + evaluator.holdout.target_items
    found = np.isin(held_out, pool.rows * n_items + pool.items).mean()
    assert table.loc["all", "found"] == pytest.approx(found)


def test_importance_finds_the_feature_that_decides(experiment, model):
    column = model.feature_builder.names.index("ease_score")
    data = model.training_data
    labels = data.candidate_features[:, column] > np.nanmedian(data.candidate_features[:, column])
    model.ranker.trees = model.ranker.learn(data.candidate_features, labels)
    table: Any = study.importances(model, experiment.valid).set_index("name")
    singles = table[table["group"] != "group"]
    assert singles["impurity"].idxmax() == "ease_score"
    assert singles["impurity"].sum() == pytest.approx(1)
    assert table.loc["sources", "loss"] > table.loc["people", "loss"]
    assert table.loc["sources", "low"] <= table.loc["sources", "loss"] <= table.loc["sources", "high"]
    assert singles["loss"].notna().sum() == study.STRONGEST
    drawn = study.partial_dependences(model, experiment.valid, ["ease_score"])
    values, scores = drawn["ease_score"]
    assert (np.diff(values) > 0).all()
    assert scores[-1] > scores[0] + 0.3


@pytest.mark.parametrize("spread", [3, 100])
def test_partial_dependence_is_that_of_scikit_learn(spread):
    rng = np.random.default_rng(0)
    features = rng.integers(0, spread, (200, 4)).astype(np.float32)
    trees = fit_trees(RandomForestRegressor(10, random_state=0), features, features[:, 1] * features[:, 2], None)
    values, means = study.partial_dependence(trees, features[:150], 1)
    theirs = inspection.partial_dependence(
        trees.estimator, features[:150], [1], method="brute", kind="average", grid_resolution=study.GRID
    )
    np.testing.assert_allclose(values, theirs["grid_values"][0], rtol=1e-6)
    np.testing.assert_allclose(means, theirs["average"][0], rtol=1e-5)


def test_a_feature_that_is_nearly_always_the_same_still_has_a_dependence():
    features = np.zeros((1000, 2), np.float32)
    features[:40, 0] = np.arange(1, 41)
    trees = fit_trees(RandomForestRegressor(5, random_state=0), features, features[:, 0], None)
    values, means = study.partial_dependence(trees, features, 0)
    assert (values[0], values[-1]) == (0, 40)
    assert means[-1] > means[0]


def test_permuted_columns_stay_together_and_the_rest_stays():
    features = np.arange(30.0).reshape(10, 3)
    permuted = study.with_permuted(features, [0, 2], np.random.default_rng(0))
    np.testing.assert_array_equal(permuted[:, 1], features[:, 1])
    assert (permuted[:, 2] - permuted[:, 0] == 2).all()
    assert (permuted[:, 0] != features[:, 0]).any()
