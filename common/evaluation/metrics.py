"""Every measure as a pure function: per-user values where they exist, formula and example in the docstring.

Two shapes recur. `hits` is bool (users, depth): is the item recommended at place 1, 2, ... held out for that user?
`lists` is int (users, depth): item codes, best first, -1 where a list ends early. `k` never exceeds the depth.
`n_relevant` is int (users,), at least 1: the held-out items of each user, |T|.
"""

import numpy as np
from scipy import sparse

from common.utils.arrays import gini_of


def hit_rate(hits: np.ndarray, k: int) -> np.ndarray:
    """HR@k = 1 if any of the first k is held out, else 0.

    >>> hit_rate(np.array([[False, True], [True, False]]), 1)
    array([0., 1.])
    """
    return hits[:, :k].any(axis=1).astype(float)


def precision(hits: np.ndarray, k: int) -> np.ndarray:
    """Precision@k = hits in the first k / k.

    >>> precision(np.array([[False, True, True, False]]), 4)
    array([0.5])
    """
    return hits[:, :k].sum(axis=1) / k


def recall(hits: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """Recall@k = hits in the first k / |T|.

    >>> recall(np.array([[False, True, True, False]]), np.array([8]), 4)
    array([0.25])
    """
    return hits[:, :k].sum(axis=1) / n_relevant


def f1(hits: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """F1@k = 2 P R / (P + R) of the user's own precision and recall, 0 if both are 0.

    >>> f1(np.array([[True, False], [False, False]]), np.array([1, 1]), 2).round(4)
    array([0.6667, 0.    ])
    """
    p, r = precision(hits, k), recall(hits, n_relevant, k)
    return np.divide(2 * p * r, p + r, out=np.zeros_like(p), where=p + r > 0)


def ndcg(hits: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """NDCG@k = sum of 1 / log2(rank + 1) over the hits / the same sum over ranks 1..min(k, |T|).

    Binary gain (Jarvelin & Kekalainen 2002).

    >>> ndcg(np.array([[True, False, True]]), np.array([2]), 3).round(4)
    array([0.9197])
    """
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discount)[np.minimum(n_relevant, k) - 1]
    return hits[:, :k] @ discount / ideal


def reciprocal_rank(hits: np.ndarray, k: int) -> np.ndarray:
    """MRR@k's term: 1 / rank of the first hit within k, else 0.

    >>> reciprocal_rank(np.array([[False, True], [False, False]]), 2)
    array([0.5, 0. ])
    """
    first = hits[:, :k].argmax(axis=1)
    return hits[:, :k].any(axis=1) / (first + 1)


def average_precision(hits: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """MAP@k's term: sum of precision@r over the ranks r of the hits within k / min(k, |T|).

    >>> average_precision(np.array([[True, False, True]]), np.array([2]), 3).round(4)
    array([0.8333])
    """
    found = hits[:, :k]
    precisions = np.cumsum(found, axis=1) / np.arange(1, k + 1)
    return (precisions * found).sum(axis=1) / np.minimum(n_relevant, k)


def novelty(lists: np.ndarray, counts: np.ndarray, n_users: int, k: int) -> np.ndarray:
    """novelty@k = mean of -log2((users who have the item + 1) / (users + 1)) over the list, in bits; NaN if empty.

    `counts`: visible listeners of each item, int (n_items,).

    >>> novelty(np.array([[0, 1]]), np.array([3, 0]), n_users=3, k=2)
    array([1.])
    """
    surprise = -np.log2((counts + 1) / (n_users + 1))
    return mean_of_list(surprise, lists, k)


def popularity_lift(lists: np.ndarray, counts: np.ndarray, history_mean: np.ndarray, k: int) -> np.ndarray:
    """popularity_lift@k = mean visible count of the list / mean visible count of the history - 1.

    `history_mean`: float (users,), NaN for an empty history; the result is NaN there, and where nobody visible
    has any item of the history (a newcomer's own finds), so that there is nothing to compare with.

    >>> popularity_lift(np.array([[0, 1]]), np.array([6, 2]), np.array([2.0]), k=2)
    array([1.])
    """
    return mean_of_list(counts.astype(float), lists, k) / np.where(history_mean > 0, history_mean, np.nan) - 1


def serendipity(hits: np.ndarray, lists: np.ndarray, expected: np.ndarray, k: int) -> np.ndarray:
    """serendipity@k = hits in the first k that are not in the popularity model's own top k for that user / k.

    `expected`: item codes of the popularity model's lists, int (users, depth).

    >>> serendipity(np.array([[True, True]]), np.array([[4, 7]]), np.array([[7, 1]]), k=2)
    array([0.5])
    """
    obvious = np.zeros((len(lists), k), bool)
    for place in range(k):
        obvious |= lists[:, :k] == expected[:, place, None]
    return (hits[:, :k] & ~obvious).sum(axis=1) / k


def intra_list_similarity(lists: np.ndarray, vectors: sparse.csr_array, k: int) -> np.ndarray:
    """ils@k = mean cosine over the pairs of the list whose items both have features; NaN below two such items.

    `vectors`: unit rows, (n_items, dimensions), a row of zeros for an item without features. Since the vectors are
    unit, the sum over ordered pairs of m of them is |sum of vectors|^2 - m, so no pair is ever formed.

    >>> vectors = sparse.csr_array([[1.0, 0.0], [0.6, 0.8], [0.0, 0.0]])
    >>> intra_list_similarity(np.array([[0, 1, 2], [0, 2, -1]]), vectors, 3)
    array([0.6, nan])
    """
    top = indicator(lists, vectors.shape[0], k)
    total, m = top @ vectors, top @ has_features(vectors)
    squared = np.asarray(total.multiply(total).sum(axis=1)).ravel()
    pairs = np.where(m >= 2, m * (m - 1), np.nan)
    return (squared - m) / pairs


def featured_share(lists: np.ndarray, vectors: sparse.csr_array, k: int) -> np.ndarray:
    """Share of the list's items that have features; NaN for an empty list.

    >>> featured_share(np.array([[0, 1, 2, -1]]), sparse.csr_array([[1.0], [0.0], [1.0]]), 4).round(4)
    array([0.6667])
    """
    return mean_of_list(has_features(vectors).astype(float), lists, k)


def calibration_error(lists: np.ndarray, mixes: sparse.csr_array, history: sparse.csr_array, k: int) -> np.ndarray:
    """calibration@k = KL(p || 0.99 q + 0.01 p) in nats (Steck 2018): how far the list's mix q is from the history's p.

    `mixes`: shares of each item's genres or tags, (n_items, values), rows that sum to 1, or 0 without features;
    `history`: p of each user alike, (users, values). q is the mean mix of the first k that have features; NaN where
    neither of the list's items has any, or nothing of the history.

    >>> mixes = sparse.csr_array([[1.0, 0.0], [0.0, 1.0]])
    >>> calibration_error(np.array([[0, 1], [0, 0]]), mixes, sparse.csr_array([[0.5, 0.5], [0.5, 0.5]]), 2).round(4)
    array([0.    , 1.9585])
    """
    summed = sparse.csr_array(indicator(lists, mixes.shape[0], k) @ mixes)
    counted, asked = summed.sum(axis=1), history.sum(axis=1) > 0
    scale = np.divide(1.0, counted, out=np.zeros(len(counted)), where=counted > 0)
    q = sparse.csr_array(sparse.diags_array(scale, format="csr") @ summed)
    p = sparse.csr_array(history.multiply(q > 0))  # where q is 0 the term is p log(1 / 0.01)
    both = sparse.csr_array(q.multiply(history > 0))
    for of_users in (p, both):
        of_users.sort_indices()
    p.data *= np.log(p.data / (0.99 * both.data + 0.01 * p.data)) - np.log(100)
    return np.where((counted > 0) & asked, p.sum(axis=1) + np.log(100), np.nan)


def distinct_values(lists: np.ndarray, values: sparse.csr_array, k: int) -> np.ndarray:
    """Distinct values (genres, artists) that occur in the list; `values` is (n_items, values), non-zero where held.

    >>> distinct_values(np.array([[0, 1, 2]]), sparse.csr_array([[1, 1], [0, 1], [0, 0]]), 3)
    array([2.])
    """
    held = indicator(lists, values.shape[0], k) @ values
    held.eliminate_zeros()
    return np.diff(sparse.csr_array(held).indptr).astype(float)


def coverage(lists: np.ndarray, n_items: int, k: int) -> float:
    """coverage@k = distinct items recommended to anybody / items of the catalogue.

    >>> coverage(np.array([[0, 1], [1, -1]]), n_items=4, k=2)
    0.5
    """
    return float(np.count_nonzero(_recommendation_counts(lists, n_items, k)) / n_items)


def gini(lists: np.ndarray, n_items: int, k: int) -> float:
    """gini@k of how often each item of the catalogue is recommended: 0 all alike, towards 1 a few take all.

    G = sum over i of (2 i - n - 1) x_i / (n sum x), x sorted ascending, i = 1..n.

    >>> gini(np.array([[0], [0]]), n_items=4, k=1)
    0.75
    """
    return gini_of(_recommendation_counts(lists, n_items, k))


def has_features(vectors: sparse.csr_array) -> np.ndarray:
    """Which items have a feature that is not 0, bool (n_items,); zeros that happen to be stored do not count."""
    return vectors.count_nonzero(axis=1) > 0


def indicator(lists: np.ndarray, n_items: int, k: int) -> sparse.csr_array:
    """The first k of each list as a users x items matrix of ones."""
    top = lists[:, :k]
    valid = top >= 0
    indptr = np.concatenate([[0], np.cumsum(valid.sum(axis=1))])
    return sparse.csr_array((np.ones(indptr[-1]), top[valid], indptr), shape=(len(lists), n_items))


def mean_of_list(values: np.ndarray, lists: np.ndarray, k: int) -> np.ndarray:
    """Mean of an item's value over the first k of each list, NaN where a list is empty."""
    top = lists[:, :k]
    valid = top >= 0
    length = valid.sum(axis=1)
    return np.where(valid, values[top], 0).sum(axis=1) / np.where(length > 0, length, np.nan)


def _recommendation_counts(lists: np.ndarray, n_items: int, k: int) -> np.ndarray:
    top = lists[:, :k]
    return np.bincount(top[top >= 0], minlength=n_items)
