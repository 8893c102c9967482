"""A finished run's lists put into another order, and judged like any other run: without its model, from its files.

Re-ranking moves the 100 best of each user and nothing else, so all ranks follow from the two tables of the run. A
hidden item in the new list has its place there; one that a filter has left out comes last of all items outside the
history; one that was below the 100 best keeps its rank. Among its 99 negatives alike, where those left out count as
below it.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from common.data.ids import codes_of
from common.evaluation.evaluator import Evaluator
from common.evaluation.ranking import DEPTH, Ranking
from common.utils.errors import UserError

Reorder = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Lists (rows, DEPTH) and their scores -> some of their items in another order, padded, and their scores."""


def stored_ranking(evaluator: Evaluator, recommendations: pd.DataFrame, targets: pd.DataFrame) -> Ranking:
    """The ranking that a run has written, read back. Raises UserError if its hidden pairs are not the scorer's."""
    hidden, ids = evaluator.hidden, pd.Index(evaluator.train.items["item_id"])
    if len(targets) != len(hidden.target_items) or (codes_of(targets["item_id"], ids) != hidden.target_items).any():
        raise UserError("the run's targets.parquet names other hidden pairs than the split does; run its stage again")
    rows, places = evaluator.measures.rows(recommendations), recommendations["rank"].to_numpy() - 1
    items, scores = np.full((len(hidden.users), DEPTH), -1, np.int32), np.full((len(hidden.users), DEPTH), np.nan)
    items[rows, places] = codes_of(recommendations["item_id"], ids)
    scores[rows, places] = recommendations["score"].to_numpy()
    own, full, sampled = (targets[name].to_numpy() for name in ("score", "rank", "rank_sampled99"))
    return Ranking(items, scores.astype(np.float32), own, full.astype(np.int64), sampled.astype(np.int64))


def reordered(evaluator: Evaluator, ranking: Ranking, reorder: Reorder) -> Ranking:
    """The ranking after `reorder`, which may leave items of a list out but bring none in."""
    items, scores = reorder(ranking.items, ranking.scores)
    old, new = (_Places(lists, evaluator.train.n_items) for lists in (ranking.items, items))
    rows, targets, negatives = evaluator.hidden.target_rows, evaluator.hidden.target_items, evaluator.hidden.negatives
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
