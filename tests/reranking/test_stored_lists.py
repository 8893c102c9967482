import dataclasses

import numpy as np
import pytest

from common.evaluation.task import Task
from common.experiments.run import Run
from common.models.knn.item_knn import ItemKNN
from common.reranking import stored_lists
from common.reranking.item_facts import Reranking
from common.reranking.stored_lists import StoredLists, reordered, write_run
from common.splits.train_view import load_train_view
from common.utils.errors import UserError
from tests.runs import finish, rewrite

FIELDS = ("items", "scores", "target_scores", "target_ranks", "target_ranks_sampled")


@pytest.fixture
def run(small_settings) -> Run:
    """A finished run without test results."""
    [made] = finish(dataclasses.replace(small_settings, phase="select"), [ItemKNN])
    return made


def test_lists_as_they_are_have_the_metrics_that_the_run_wrote(run, small_data):
    lists = StoredLists(run, small_data)
    assert list(lists.results) == ["valid"]
    written, found = run.results("valid").metrics, lists.metrics(Reranking())
    for key in ("ndcg_10", "hr_10_sampled99", "coverage_10", "novelty_10"):
        assert found[key] == pytest.approx(written[key])
    assert lists.metrics(Reranking(novelty=4.0))["novelty_10"] > found["novelty_10"]


def test_reranked_lists_are_a_run_beside_the_models_own(run, small_data, small_settings, monkeypatch):
    monkeypatch.setattr(stored_lists, "draw_accuracy", lambda *_: None)
    settings = Reranking(novelty=1.0)
    write_run(StoredLists(run, small_data), "novelty", "tuned", settings, "disabled", small_settings.output_dir)
    made = Run(run.split_folder / "item_knn+novelty" / "tuned" / "seed0")
    assert made.parts == ["valid"]
    assert made.config()["settings"]["reranking"] == {"places": stored_lists.PLACES, "novelty": 1.0}
    metrics, before = made.results("valid").metrics, run.results("valid").metrics
    assert metrics["rerank_ms_per_user"] > 0
    assert metrics["recommend_ms_per_user"] > before["recommend_ms_per_user"]
    assert metrics["fit_seconds"] == before["fit_seconds"]
    with pytest.raises(UserError, match="is re-ranked already; name the run of item_knn"):
        StoredLists(made, small_data)


def test_a_run_on_other_data_is_refused(run, small_data):
    rewrite(run.folder / "config.json", data_sha256="other")
    with pytest.raises(UserError, match="is on other data than"):
        StoredLists(run, small_data)


@pytest.fixture(scope="module", params=["listen", "newcomer"])
def judged(request, small_data):
    """A scorer, a model's scores of every evaluated row, and the ranking they give."""
    train = load_train_view(small_data, request.param, "select")
    evaluator = Task(small_data, request.param).valid
    scores = ItemKNN().fit(train).fold_in(evaluator.given)
    scores = scores + np.random.default_rng(0).random(scores.shape).astype(np.float32)
    return evaluator, scores, evaluator.rank_scores(lambda rows: scores[rows])


def shuffled(items, scores, seed=3):
    """Every list's first 60 items in another order, the rest as it was."""
    rng = np.random.default_rng(seed)
    order = np.tile(np.arange(items.shape[1]), (len(items), 1))
    for row, found in enumerate((items >= 0).sum(axis=1)):
        head = min(60, found)
        order[row, :head] = rng.permutation(head)
    return np.take_along_axis(items, order, axis=1), np.take_along_axis(scores, order, axis=1)


def thinned(items, scores):
    """Every third item of each list left out, the rest moved up."""
    out = np.arange(items.shape[1]) % 3 == 1
    order = np.argsort(out, kind="stable")
    left, kept = items[:, order], ~out[order]
    return np.where(kept, left, -1), np.where(kept, scores[:, order], np.nan)


def test_tables_give_back_the_ranking(judged):
    evaluator, _, ranking = judged
    evaluation = evaluator.evaluate_ranking(ranking)
    again = evaluator.ranking_of(evaluation.recommendations, evaluation.targets)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(again, name), getattr(ranking, name), name)


def test_another_order_ranks_as_scores_in_that_order_would(judged):
    evaluator, scores, ranking = judged
    found = reordered(evaluator, ranking, *shuffled(ranking.items, ranking.scores))
    items, _ = shuffled(ranking.items, ranking.scores)
    forced = scores.copy()
    rows, places = np.nonzero(items >= 0)
    forced[rows, items[rows, places]] = 1000 - places
    exact = evaluator.rank_scores(lambda rows: forced[rows])
    for name in ("items", "target_ranks", "target_ranks_sampled"):
        np.testing.assert_array_equal(getattr(found, name), getattr(exact, name), name)
    assert (found.target_ranks != ranking.target_ranks).any()


def test_what_is_left_out_comes_last(judged):
    evaluator, scores, ranking = judged
    found = reordered(evaluator, ranking, *thinned(ranking.items, ranking.scores))
    items, _ = thinned(ranking.items, ranking.scores)
    forced = scores.copy()
    for row in range(len(items)):
        gone = np.setdiff1d(ranking.items[row], items[row])
        forced[row, gone[gone >= 0]] -= 1000
    exact = evaluator.rank_scores(lambda rows: forced[rows])
    np.testing.assert_array_equal(found.target_ranks_sampled, exact.target_ranks_sampled)
    rows, targets = evaluator.holdout.target_rows, evaluator.holdout.target_items
    listed, was_listed = ((lists[rows] == targets[:, None]).any(axis=1) for lists in (items, ranking.items))
    assert (found.target_ranks[listed] == exact.target_ranks[listed]).all()
    assert (found.target_ranks[~was_listed] == ranking.target_ranks[~was_listed]).all()
    outside = evaluator.train.n_items - evaluator.given.lengths[rows]
    gone = was_listed & ~listed
    assert gone.any()
    assert (found.target_ranks[gone] == outside[gone]).all()


def test_the_same_order_gives_the_same_metrics(judged):
    evaluator, _, ranking = judged
    same = evaluator.evaluate_ranking(reordered(evaluator, ranking, ranking.items, ranking.scores))
    assert same.metrics == evaluator.evaluate_ranking(ranking).metrics


def test_another_runs_targets_are_refused(judged):
    evaluator, _, ranking = judged
    evaluation = evaluator.evaluate_ranking(ranking)
    with pytest.raises(UserError, match="names other held-out pairs"):
        evaluator.ranking_of(evaluation.recommendations, evaluation.targets.iloc[::-1])
    with pytest.raises(UserError, match="names other held-out pairs"):
        evaluator.ranking_of(evaluation.recommendations, evaluation.targets.iloc[1:])
