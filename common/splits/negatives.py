"""The 99 sampled negatives beside each held-out item."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from common.data.ids import codes_of, sorted_ids

NEGATIVES = 99
MOST_PAIRS = 200_000
"""Of more held-out pairs, so many drawn at random get negatives: 99 for each of millions would fill any memory."""
NOT_DRAWN = -2
"""Stands for the negatives of a held-out pair that got none for this reason."""


def draw_negatives(everything: pd.DataFrame, held_out: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """For each held-out pair 99 distinct items, uniform over the items outside everything the user has.

    `everything` and `held_out` have `user_id, item_id`; the result has `user_id, item_id, negative_id`, 99 rows per
    held-out pair in the order of `held_out` (fewer only for a user who leaves fewer than 99 items of the catalogue).
    """
    if len(held_out) > MOST_PAIRS:
        held_out = held_out.iloc[np.sort(rng.choice(len(held_out), MOST_PAIRS, replace=False))]
    items, users = sorted_ids(everything["item_id"]), sorted_ids(everything["user_id"])
    owned_users = codes_of(everything["user_id"], pd.Index(users))
    owned = np.unique(owned_users * len(items) + codes_of(everything["item_id"], pd.Index(items)))
    held_out_users = codes_of(held_out["user_id"], pd.Index(users))
    free = len(items) - np.bincount(owned // len(items), minlength=len(users))
    codes = sample_outside(held_out_users, owned, np.minimum(NEGATIVES, free[held_out_users]), len(items), rng)
    rows, columns = np.nonzero(codes >= 0)
    categories = {"user_id": users, "item_id": items, "negative_id": items}
    item_codes = codes_of(held_out["item_id"], pd.Index(items))
    values = {"user_id": held_out_users[rows], "item_id": item_codes[rows], "negative_id": codes[rows, columns]}
    return pd.DataFrame({name: pd.Categorical.from_codes(values[name], pd.Index(categories[name])) for name in values})


def draw_popular(users: np.ndarray, owned: np.ndarray, popularity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Row r: 99 distinct item codes outside those of `users[r]`, each draw in proportion to popularity (above 0).

    int64 (rows, 99), padded with -1 for a user who leaves fewer. `owned` as in `sample_outside`.
    """
    n_items = len(popularity)
    ends = np.cumsum(popularity, dtype=np.float64)

    def draw(shape: tuple[int, int]) -> np.ndarray:
        return np.minimum(np.searchsorted(ends, rng.random(shape) * ends[-1], side="right"), n_items - 1)

    free = n_items - np.bincount(owned // n_items, minlength=users.max(initial=-1) + 1)
    return sample_outside(users, owned, np.minimum(NEGATIVES, free[users]), n_items, rng, draw)


def sample_outside(
    users: np.ndarray,
    owned: np.ndarray,
    n_drawn: np.ndarray,
    n_items: int,
    rng: np.random.Generator,
    draw: Callable[[tuple[int, int]], np.ndarray] | None = None,
) -> np.ndarray:
    """Row r: `n_drawn[r]` distinct item codes outside those of `users[r]`, int64 (rows, 99), padded with -1.

    `owned` holds the sorted keys `user * n_items + item`. Candidates are drawn with replacement and the first
    distinct ones outside the user's set are kept, which is uniform sampling without replacement, or, where `draw`
    gives codes of another distribution, sampling in proportion to it (every item needs some chance).
    """
    draw = draw or (lambda shape: rng.integers(n_items, size=shape))
    chosen = np.full((len(users), NEGATIVES), -1, np.int64)
    todo, width = np.flatnonzero(n_drawn > 0), NEGATIVES + 40
    while len(todo):
        unfinished = []
        for rows in np.array_split(todo, max(1, len(todo) * width // 4_000_000)):
            draws = draw((len(rows), width))
            keep = _first_occurrence(draws) & ~_contains(owned, users[rows, None] * n_items + draws)
            place = np.cumsum(keep, axis=1) - 1
            keep &= place < n_drawn[rows, None]
            enough = place[:, -1] + 1 >= n_drawn[rows]
            row, column = np.nonzero(keep & enough[:, None])
            chosen[rows[row], place[row, column]] = draws[row, column]
            unfinished.append(rows[~enough])
        todo, width = np.concatenate(unfinished), width * 2
    return chosen


def _contains(sorted_keys: np.ndarray, keys: np.ndarray) -> np.ndarray:
    places = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    return sorted_keys[places] == keys


def _first_occurrence(values: np.ndarray) -> np.ndarray:
    """Mark in each row the first place of every value.

    >>> _first_occurrence(np.array([[3, 1, 3, 1, 2]])).astype(int)
    array([[1, 1, 0, 0, 1]])
    """
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    first = np.ones(values.shape, bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    marks = np.empty_like(first)
    np.put_along_axis(marks, order, first, axis=1)
    return marks
