"""Rows go down trees as they should: by hand, missing values included."""

import numpy as np

from common.models.inference.tree_arrays import Nodes

# Tree 0: x0 <= 1 ? leaf 10 : (x1 <= 5 ? leaf 20 : leaf 30), missing x1 goes left. Tree 1: a leaf alone.
FIELDS = ("left", "right", "feature", "threshold", "missing_left")
LEAF = (-1, -1, 0, 0.0, 0)
RECORDS = np.array(
    [(1, 2, 0, 1.0, 0), LEAF, (3, 4, 1, 5.0, 1), LEAF, LEAF, LEAF], list(zip(FIELDS, "iiifi", strict=True))
)
NODES = Nodes.join([RECORDS[:5], RECORDS[5:]], FIELDS, np.array([0.0, 10.0, 0.0, 20.0, 30.0, 7.0]))
ROWS = np.array([[1.0, 9.0], [2.0, 5.0], [2.0, 6.0], [np.nan, np.nan], [0.0, np.nan]], np.float32)


def test_leaves_by_hand():
    values = NODES.value[NODES.leaves(ROWS)]
    assert values[0].tolist() == [10, 20, 30, 20, 10]
    assert (values[1] == 7).all()
    assert NODES.leaves(ROWS[:0]).shape == (2, 0)


def test_levels_lead_from_the_roots_to_the_leaves():
    steps = list(NODES.levels(ROWS))
    assert (steps[0][0] == NODES.roots[:, None]).all()
    np.testing.assert_array_equal(steps[-1][1], NODES.leaves(ROWS))
    assert len(steps) == 2
