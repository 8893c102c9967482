import dataclasses
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.evaluation import metrics
from common.features.content_vectors import mix_of, shares
from common.reranking.item_facts import Reranking, item_facts
from common.reranking.rerank import batches, reorder, rerank, rerank_candidates
from common.splits.histories import Histories
from common.splits.train_view import load_train_view
from common.utils.errors import UserError
from tests.reranking.cases import JAZZ, NONE, ROCK, facts_of, naive, one, random_case

DAY = 86_400


def test_without_settings_the_order_stays_and_ties_go_by_the_hash():
    facts, items, scores, histories = random_case()
    found, values = rerank_candidates(items, scores, histories, facts, Reranking(), k=15)
    for user in range(len(items)):
        real = items[user] >= 0
        expected = items[user][real][np.argsort(-scores[user][real])]
        assert found[user][: real.sum()].tolist() == expected.tolist()
        assert values[user][: real.sum()].tolist() == sorted(scores[user][real], reverse=True)
    equal = facts_of([ROCK] * 4, places=np.array([2, 0, 3, 1]))
    assert one(equal, [1.0] * 4, Reranking(diversity=0.5)) == [1, 3, 0, 2]


def test_more_weight_gives_more_of_what_it_is_for():
    facts, items, scores, histories = random_case(users=40, candidates=30, n_items=300)
    vectors, mixes = facts.vectors["genre"], shares(facts.vectors["genre"])
    measures = {
        "diversity": lambda lists: -metrics.intra_list_similarity(lists, vectors, 10),
        "calibration": lambda lists: -metrics.calibration_error(lists, mixes, mix_of(histories, mixes), 10),
        "novelty": lambda lists: metrics.novelty(lists, facts.popularity, facts.n_users, 10),
        "unpopularity": lambda lists: -metrics.mean_of_list(facts.popularity, lists, 10),
    }
    for name, measure in measures.items():
        given = []
        for weight in (0.0, 0.3, 0.9):
            weighed: dict[str, Any] = {name: weight}
            lists, _ = rerank_candidates(items, scores, histories, facts, Reranking(**weighed), k=10)
            given.append(np.nanmean(measure(lists)))
        assert given[0] < given[1] < given[2], name


def test_what_filters_name_is_left_out():
    facts = facts_of(
        [ROCK] * 6, explicit=np.array([1, 0, 0, 0, 1, 0], bool), groups=np.array([7, 7, 2, 3, 2, 5]), now=9 * DAY
    )
    falling = [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]
    assert one(facts, falling, Reranking(no_explicit=True)) == [1, 2, 3, 5]
    assert one(facts, falling, Reranking(one_version=True)) == [0, 2, 3, 5]
    assert one(facts, falling, Reranking(one_version=True, no_explicit=True)) == [1, 2, 3, 5], "the clean version stays"
    assert one(facts, falling, Reranking(recent_items=1), history=[0, 4]) == [0, 1, 3, 5], (
        "the work, not the item alone"
    )
    assert one(facts, falling, Reranking(recent_items=9), history=[0, 4]) == [3, 5]
    times = np.array([1, 8], np.int64) * DAY
    history = dataclasses.replace(Histories.from_lists([[0, 4]], 6), timestamps=times)
    found, _ = rerank_candidates(np.arange(6), np.array(falling), history, facts, Reranking(recent_days=2), k=4)
    assert found.tolist() == [0, 1, 3, 5]


def test_all_at_once():
    facts, items, scores, histories = random_case(users=20, candidates=30)
    facts = dataclasses.replace(facts, explicit=np.arange(60) % 5 == 0, groups=np.arange(60) // 2)
    wishes: dict[str, Any] = {
        "diversity": 0.2,
        "calibration": 0.2,
        "novelty": 0.3,
        "unpopularity": 0.1,
        "per_artist": 2,
        "per_genre": 4,
    }
    settings = Reranking(**wishes, balance=True, no_explicit=True, one_version=True, recent_items=2)
    lists, values = rerank_candidates(items, scores, histories, facts, settings, k=10)
    for user, found in enumerate(lists):
        found = found[found >= 0]
        assert not facts.explicit[found].any()
        assert len(np.unique(found // 2)) == len(found)
        assert not np.isin(found // 2, histories[user][-2:] // 2).any()
        assert set(found) <= set(items[user])
    assert ((lists >= 0) == np.isfinite(values)).all()


def test_below_the_chosen_nothing_moves():
    facts, items, scores, histories = random_case()
    settings = Reranking(diversity=0.5, per_artist=1)
    chosen, _ = rerank_candidates(items, scores, histories, facts, settings, k=5)
    everything, values = reorder(items, scores, histories, facts, settings, k=5)
    plain, _ = rerank_candidates(items, scores, histories, facts, Reranking(), k=items.shape[1])
    assert everything.shape == items.shape
    for user in range(len(items)):
        top = [item for item in chosen[user] if item >= 0]
        rest = [item for item in plain[user] if item >= 0 and item not in top]
        assert [item for item in everything[user] if item >= 0] == top + rest
    of_item = dict(zip(items[2].tolist(), scores[2].tolist(), strict=True))
    assert [of_item[item] for item in everything[2].tolist()] == values[2].tolist()


def test_one_user_is_answered_as_among_many():
    facts, items, scores, histories = random_case(users=40)
    settings = Reranking(diversity=0.3, calibration=0.2, balance=True)
    many, _ = rerank_candidates(items, scores, histories, facts, settings, k=7)
    for user in (0, 1, 39):
        alone, values = rerank_candidates(items[user], scores[user], [histories[user].tolist()], facts, settings, k=7)
        assert alone.shape == values.shape == (7,)
        assert alone.tolist() == many[user].tolist()


@pytest.mark.parametrize("wishes", [{}, {"diversity": 0.3}, {"calibration": 0.5}, {"balance": True}, {"per_genre": 1}])
def test_nothing_to_choose_from(wishes):
    facts, settings = facts_of([NONE, NONE, ROCK]), Reranking(**wishes)
    assert one(facts, [], settings, items=[], k=3) == []
    assert rerank_candidates(np.zeros((0, 5)), np.zeros((0, 5)), [], facts, settings, k=3)[0].shape == (0, 3)
    assert one(facts, [np.nan, np.nan], settings, items=[-1, -1], history=[0]) == []
    assert one(facts, [2.0, 1.0], settings, history=[0], k=50) == [0, 1]  # no features: the order stays
    assert one(facts, [2.0, 2.0, 2.0], settings, history=[0], k=50)[:2] == [0, 1]


def test_the_batches_change_nothing(monkeypatch):
    facts, items, scores, histories = random_case(users=70, candidates=20)
    settings = Reranking(diversity=0.3, calibration=0.2, balance=True)
    whole, _ = rerank_candidates(items, scores, histories, facts, settings)
    monkeypatch.setattr("common.reranking.rerank.ITEMS_AT_ONCE", 50)
    assert [len(rows) for rows in batches(items)] == [16, 16, 16, 16, 6]
    assert (rerank_candidates(items, scores, histories, facts, settings)[0] == whole).all()


def test_a_history_without_times_has_no_recent_days():
    with pytest.raises(UserError, match="use recent_items"):
        one(facts_of([ROCK], now=5), [1.0], Reranking(recent_days=1.0))
    with pytest.raises(UserError, match="k = 0: give a whole number"):
        one(facts_of([ROCK]), [1.0], Reranking(), k=0)


@pytest.mark.parametrize(
    ("items", "scores", "histories"),
    [([0, 9], [1.0, 2.0], [[]]), ([0, 1], [1.0, np.inf], [[]]), ([0, 1], [1.0], [[]]), ([0, 1], [1.0, 2.0], [[], []])],
)
def test_arrays_that_do_not_fit_are_refused(items, scores, histories):
    with pytest.raises(ValueError, match=r"item codes|finite|do not match"):
        rerank_candidates(np.array(items), np.array(scores), histories, facts_of([ROCK, JAZZ]), Reranking())


def test_faster_than_a_loop():
    facts, items, scores, histories = random_case(users=120, candidates=100, n_items=900, genres=8)
    settings = Reranking(diversity=0.3, calibration=0.2)
    start = time.process_time()
    rerank_candidates(items, scores, histories, facts, settings, k=10)
    ours = time.process_time() - start
    start = time.process_time()
    for user in range(2, 5):
        naive(items[user], scores[user], histories[user], facts, settings, 10)
    loop = (time.process_time() - start) * len(items) / 3
    assert loop > 10 * ours


# Tables


@pytest.fixture(scope="module")
def table(small_data):
    """A train view, and 30 recommendations of three of its users by popularity."""
    train = load_train_view(small_data, "listen", "select")
    best = np.argsort(-train.counts, kind="stable")[:30]
    rows = [
        (user, rank, train.items["item_id"][item], train.items["name"][item], float(train.counts[item]))
        for user in train.users["user_id"][[7, 3, 5]]
        for rank, item in enumerate(best, start=1)
    ]
    return train, pd.DataFrame(rows, columns=["user_id", "rank", "item_id", "name", "score"]).astype({"rank": "int32"})


def test_a_table_comes_back_in_another_order(table):
    train, recommendations = table
    found = rerank(recommendations, train, mmr=0.5)
    assert found.columns.tolist() == recommendations.columns.tolist()
    assert found.dtypes.tolist() == recommendations.dtypes.tolist()
    assert found["user_id"].unique().tolist() == recommendations["user_id"].unique().tolist()
    by_item = recommendations.set_index(["user_id", "item_id"])[["name", "score"]]
    pd.testing.assert_frame_equal(
        found.set_index(["user_id", "item_id"])[["name", "score"]],
        by_item.loc[pd.MultiIndex.from_frame(found[["user_id", "item_id"]])],
    )
    for _, own in found.groupby("user_id"):
        assert own["rank"].tolist() == list(range(1, 31))
    assert found["item_id"].tolist() != recommendations["item_id"].tolist()


def test_a_table_is_reranked_as_arrays_are(table):
    train, recommendations = table
    users = np.array([7, 3, 5])
    index = pd.Index(train.items["item_id"])
    items = index.get_indexer(pd.Index(recommendations["item_id"])).reshape(3, 30)
    scores = recommendations["score"].to_numpy().reshape(3, 30)
    wishes = Reranking(calibration=0.5, per_artist=2)
    expected, _ = rerank_candidates(items, scores, train.histories.take(users), item_facts(train), wishes, 10)
    found = rerank(recommendations, train, k=10, calibration=0.5, per_artist=2)
    assert index.get_indexer(pd.Index(found["item_id"])).tolist() == expected[expected >= 0].tolist()


def test_without_settings_a_table_stays_as_it_is_and_users_may_have_lists_of_different_length(table):
    train, recommendations = table
    ordered = recommendations.drop_duplicates(["user_id", "score"])  # ties go by the hash
    pd.testing.assert_frame_equal(
        rerank(ordered, train)["item_id"].to_frame(), ordered[["item_id"]].reset_index(drop=True)
    )
    uneven = ordered.drop(index=ordered.index[:4])
    assert rerank(uneven, train).groupby("user_id").size().to_dict() == uneven.groupby("user_id").size().to_dict()
    assert rerank(ordered.head(0), train).empty


def test_users_outside_the_view_have_no_history_or_the_one_that_is_given(table):
    train, recommendations = table
    new = recommendations.head(30).assign(user_id="somebody new")
    pd.testing.assert_series_equal(rerank(new, train, calibration=0.9)["item_id"], rerank(new, train)["item_id"])
    given = train.histories.take(np.array([7]))
    known = rerank(recommendations.head(30), train, calibration=0.9)["item_id"]
    pd.testing.assert_series_equal(rerank(new, train, calibration=0.9, histories=given)["item_id"], known)


def test_mistakes_in_a_table_are_one_sentence(table):
    train, recommendations = table
    with pytest.raises(UserError, match="unknown setting of rerank 'divers': did you mean 'diversity'"):
        rerank(recommendations, train, divers=0.3)
    with pytest.raises(UserError, match="item 'none' of the recommendations is not in the train view"):
        rerank(recommendations.assign(item_id="none"), train, mmr=0.3)
    with pytest.raises(UserError, match="k = 0: give a whole number"):
        rerank(recommendations, train, k=0, mmr=0.3)
