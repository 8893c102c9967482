"""From scores to top lists: the only place where scores are ordered.

Every score becomes an integer key that orders first by score, then by a fixed hash of the item id, so that no two
items of a user are equal and no order of ids in a file can help a model that cannot decide.
"""

import hashlib

import numpy as np
import pandas as pd

from common.splits.histories import Histories

DEPTH = 100
"""Items kept per list."""


def tie_places(item_ids: pd.Series | np.ndarray) -> np.ndarray:
    """Place of each item in the order of a fixed hash (BLAKE2b of its id), int64 (n_items,)."""
    digests = [hashlib.blake2b(str(item).encode(), digest_size=8).digest() for item in item_ids]
    order = np.argsort(np.array(digests, dtype="S8").view(">u8").astype(np.uint64), kind="stable")
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places


def sort_keys(scores: np.ndarray, places: np.ndarray, n_places: int = 0) -> np.ndarray:
    """Keys uint64 that order like (score, hash): higher is better, all different within a row, all above 0.

    `n_places`: how many places there are, where only those of some items are given.

    A float32's bits, with the sign bit flipped (all bits, for negative numbers), order like the number itself.

    >>> keys = sort_keys(np.array([[1.5, -2.0, 1.5]], np.float32), np.array([2, 0, 1]))
    >>> np.argsort(keys)[:, ::-1]
    array([[2, 0, 1]])
    """
    bits = (scores + np.float32(0)).view(np.uint32)  # + 0 turns -0.0 into 0.0
    bits ^= np.where(bits >> 31, np.uint32(0xFFFFFFFF), np.uint32(0x80000000))
    keys = bits.astype(np.uint64)
    keys <<= np.uint64(32)
    keys |= ((n_places or len(places)) - 1 - places).astype(np.uint64)
    return keys


def check_scores(scores: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Scores as float32 of the right shape; a model that returns anything else is broken, and is refused here."""
    if scores.shape != shape:
        raise ValueError(f"scores of shape {scores.shape} where {shape} is needed")
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
    keys = masked_keys(scores, history, places)
    if depth < keys.shape[1]:
        keys = np.partition(keys, -depth, axis=1)[:, -depth:]
    keys.sort(axis=1)
    items_by_place = np.empty_like(places)
    items_by_place[places] = np.arange(len(places))
    return top_of_sorted(scores, keys, items_by_place, depth)


def masked_keys(scores: np.ndarray, history: Histories, places: np.ndarray) -> np.ndarray:
    """Sort keys uint64 (rows, n_items), 0 for what stands in the history."""
    keys = sort_keys(scores, places)
    keys[history.rows, history.items] = 0
    return keys


def top_of_sorted(
    scores: np.ndarray, keys: np.ndarray, items_by_place: np.ndarray, depth: int = DEPTH
) -> tuple[np.ndarray, np.ndarray]:
    """The items behind the largest keys: a key's low half is the place of its item, counted from the end."""
    n_items = len(items_by_place)
    top = keys[:, ::-1][:, :depth]
    items = items_by_place[n_items - 1 - (top & np.uint64(0xFFFFFFFF)).astype(np.int64).clip(max=n_items - 1)]
    values = np.take_along_axis(scores, items, axis=1)
    masked = top == 0
    items, values = np.where(masked, -1, items).astype(np.int32), np.where(masked, np.float32(np.nan), values)
    missing = (0, 0), (0, depth - items.shape[1])
    return np.pad(items, missing, constant_values=-1), np.pad(values, missing, constant_values=np.nan)
