"""Ranks of held-out items, among all items and among sampled negatives, and the top lists beside them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from common.models.top_items import check_scores, masked_keys, top_of_sorted
from common.splits.holdout import Holdout
from common.splits.negatives import NOT_DRAWN
from common.utils import environment

BATCH_BYTES = 64 * 2**20
"""Memory that the keys of one batch of users may take."""


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
        keys = masked_keys(scores, holdout.given.take(rows if holdout.masked else np.full(len(rows), -1)), places)
        local, items = holdout.target_rows[targets] - rows[0], holdout.target_items[targets]
        sampled = _sampled_ranks(keys, local, items, holdout.negatives[targets])
        target_scores, target_keys = scores[local, items], keys[local, items]
        keys.sort(axis=1)
        full = [n_items - np.searchsorted(keys[row], key) for row, key in zip(local, target_keys, strict=True)]
        top = top_of_sorted(scores, keys, items_by_place)
        return *top, target_scores, np.array(full, np.int64), sampled

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


def _sampled_ranks(keys: np.ndarray, rows: np.ndarray, items: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Rank of each target among itself and its negatives, 1 is best, 0 where none were drawn."""
    others = np.where(negatives >= 0, keys[rows[:, None], negatives], 0)
    ranks = 1 + (others > keys[rows, items][:, None]).sum(axis=1)
    return np.where(negatives[:, 0] == NOT_DRAWN, 0, ranks)
