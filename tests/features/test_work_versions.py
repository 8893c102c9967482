"""Versions of one work stand once in a list."""

import numpy as np
import pandas as pd

from common.features.work_versions import groups_of, one_per_group


def test_items_without_a_group_are_groups_of_their_own():
    items = pd.DataFrame({"item_id": ["a", "b", "c", "d"], "group_id": ["x", None, "x", None]})
    groups = groups_of(items)
    assert groups[0] == groups[2]
    assert len(set(groups)) == 3
    assert len(set(groups_of(items[["item_id"]]))) == 4


def test_a_group_named_as_an_item_is_not_that_item():
    groups = groups_of(pd.DataFrame({"item_id": ["x", "b", "c"], "group_id": [None, "x", "x"]}))
    assert groups[0] != groups[1] == groups[2]


def test_the_best_of_each_group_is_kept_and_taken_groups_are_over():
    groups = np.array([0, 1, 0, 2, 1])
    best_first = np.array([4, 2, 0, 1, 3])
    assert one_per_group(best_first, groups).tolist() == [True, True, False, False, True]
    assert one_per_group(best_first, groups, taken=[1]).tolist() == [False, True, False, False, True]
    assert one_per_group(best_first[:0], groups).tolist() == []
