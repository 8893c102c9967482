"""What is held out of matrices, as arrays. Only `splits/holdout.py` imports this file."""

from typing import NamedTuple

import numpy as np

from common.splits.mapped.drawing import is_known, pair_keys
from common.splits.mapped.split import MappedSplit
from common.splits.negatives import NOT_DRAWN
from common.utils.errors import UserError


class Targets(NamedTuple):
    """users: object (rows,) ids, sorted, each with a target; rows, items: int64 (targets,), sorted; weights: float32
    (targets,), plays in the part; negatives: int32 (targets, n), as `Holdout` has them."""

    users: np.ndarray
    rows: np.ndarray
    items: np.ndarray
    weights: np.ndarray
    negatives: np.ndarray


def targets_of(split: MappedSplit, part: str, with_repeats: bool = False) -> Targets:
    """The held-out pairs of the users who are evaluated on a part: those that are new to the user, or all of them."""
    files, users = split.files, getattr(split.drawing, part).astype(np.int64)
    n_items = len(files.items)
    keys, (_, places) = pair_keys(files, part, users), files.part(part).places(users)
    known, weights = is_known(files, part, users, keys), files.part(part).data[places]
    if not with_repeats:
        keys, weights = keys[~known], weights[~known]
    if not len(keys):
        raise UserError(f"{files.folder}: {part} has nothing that is new to its users; prepare it with another cut")
    asked, owners = np.unique(keys // n_items, return_inverse=True)
    ids = files.users["user_id"].iloc[users[asked]].to_numpy(object)
    rows = np.argsort(np.argsort(ids))[owners]
    order = np.lexsort((keys % n_items, rows))
    items = keys[order] % n_items
    negatives = np.full((len(order), 1), NOT_DRAWN, np.int32)
    if not with_repeats:
        negatives = _negatives(split, users[asked][owners[order]], items)
    return Targets(np.sort(ids), rows[order], items, weights[order], negatives)


def _negatives(split: MappedSplit, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The negatives of pairs of codes, NOT_DRAWN for those that got none."""
    drawn, n_items = split.drawing, len(split.files.items)
    keys = users * n_items + items
    by_key = np.argsort(keys)
    of = drawn.negative_users.astype(np.int64) * n_items + drawn.negative_items
    place = by_key[np.minimum(np.searchsorted(keys, of, sorter=by_key), len(keys) - 1)]
    mine = keys[place] == of
    width = int((drawn.negatives[mine] >= 0).sum(axis=1).max(initial=1))
    result = np.full((len(keys), width), NOT_DRAWN, np.int32)
    result[place[mine]] = drawn.negatives[mine, :width]
    return result
