"""Ranks of a finished run's lists in another order, from its files, without its model.

Re-ranking moves the 100 best of each user and nothing else, so all ranks follow from the two tables of the run. A
held-out item in the new list has its place there; one that a filter has left out comes last of all items outside the
history; one that was below the 100 best keeps its rank. The same holds among its 99 negatives, where those left out
count as below it.
"""

from collections.abc import Callable

import numpy as np

from common.evaluation.evaluator import Evaluator
from common.evaluation.ranking import Ranking

Reorder = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Lists (rows, DEPTH) and their scores -> some of their items in another order, padded, and their scores."""


def reordered(evaluator: Evaluator, ranking: Ranking, reorder: Reorder) -> Ranking:
    """The ranking after `reorder`, which may leave items of a list out but bring none in."""
    items, scores = reorder(ranking.items, ranking.scores)
    old, new = (_Places(lists, evaluator.train.n_items) for lists in (ranking.items, items))
    rows, targets, negatives = (
        evaluator.holdout.target_rows,
        evaluator.holdout.target_items,
        evaluator.holdout.negatives,
    )
    before, after = old(rows, targets), new(rows, targets)
    last = evaluator.train.n_items - evaluator.given.lengths[rows]
    full = np.where(before == 0, ranking.target_ranks, np.where(after > 0, after, last))
    above = np.zeros(len(targets), np.int64)
    for drawn in negatives.T:  # one negative of every hidden item at a time
        was, is_now = old(rows, drawn), new(rows, drawn)
        gone = (was > 0) & (is_now == 0)
        of_listed = (is_now > 0) & (is_now < after)
        of_gone = (drawn >= 0) & ~(gone & (was > before))
        above += np.where(before == 0, -gone.astype(int), np.where(after > 0, of_listed, of_gone))
    sampled = np.where(before == 0, ranking.target_ranks_sampled, 1) + above
    sampled[ranking.target_ranks_sampled == 0] = 0  # it has no negatives
    return Ranking(items, scores, ranking.target_scores, full, sampled)


class _Places:
    """Where items stand in lists: 1 is best, 0 for an item that a list lacks."""

    def __init__(self, lists: np.ndarray, n_items: int) -> None:
        self.n_items = n_items
        rows, places = np.nonzero(lists >= 0)
        keys = rows * np.int64(n_items) + lists[rows, places]
        order = np.argsort(keys, kind="stable")
        self.keys, self.places = np.append(keys[order], np.iinfo(np.int64).max), np.append(places[order] + 1, 0)

    def __call__(self, rows: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Place of one item in each of some rows' lists, int64 (rows,); an item of -1 or less stands in none."""
        keys = np.where(items >= 0, rows * np.int64(self.n_items) + items, -1)
        at = np.searchsorted(self.keys, keys)
        return np.where(self.keys[at] == keys, self.places[at], 0)
