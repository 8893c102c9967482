"""Every metric against values worked out by hand, and against independent implementations."""

from math import log2

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import ndcg_score

from common.evaluation import metrics

# One row per user, the best place first. T is the number of hidden items.
#            hits at places   T
USERS = [
    ([1, 0, 1, 0, 0], 2),  # both found
    ([0, 1, 0, 0, 1], 5),  # two of five
    ([0, 0, 0, 0, 0], 3),  # nothing
    ([0, 0, 0, 1, 0], 1),  # the only one, late
    ([1, 1, 1, 1, 1], 7),  # more hidden than places
]
HITS = np.array([hits for hits, _ in USERS], bool)
N_HIDDEN = np.array([n for _, n in USERS])

# The discounts 1 / log2(rank + 1) of ranks 1..5.
D1, D2, D3, D4, D5 = 1.0, 1 / log2(3), 1 / 2, 1 / log2(5), 1 / log2(6)

BY_HAND: dict[tuple[str, int], list[float]] = {
    ("hit_rate", 1): [1, 0, 0, 0, 1],
    ("hit_rate", 3): [1, 1, 0, 0, 1],
    ("hit_rate", 5): [1, 1, 0, 1, 1],
    ("precision", 1): [1, 0, 0, 0, 1],
    ("precision", 3): [2 / 3, 1 / 3, 0, 0, 1],
    ("precision", 5): [2 / 5, 2 / 5, 0, 1 / 5, 1],
    ("recall", 1): [1 / 2, 0, 0, 0, 1 / 7],
    ("recall", 3): [1, 1 / 5, 0, 0, 3 / 7],
    ("recall", 5): [1, 2 / 5, 0, 1, 5 / 7],
    ("f1", 1): [2 / 3, 0, 0, 0, 1 / 4],
    ("f1", 3): [4 / 5, 1 / 4, 0, 0, 3 / 5],
    ("f1", 5): [4 / 7, 2 / 5, 0, 1 / 3, 5 / 6],
    ("ndcg", 1): [1, 0, 0, 0, 1],
    ("ndcg", 3): [(D1 + D3) / (D1 + D2), D2 / (D1 + D2 + D3), 0, 0, 1],
    ("ndcg", 5): [(D1 + D3) / (D1 + D2), (D2 + D5) / (D1 + D2 + D3 + D4 + D5), 0, D4 / D1, 1],
    ("reciprocal_rank", 1): [1, 0, 0, 0, 1],
    ("reciprocal_rank", 3): [1, 1 / 2, 0, 0, 1],
    ("reciprocal_rank", 5): [1, 1 / 2, 0, 1 / 4, 1],
    ("average_precision", 1): [1, 0, 0, 0, 1],
    ("average_precision", 3): [(1 + 2 / 3) / 2, (1 / 2) / 3, 0, 0, 1],
    ("average_precision", 5): [(1 + 2 / 3) / 2, (1 / 2 + 2 / 5) / 5, 0, 1 / 4, 1],
}
WITHOUT_TOTAL = ("hit_rate", "precision", "reciprocal_rank")


def accuracy(name, hits, n_hidden, k):
    function = getattr(metrics, name)
    return function(hits, k) if name in WITHOUT_TOTAL else function(hits, n_hidden, k)


@pytest.mark.parametrize(("name", "k"), BY_HAND)
def test_accuracy_by_hand(name, k):
    np.testing.assert_allclose(accuracy(name, HITS, N_HIDDEN, k), BY_HAND[name, k], rtol=1e-15)


@pytest.mark.parametrize("name", sorted({name for name, _ in BY_HAND}))
def test_accuracy_ends(name):
    """Finding everything first is 1 as far as the metric allows, finding nothing is 0, and all lies between."""
    nothing, all_three = np.zeros((1, 5), bool), np.array([[1, 1, 1, 0, 0]], bool)
    assert accuracy(name, nothing, np.array([3]), 5) == [0.0]
    assert accuracy(name, all_three, np.array([3]), 3) == [1.0]
    at_five = {"precision": 3 / 5, "f1": 3 / 4}.get(name, 1.0)
    assert accuracy(name, all_three, np.array([3]), 5) == pytest.approx(at_five)


@pytest.mark.parametrize("k", [1, 3, 10, 20])
def test_ndcg_is_that_of_scikit_learn(k):
    rng = np.random.default_rng(k)
    truth = rng.random((200, 60)) < 0.1
    truth[np.arange(200), rng.integers(60, size=200)] = True
    scores = rng.permuted(np.tile(np.arange(60.0), (200, 1)), axis=1)
    hits = np.take_along_axis(truth, np.argsort(-scores, axis=1), axis=1)
    ours = metrics.ndcg(hits, truth.sum(axis=1), k)
    theirs = [ndcg_score(t[None], s[None], k=k) for t, s in zip(truth, scores, strict=True)]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


# Six items with 7, 3, 1, 1, 0, 0 visible listeners among 7 users: (c + 1) / 8 = 1, 1/2, 1/4, 1/4, 1/8, 1/8.
COUNTS = np.array([7, 3, 1, 1, 0, 0])
SURPRISE = [0, 1, 2, 2, 3, 3]
LISTS = np.array([[0, 1, 2, 4], [5, -1, -1, -1], [-1, -1, -1, -1]])


@pytest.mark.parametrize(("k", "expected"), [(1, [0, 3, np.nan]), (2, [1 / 2, 3, np.nan]), (4, [6 / 4, 3, np.nan])])
def test_novelty_by_hand(k, expected):
    """A list shorter than k is averaged over what it has; an empty one has no novelty."""
    np.testing.assert_allclose(metrics.novelty(LISTS, COUNTS, n_users=7, k=k), expected)


def test_novelty_of_each_item():
    each = np.arange(6)[:, None]
    np.testing.assert_allclose(metrics.novelty(each, COUNTS, n_users=7, k=1), SURPRISE)


@pytest.mark.parametrize(
    ("history_mean", "expected"),
    [
        (11 / 4, 0),  # the list is as popular as the history
        (11 / 8, 1),  # twice as popular
        (11 / 2, -1 / 2),  # half as popular
        (np.nan, np.nan),  # no history
        (0.0, np.nan),  # a history that no visible user shares
    ],
)
def test_popularity_lift_by_hand(history_mean, expected):
    lift = metrics.popularity_lift(LISTS[:1], COUNTS, np.array([history_mean]), k=4)
    np.testing.assert_allclose(lift, [expected])


def test_popularity_lift_of_short_and_empty_lists():
    lift = metrics.popularity_lift(np.array([[1, 2, -1], [-1, -1, -1]]), COUNTS, np.array([1.0, 1.0]), k=3)
    np.testing.assert_allclose(lift, [2 - 1, np.nan])


@pytest.mark.parametrize(
    ("hits", "items", "popular", "k", "expected"),
    [
        ([1, 1, 1], [5, 6, 7], [1, 2, 3], 3, 3 / 3),  # three hits nobody would call obvious
        ([1, 1, 1], [5, 6, 7], [7, 2, 3], 3, 2 / 3),  # item 7 is in the popular list, at whatever place
        ([1, 1, 1], [5, 6, 7], [1, 2, 5], 2, 2 / 2),  # item 5 is popular, but only third: not within k = 2
        ([1, 0, 0], [5, 6, 7], [5, 6, 7], 3, 0),
        ([0, 0, 0], [5, 6, 7], [1, 2, 3], 3, 0),
        ([1, 0, 0], [5, -1, -1], [1, -1, -1], 3, 1 / 3),  # short lists: padding is no item in common
    ],
)
def test_serendipity_by_hand(hits, items, popular, k, expected):
    values = metrics.serendipity(np.array([hits], bool), np.array([items]), np.array([popular]), k)
    np.testing.assert_allclose(values, [expected])


VECTORS = sparse.csr_array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [0.0, 0.0]])


@pytest.mark.parametrize(
    ("items", "k", "expected"),
    [
        ([0, 1], 2, 0.6),
        ([0, 1, 2], 3, (0.6 + 0.0 + 0.8) / 3),
        ([0, 1, 2], 2, 0.6),  # only the first k count
        ([0, 3, 1], 3, 0.6),  # an item without features is left out of the pairs
        ([0, 3], 2, np.nan),  # one item with features makes no pair
        ([3, -1], 2, np.nan),
        ([-1, -1], 2, np.nan),
        ([0, 1, -1], 3, 0.6),  # a short list
        ([0], 1, np.nan),
    ],
)
def test_intra_list_similarity_by_hand(items, k, expected):
    np.testing.assert_allclose(metrics.intra_list_similarity(np.array([items]), VECTORS, k), [expected])


def test_a_stored_zero_is_no_feature():
    """Items 0 and 1 are alike; item 2 has a tag of weight 0, which says nothing about it."""
    vectors = sparse.csr_array(([1.0, 1.0, 0.0], ([0, 1, 2], [0, 0, 0])), shape=(3, 1))
    assert vectors.nnz == 3
    lists = np.array([[0, 1, 2]])
    np.testing.assert_allclose(metrics.intra_list_similarity(lists, vectors, 3), [1.0])
    np.testing.assert_allclose(metrics.featured_share(lists, vectors, 3), [2 / 3])


def test_intra_list_similarity_of_alike_items_is_one():
    same = sparse.csr_array(np.tile([0.6, 0.8], (5, 1)))
    np.testing.assert_allclose(metrics.intra_list_similarity(np.array([[0, 1, 2, 3, 4]]), same, 5), [1.0])


@pytest.mark.parametrize("k", [2, 5, 20])
def test_intra_list_similarity_is_the_mean_over_pairs(k):
    """The sum-of-vectors formula against the double loop over all pairs."""
    rng = np.random.default_rng(k)
    dense = rng.normal(size=(50, 8)) * (rng.random((50, 8)) < 0.4)
    length = np.linalg.norm(dense, axis=1, keepdims=True)
    dense = dense / np.where(length > 0, length, 1)
    lists = np.array([rng.permutation(50)[:20] for _ in range(30)])
    lists[:10, 7:] = -1
    expected = []
    for row in lists:
        items = [item for item in row[:k] if item >= 0 and dense[item].any()]
        cosines = [dense[a] @ dense[b] for i, a in enumerate(items) for b in items[i + 1 :]]
        expected.append(np.mean(cosines) if cosines else np.nan)
    ours = metrics.intra_list_similarity(lists, sparse.csr_array(dense), k)
    np.testing.assert_allclose(ours, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("items", "k", "expected"), [([0, 3], 2, 1 / 2), ([0, 3, -1], 3, 1 / 2), ([3], 1, 0), ([-1], 1, np.nan)]
)
def test_featured_share_by_hand(items, k, expected):
    np.testing.assert_allclose(metrics.featured_share(np.array([items]), VECTORS, k), [expected])


@pytest.mark.parametrize(
    ("items", "k", "expected"),
    [
        ([0, 1], 2, 2),  # rock|pop and rock
        ([0, 1, 2], 3, 3),
        ([1, 1], 1, 1),
        ([3], 1, 0),  # no genre at all
        ([-1, -1], 2, 0),
    ],
)
def test_distinct_values_by_hand(items, k, expected):
    genres = sparse.csr_array([[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]])
    assert metrics.distinct_values(np.array([items]), genres, k) == [expected]


@pytest.mark.parametrize(
    ("lists", "k", "expected"),
    [
        ([[0, 1], [1, 2]], 2, 3 / 10),
        ([[0, 1], [1, 2]], 1, 2 / 10),
        ([[0, -1], [-1, -1]], 2, 1 / 10),
        ([[-1, -1]], 2, 0),
    ],
)
def test_coverage_by_hand(lists, k, expected):
    assert metrics.coverage(np.array(lists), 10, k) == expected


@pytest.mark.parametrize(
    ("lists", "k", "expected"),
    [
        ([[0], [1], [2], [3]], 1, 0),  # every item once
        ([[0], [0], [0], [0]], 1, 3 / 4),  # one takes all: (n - 1) / n
        ([[0], [0], [1], [1]], 1, 1 / 2),  # counts 0, 0, 2, 2: (-3*0 - 1*0 + 1*2 + 3*2) / (4 * 4)
        ([[0, 1], [0, 2]], 2, 3 / 8),  # counts 0, 1, 1, 2: (-1 + 1 + 6) / (4 * 4)
        ([[-1]], 1, 0),  # nothing recommended
    ],
)
def test_gini_by_hand(lists, k, expected):
    assert metrics.gini(np.array(lists), 4, k) == pytest.approx(expected)


def test_nothing_is_changed_in_place():
    hits, lists = HITS.copy(), LISTS.copy()
    metrics.average_precision(hits, N_HIDDEN, 5)
    metrics.serendipity(hits[:3, :4], lists, lists, 4)
    metrics.novelty(lists, COUNTS, 7, 4)
    assert (hits == HITS).all()
    assert (lists == LISTS).all()


def test_calibration_error_by_hand():
    mixes = sparse.csr_array([[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]])
    lists, history = np.array([[0, 1], [2, -1], [0, 1]]), sparse.csr_array([[0.75, 0.25], [0.75, 0.25], [0.0, 0.0]])
    found = metrics.calibration_error(lists, mixes, history, 2)
    np.testing.assert_allclose(found, [0.0, np.nan, np.nan], atol=1e-12)
    first = 0.75 * np.log(0.75 / (0.99 + 0.0075)) + 0.25 * np.log(100)
    assert metrics.calibration_error(lists, mixes, history, 1)[0] == pytest.approx(first)
