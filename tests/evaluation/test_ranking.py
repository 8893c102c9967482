"""The order of scores, against slow and independent implementations."""

import numpy as np
import pytest

from common.evaluation import ranking
from common.evaluation.ranking import rank
from common.models.top_items import DEPTH, tie_places, top_items
from common.splits.histories import Histories
from common.splits.holdout import Holdout
from tests.models.test_top_items import hash_of, item_ids, tied_scores


def slow_order(scores, ids, masked):
    """All items outside the history by (-score, hash of the id), with Python's own sort."""
    free = [i for i in range(len(ids)) if i not in set(masked)]
    return sorted(free, key=lambda i: (-float(scores[i]), hash_of(ids[i])))


def make_hidden(n_users, n_items, rng, history=5, targets=3, negatives=9):
    """Random users, each with a history, hidden items outside it and negatives outside both."""
    given, target_rows, target_items, sampled = [], [], [], []
    for user in range(n_users):
        drawn = rng.permutation(n_items)
        given.append(drawn[: rng.integers(history + 1)])
        wanted = np.sort(drawn[history : history + targets])
        target_rows += [user] * len(wanted)
        target_items += list(wanted)
        sampled += [rng.choice(drawn[history + targets :], negatives, replace=False) for _ in wanted]
    return Holdout(
        part="test",
        users=np.array([f"u{u:04d}" for u in range(n_users)], object),
        codes=np.arange(n_users),
        given=Histories.from_lists(given, n_items),
        n_given=None,
        target_rows=np.array(target_rows),
        target_items=np.array(target_items),
        negatives=np.array(sampled),
    )


@pytest.mark.parametrize(("seed", "n_items"), [(0, 30), (1, 120), (2, 250)])
@pytest.mark.parametrize("tied", [True, False])
def test_lists_and_ranks_are_those_of_a_slow_sort(seed, n_items, tied):
    rng = np.random.default_rng(seed)
    hidden = make_hidden(25, n_items, rng)
    shape = (25, n_items)
    scores = tied_scores(shape, rng) if tied else rng.normal(size=shape).astype(np.float32)
    ids = item_ids(n_items)
    result = rank(lambda rows: scores[rows], hidden, tie_places(ids))
    orders = [slow_order(scores[u], ids, hidden.given[u]) for u in range(25)]
    for user, order in enumerate(orders):
        depth = min(DEPTH, len(order))
        assert result.items[user].tolist() == order[:depth] + [-1] * (DEPTH - depth)
        np.testing.assert_array_equal(result.scores[user, :depth], scores[user, order[:depth]])
        assert np.isnan(result.scores[user, depth:]).all()
    for target, (user, item) in enumerate(zip(hidden.target_rows, hidden.target_items, strict=True)):
        place = orders[user].index(item)
        ahead = set(orders[user][:place])
        assert result.target_ranks[target] == place + 1
        assert result.target_ranks_sampled[target] == 1 + sum(n in ahead for n in hidden.negatives[target])
        assert result.target_scores[target] == scores[user, item]
    assert result.items.dtype == np.int32
    assert result.scores.dtype == np.float32


def test_sampled_ranks_by_hand():
    """One hidden item with score 5 among its own negatives; -1 pads a short list of them."""
    hidden = Holdout(
        part="test",
        users=np.array(["u"], object),
        codes=np.array([0]),
        given=Histories.from_lists([[0]], 8),
        n_given=None,
        target_rows=np.array([0, 0]),
        target_items=np.array([3, 6]),
        negatives=np.array([[1, 2, 4], [5, 7, -1]]),
    )
    scores = np.array([[9, 8, 4, 5, 6, 1, 0, 2]], np.float32)
    result = rank(lambda rows: scores[rows], hidden, tie_places(item_ids(8)))
    assert result.target_ranks_sampled.tolist() == [3, 3]  # 1 and 4 stand before 3; 5 and 7 before 6
    assert result.target_ranks.tolist() == [3, 7]  # item 0 is history and stands before nobody


def test_a_sampled_tie_is_decided_by_the_hash():
    ids = item_ids(3)
    first, second = sorted([1, 2], key=lambda i: hash_of(ids[i]))
    for target, other, expected in ((first, second, 1), (second, first, 2)):
        hidden = Holdout(
            part="test",
            users=np.array(["u"], object),
            codes=np.array([0]),
            given=Histories.from_lists([[]], 3),
            n_given=None,
            target_rows=np.array([0]),
            target_items=np.array([target]),
            negatives=np.array([[other]]),
        )
        result = rank(lambda rows: np.zeros((1, 3), np.float32), hidden, tie_places(ids))
        assert result.target_ranks_sampled.tolist() == [expected]


def test_constant_scores_do_not_follow_ids():
    """A model that gives every item the same score must not profit from low ids, which are the popular ones."""
    n_users, n_items = 300, 2000
    targets = np.arange(100)  # everybody's hidden items are among the 100 lowest ids
    hidden = Holdout(
        part="test",
        users=item_ids(n_users),
        codes=np.arange(n_users),
        given=Histories.from_lists([[]] * n_users, n_items),
        n_given=None,
        target_rows=np.repeat(np.arange(n_users), 100),
        target_items=np.tile(targets, n_users),
        negatives=np.full((n_users * 100, 1), n_items - 1),
    )
    result = rank(lambda rows: np.ones((len(rows), n_items), np.float32), hidden, tie_places(item_ids(n_items)))
    spread = n_items / np.sqrt(12 * len(targets))  # standard deviation of the mean of 100 uniform ranks
    assert abs(result.target_ranks.mean() - (n_items + 1) / 2) < 4 * spread
    assert abs(np.corrcoef(targets, result.target_ranks[:100])[0, 1]) < 0.4


def test_ties_go_with_the_id_whatever_the_code():
    """The same items in another order of rows: every list names the same ids."""
    rng = np.random.default_rng(5)
    ids, scores = item_ids(150), tied_scores((10, 150), rng)
    nobody = Histories.from_lists([[]] * 10, 150)
    items, _ = top_items(scores, nobody, tie_places(ids))
    shuffle = rng.permutation(150)
    moved, _ = top_items(scores[:, shuffle], nobody, tie_places(ids[shuffle]))
    np.testing.assert_array_equal(ids[items], ids[shuffle][moved])


@pytest.mark.parametrize(("rows_per_batch", "threads"), [(1, 1), (3, 2), (7, 4)])
def test_batches_and_threads_do_not_matter(monkeypatch, rows_per_batch, threads):
    rng = np.random.default_rng(7)
    hidden, scores, places = make_hidden(30, 130, rng), tied_scores((30, 130), rng), tie_places(item_ids(130))
    whole = rank(lambda rows: scores[rows], hidden, places, threads=1)
    monkeypatch.setattr(ranking, "BATCH_BYTES", 8 * 130 * rows_per_batch)
    sizes = []

    def score(rows):
        sizes.append(len(rows))
        return scores[rows]

    parts = rank(score, hidden, places, threads=threads)
    assert max(sizes) == rows_per_batch
    for field in ("items", "scores", "target_scores", "target_ranks", "target_ranks_sampled"):
        np.testing.assert_array_equal(getattr(whole, field), getattr(parts, field))


# Broken models


def test_a_broken_model_ends_the_ranking():
    hidden = make_hidden(5, 50, np.random.default_rng(8))
    with pytest.raises(ValueError, match="finite"):
        rank(lambda rows: np.full((len(rows), 50), np.nan, np.float32), hidden, np.arange(50))
