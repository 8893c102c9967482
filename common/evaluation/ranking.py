"""Ranks of held-out items, among all items and among sampled negatives, and the top lists beside them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from common.models.top_items import DEPTH, check_scores, sort_keys
from common.splits.holdout import Holdout
from common.splits.negatives import NOT_DRAWN
from common.utils import environment

BATCH_BYTES = 64 * 2**20
"""Memory that the scores of one batch of users, and what orders them, may take."""
MASKED = np.float32(-np.inf)
"""The score of what is left out of a user's list."""
FEW = 8
"""Held-out items of a user from which on a sort is faster than counting those above each."""


@dataclass(frozen=True)
class Ranking:
    """Lists and ranks of the evaluated rows (see `Holdout`).

    items: int32 (rows, 100) codes, best first, -1 where a list ends early; scores: float32 alike, NaN there.
    target_scores: float32 (targets,); target_ranks: int64 (targets,), 1 is best, among all items outside the history;
    target_ranks_sampled: int64 (targets,), among the target and its own negatives, 0 where none were drawn.
    """

    items: np.ndarray
    scores: np.ndarray
    target_scores: np.ndarray
    target_ranks: np.ndarray
    target_ranks_sampled: np.ndarray


def rank(score: Callable[[np.ndarray], np.ndarray], holdout: Holdout, places: np.ndarray, threads: int = 0) -> Ranking:
    """Lists and ranks of all rows of `holdout`; `score(rows)` gives their scores, float32 (len(rows), n_items).

    Users are worked through in batches that fit in memory, the ordering of several batches in parallel threads.
    """
    n_items, n_rows = len(places), len(holdout.users)
    step = max(1, min(256, BATCH_BYTES // (8 * n_items)))
    batches = [np.arange(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]
    starts = np.searchsorted(holdout.target_rows, np.arange(n_rows + 1))
    items_by_place = np.argsort(places)
    workers = threads or min(4, environment.threads())

    def order(rows: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, ...]:
        targets = slice(starts[rows[0]], starts[rows[-1] + 1])
        known = holdout.given.take(rows if holdout.masked else np.full(len(rows), -1))
        masked = scores.copy()
        masked[known.rows, known.items] = MASKED
        local, items = holdout.target_rows[targets] - rows[0], holdout.target_items[targets]
        sampled = _sampled_ranks(masked, places, local, items, holdout.negatives[targets])
        full, top = [], []
        for row, own in zip(masked, np.split(items, np.searchsorted(local, np.arange(1, len(rows)))), strict=True):
            rising = np.sort(row) if len(own) > FEW else None
            full.append(full_ranks(row, places, items_by_place, own, rising))
            top.append(best_of(row, places, rising))
        lists, values = (np.stack(column) for column in zip(*top, strict=True))
        return lists, values, scores[local, items], np.concatenate(full), sampled

    with ThreadPoolExecutor(workers) as pool:
        pending: list = []
        done: list = []
        for rows in tqdm(batches, "ranking", delay=2, leave=False, disable=None):
            scores = check_scores(score(rows), (len(rows), n_items))
            pending.append(pool.submit(order, rows, scores))
            if len(pending) > workers:
                done.append(pending.pop(0).result())
        done.extend(future.result() for future in pending)
    return Ranking(*(np.concatenate(parts) for parts in zip(*done, strict=True)))


def best_of(
    scores: np.ndarray, places: np.ndarray, rising: np.ndarray | None = None, depth: int = DEPTH
) -> tuple[np.ndarray, np.ndarray]:
    """The best items of one user, int32 (depth,), and their scores, float32; -1 and NaN where there are no more.

    Only those that reach the score of the last one are put in order. `rising`: the scores sorted, where they are.
    """
    ordered = np.partition(scores, -depth) if rising is None and depth < len(scores) else rising
    least = MASKED if ordered is None or depth >= len(scores) else ordered[-depth]
    found = np.flatnonzero((scores >= least) & (scores > MASKED))
    if len(found) > 4 * depth:  # of very many equal ones those that come first by the hash
        keys = sort_keys(scores[None, found], places[found], len(places))[0]
        found = found[np.argpartition(keys, -depth)[-depth:]]
    found = found[np.lexsort((places[found], -scores[found]))][:depth]
    items, values = np.full(depth, -1, np.int32), np.full(depth, np.nan, np.float32)
    items[: len(found)], values[: len(found)] = found, scores[found]
    return items, values


def full_ranks(
    scores: np.ndarray,
    places: np.ndarray,
    items_by_place: np.ndarray,
    items: np.ndarray,
    rising: np.ndarray | None = None,
) -> np.ndarray:
    """Rank of some items among all of one user, int64 (items,): 1, those of higher score, and equal ones before it by
    the hash; a masked one comes last. `rising`: the scores sorted, else those above each are counted.

    >>> scores, places = np.array([0.5, 0.9, 0.5, 0.5], np.float32), np.array([2, 3, 0, 1])
    >>> full_ranks(scores, places, np.argsort(places), items=np.array([1, 0, 2]))
    array([1, 4, 2])
    """
    own = scores[items]
    if rising is not None:
        above, reaching = (len(scores) - np.searchsorted(rising, own, side) for side in ("right", "left"))
    else:
        above = np.array([np.count_nonzero(scores > value) for value in own], np.int64)
        reaching = np.array([np.count_nonzero(scores >= value) for value in own], np.int64)
    ranks, tied = np.asarray(above + 1, np.int64), np.flatnonzero(reaching - above > 1)
    in_order = scores[items_by_place] if len(tied) else scores
    for target in tied:
        ranks[target] += np.count_nonzero(in_order[: places[items[target]]] == own[target])
    return np.where(own == MASKED, len(scores), ranks)


def _sampled_ranks(
    scores: np.ndarray, places: np.ndarray, rows: np.ndarray, items: np.ndarray, negatives: np.ndarray
) -> np.ndarray:
    """Rank of each target among itself and its negatives, 1 is best, 0 where none were drawn."""
    own, others = scores[rows, items][:, None], scores[rows[:, None], negatives]
    first = (others == own) & (places[negatives] < places[items][:, None]) & (own > MASKED)
    ranks = 1 + (((others > own) | first) & (negatives >= 0)).sum(axis=1)
    return np.where(negatives[:, 0] == NOT_DRAWN, 0, ranks)
