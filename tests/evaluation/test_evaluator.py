"""What an evaluator makes of a model, beside the metrics themselves."""

import numpy as np
import pytest

from common.evaluation.evaluator import Evaluator
from common.evaluation.task import Task
from common.models.baselines import Popularity
from common.models.knn.item_knn import ItemKNN


@pytest.fixture(scope="module")
def valid(small_data) -> Evaluator:
    return Task(small_data, "listen").valid


@pytest.fixture(scope="module")
def model(valid) -> ItemKNN:
    return ItemKNN().fit(valid.train)


def test_called_with_a_model_it_is_the_mean_ndcg(valid, model):
    evaluation = valid.evaluate(model)
    assert valid(model) == evaluation.metrics["ndcg_10"] == evaluation.per_user["ndcg_10"].mean()
    assert valid(model) != valid(Popularity().fit(valid.train))


def test_an_evaluation_names_its_part_and_what_ranking_took(valid, model, monkeypatch):
    evaluation = valid.evaluate(model)
    assert evaluation.part == "valid"
    assert evaluation.costs["recommend_ms_per_user"] > 0
    moments = iter([1.0, 1.5])
    monkeypatch.setattr("common.evaluation.evaluator.time.perf_counter", lambda: next(moments))
    assert valid.evaluate(model).costs == {"recommend_ms_per_user": pytest.approx(500 / len(valid.users))}


def test_a_ranking_evaluated_is_the_model_evaluated(valid, model):
    one, other = valid.evaluate(model), valid.evaluate_ranking(valid.rank(model))
    assert one.metrics == other.metrics
    assert other.costs == {}


def test_some_rows_keep_their_own_values(valid, model):
    rows = np.array([1, 4, 5, 11])
    subset = valid.of_rows(rows)
    assert subset.users.tolist() == valid.users[rows].tolist()
    np.testing.assert_array_equal(subset.ndcg_per_row(subset.rank(model)), valid.ndcg_per_row(valid.rank(model))[rows])
    assert subset.n_targets == sum(len(valid.targets_of(np.array([row]))[1]) for row in rows)
    assert len(valid.sample(7, seed=1).users) == 7


def test_scores_of_held_out_items_stand_apart_from_all_others(valid, model):
    found, others = valid.sample_scores(model, rows=5)
    subset = valid.sample(5)
    scores = model.fold_in(subset.given)
    expected = scores[subset.holdout.target_rows, subset.holdout.target_items]
    np.testing.assert_array_equal(np.sort(found), np.sort(expected))
    assert len(found) + len(others) == scores.size - subset.given.lengths.sum()


def test_plays_are_predicted_where_a_model_can(valid):
    class Predicts(Popularity):
        def predict_plays(self, users, items):
            return (users + items).astype(np.float32)

    assert valid.predict_plays(Popularity().fit(valid.train)) is None
    evaluation = valid.evaluate(Predicts().fit(valid.train))
    codes = valid.query.users[valid.holdout.target_rows]
    expected = np.where(codes >= 0, codes + valid.holdout.target_items, np.nan)
    np.testing.assert_array_equal(evaluation.targets["predicted_log_plays"], expected)
    assert {"plays_rmse", "plays_reference_rmse"} <= set(evaluation.metrics)
