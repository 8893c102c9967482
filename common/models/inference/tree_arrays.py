"""The nodes of several decision trees as arrays, and the way of rows down to the leaves, by numpy alone.

All rows go down all trees at once, level by level, so that numpy is called as often as the deepest tree has levels.
A row goes left where its value is at most the threshold, as in scikit-learn; one whose value is missing goes where the
node sends it. That needs no look at what is missing if every value is laid out twice: as it is, when NaN, which is
at most nothing, goes right, and with -inf, which is at most anything, in the place of NaN. A node takes that of the
two which goes its way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

LEVELS = 4
"""Levels that all rows go down before those that have arrived are let go, since that takes as long as a level."""


@dataclass(frozen=True)
class Nodes:
    """The nodes of several trees, one tree after the other; the place of a node is its number among all of them.

    roots: int64 (trees,), the places of the first nodes. feature: int64 (nodes,), of a leaf anything. twin: int64
    (nodes,), which laid out value a node looks at. threshold, value: float64 (nodes,). leads_to: int64 (2 * nodes,),
    the places that a node leads to, right before left; a leaf leads to itself.
    """

    roots: np.ndarray
    feature: np.ndarray
    twin: np.ndarray
    threshold: np.ndarray
    value: np.ndarray
    leads_to: np.ndarray

    @classmethod
    def join(cls, trees: Sequence[np.ndarray], fields: Sequence[str], value: np.ndarray) -> Self:
        """From records of the nodes of each tree, and the values (nodes,) of all.

        fields: what the records call the children of a node, left and right (places counted from the tree's own root,
        at most 0 for a leaf), its feature, its threshold, and whether missing values go left.
        """
        sizes, nodes = [len(records) for records in trees], np.concatenate(trees)
        left, right, feature, threshold, missing_left = (nodes[field] for field in fields)
        ends = np.cumsum(sizes)
        roots = ends - sizes
        first, own, leaf = np.repeat(roots, sizes), np.arange(ends[-1]), left <= 0
        leads_to = np.where(leaf, own, first + np.stack([right, left])).T.ravel()
        feature = np.where(leaf, 0, feature).astype(np.int64)
        return cls(roots, feature, 2 * feature + (missing_left != 0), threshold.copy(), value.copy(), leads_to)

    def leaves(self, rows: np.ndarray) -> np.ndarray:
        """The leaves that rows (rows, features) arrive at, int64 (trees, rows)."""
        values, base, at = self._start(rows)
        arrived, going = at, np.arange(len(at))
        while len(going):
            for _ in range(LEVELS):
                at = self._step(values, base, at)
            arrived[going] = at
            further = np.flatnonzero(self.leads_to.take(2 * at) != at)
            going, base, at = going.take(further), base.take(further), at.take(further)
        return arrived.reshape(len(self.roots), len(rows))

    def levels(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Level by level, the nodes that rows are at and those that they go to, int64 (trees, rows) each."""
        values, base, at = self._start(rows)
        shape = len(self.roots), len(rows)
        while not np.array_equal(at, to := self._step(values, base, at)):
            yield at.reshape(shape), to.reshape(shape)
            at = to

    def _start(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The values laid out twice; where those of the row begin and at which node it is, for each tree and row."""
        twins = np.stack([rows, np.where(np.isnan(rows), -np.inf, rows).astype(rows.dtype)], axis=2)
        begin = np.arange(len(rows)) * (2 * rows.shape[1])
        return twins.ravel(), np.tile(begin, len(self.roots)), np.repeat(self.roots, len(rows))

    def _step(self, values: np.ndarray, base: np.ndarray, at: np.ndarray) -> np.ndarray:
        left = values.take(base + self.twin.take(at)) <= self.threshold.take(at)
        return self.leads_to.take(2 * at + left)
