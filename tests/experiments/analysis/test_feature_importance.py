"""Recall of candidates, and what single features and groups of them are worth."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from common.evaluation.evaluator import Evaluator
from common.experiments.analysis import feature_importance as study
from common.experiments.experiment import Experiment
from common.models import Forest
from common.models.linear.als import ALSSettings
from common.models.two_stage.forest import ForestSettings

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


def test_permuted_columns_stay_together_and_the_rest_stays():
    features = np.arange(30.0).reshape(10, 3)
    permuted = study.with_permuted(features, [0, 2], np.random.default_rng(0))
    np.testing.assert_array_equal(permuted[:, 1], features[:, 1])
    assert (permuted[:, 2] - permuted[:, 0] == 2).all()
    assert (permuted[:, 0] != features[:, 0]).any()
