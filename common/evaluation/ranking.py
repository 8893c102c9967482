"""From scores to lists and ranks: the only place where scores are ordered.

Every score becomes an integer key that orders first by score, then by a fixed hash of the item id, so that no two
items of a user are equal and no order of ids in a file can help a model that cannot decide.
"""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from common.splits.histories import Histories
from common.splits.holdout import Holdout
from common.splits.negatives import NOT_DRAWN
from common.utils import environment

DEPTH = 100
"""Items kept per list."""
BATCH_BYTES = 64 * 2**20
"""Memory that the keys of one batch of users may take."""


@dataclass(frozen=True)
class Ranking:
    """Lists and ranks of the evaluated rows (see `Holdout`).

    items: int32 (rows, DEPTH) codes, best first, -1 where a list ends early; scores: float32 alike, NaN there.
    target_scores: float32 (targets,); target_ranks: int64 (targets,), 1 is best, among all items outside the history;
    target_ranks_sampled: int64 (targets,), among the target and its own negatives, 0 where none were drawn.
    """

    items: np.ndarray
    scores: np.ndarray
    target_scores: np.ndarray
    target_ranks: np.ndarray
    target_ranks_sampled: np.ndarray


def tie_places(item_ids: pd.Series | np.ndarray) -> np.ndarray:
    """Place of each item in the order of a fixed hash (BLAKE2b of its id), int64 (n_items,)."""
    digests = [hashlib.blake2b(str(item).encode(), digest_size=8).digest() for item in item_ids]
    order = np.argsort(np.array(digests, dtype="S8").view(">u8").astype(np.uint64), kind="stable")
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places


def sort_keys(scores: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Keys uint64 that order like (score, hash): higher is better, all different within a row, all above 0.

    A float32's bits, with the sign bit flipped (all bits, for negative numbers), order like the number itself.

    >>> keys = sort_keys(np.array([[1.5, -2.0, 1.5]], np.float32), np.array([2, 0, 1]))
    >>> np.argsort(keys)[:, ::-1]
    array([[2, 0, 1]])
    """
    bits = (scores + np.float32(0)).view(np.uint32)  # + 0 turns -0.0 into 0.0
    bits ^= np.where(bits >> 31, np.uint32(0xFFFFFFFF), np.uint32(0x80000000))
    keys = bits.astype(np.uint64)
    keys <<= np.uint64(32)
    keys |= (len(places) - 1 - places).astype(np.uint64)
    return keys


def check_scores(scores: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Scores as float32 of the right shape; a model that returns anything else is broken, and says so here."""
    if scores.shape != shape:
        raise ValueError(f"scores of shape {scores.shape} where {shape} was asked for")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is refused below
        scores = np.ascontiguousarray(scores, np.float32)
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite: mask nothing in a model, the ranking does it")
    return scores


def top_items(
    scores: np.ndarray, history: Histories, places: np.ndarray, depth: int = DEPTH
) -> tuple[np.ndarray, np.ndarray]:
    """Masked top lists: items int32 (rows, depth), -1 padded, and their scores float32, NaN padded."""
    scores = check_scores(scores, (len(history), len(places)))
    keys = _masked_keys(scores, history, places)
    if depth < keys.shape[1]:
        keys = np.partition(keys, -depth, axis=1)[:, -depth:]
    keys.sort(axis=1)
    items_by_place = np.empty_like(places)
    items_by_place[places] = np.arange(len(places))
    return _top_of_sorted(scores, keys, items_by_place, depth)


def rank(score: Callable[[np.ndarray], np.ndarray], hidden: Holdout, places: np.ndarray, threads: int = 0) -> Ranking:
    """Lists and ranks of all rows of `hidden`; `score(rows)` gives their scores, float32 (len(rows), n_items).

    Users are worked through in batches that fit in memory, the ordering of several batches in parallel threads.
    """
    n_items, n_rows = len(places), len(hidden.users)
    step = max(1, min(256, BATCH_BYTES // (8 * n_items)))
    batches = [np.arange(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]
    starts = np.searchsorted(hidden.target_rows, np.arange(n_rows + 1))
    items_by_place = np.argsort(places)
    workers = threads or min(4, environment.threads())

    def order(rows: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, ...]:
        targets = slice(starts[rows[0]], starts[rows[-1] + 1])
        keys = _masked_keys(scores, hidden.given.take(rows), places)
        local, items = hidden.target_rows[targets] - rows[0], hidden.target_items[targets]
        sampled = _sampled_ranks(keys, local, items, hidden.negatives[targets])
        target_scores, target_keys = scores[local, items], keys[local, items]
        keys.sort(axis=1)
        full = [n_items - np.searchsorted(keys[row], key) for row, key in zip(local, target_keys, strict=True)]
        top = _top_of_sorted(scores, keys, items_by_place)
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


def _masked_keys(scores: np.ndarray, history: Histories, places: np.ndarray) -> np.ndarray:
    keys = sort_keys(scores, places)
    keys[np.repeat(np.arange(len(history)), history.lengths), history.items] = 0
    return keys


def _top_of_sorted(
    scores: np.ndarray, keys: np.ndarray, items_by_place: np.ndarray, depth: int = DEPTH
) -> tuple[np.ndarray, np.ndarray]:
    """The items behind the largest keys: a key's low half is the place of its item, counted from the end."""
    n_items = len(items_by_place)
    top = keys[:, ::-1][:, :depth]
    items = items_by_place[n_items - 1 - (top & np.uint64(0xFFFFFFFF)).astype(np.int64).clip(max=n_items - 1)]
    values = np.take_along_axis(scores, items, axis=1)
    masked = top == 0
    items, values = np.where(masked, -1, items).astype(np.int32), np.where(masked, np.float32(np.nan), values)
    missing = depth - items.shape[1]
    if missing > 0:
        items = np.pad(items, ((0, 0), (0, missing)), constant_values=-1)
        values = np.pad(values, ((0, 0), (0, missing)), constant_values=np.nan)
    return items, values


def _sampled_ranks(keys: np.ndarray, rows: np.ndarray, items: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Rank of each target among itself and its negatives, 1 is best, 0 where none were drawn."""
    others = np.where(negatives >= 0, keys[rows[:, None], negatives], 0)
    ranks = 1 + (others > keys[rows, items][:, None]).sum(axis=1)
    return np.where(negatives[:, 0] == NOT_DRAWN, 0, ranks)
