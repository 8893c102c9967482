"""Versions of one work: the group of each item, and the first of each group in a list."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def groups_of(items: pd.DataFrame) -> np.ndarray:
    """The group of each item, int64 (n_items,): its `group_id` (versions of one track), else a group of its own.

    >>> groups_of(pd.DataFrame({"item_id": ["a", "b", "c"], "group_id": ["x", "x", None]}))
    array([0, 0, 1])
    """
    ids = "item " + items["item_id"].astype(object)
    if "group_id" in items:
        ids = ("group " + items["group_id"].astype(object)).fillna(ids)
    return pd.factorize(ids)[0]


def one_per_group(items: np.ndarray, groups: np.ndarray, taken: Sequence[int] = ()) -> np.ndarray:
    """Which items of a list, best first, are the first of their group; bool alike. Groups in `taken` are over.

    >>> one_per_group(np.array([4, 0, 2]), groups=np.array([7, 1, 7, 2, 3]))
    array([ True,  True, False])
    """
    of_list = groups[items]
    first = np.zeros(len(items), bool)
    first[np.unique(of_list, return_index=True)[1]] = True
    return first & ~np.isin(of_list, taken)
