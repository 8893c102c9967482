"""Lessons for listwise learning: each asked person's candidates are one list, and a batch is some lists."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from common.models.two_stage.training_data import Lessons


@dataclass(frozen=True)
class ListBatches:
    """Lists in a new order each epoch; see `common.training.batches.Lessons`. Left out are lists without a wanted
    candidate, and those without any other, which have no order to learn."""

    learned: Lessons
    starts: np.ndarray
    """First pair of each list, int64 (lists + 1,)."""
    usable: np.ndarray
    """Numbers of the lists that are left, int64."""
    expected: np.ndarray
    """Log plays of each pair by means alone, float32 (pairs,)."""
    size: int
    """Lists of a batch."""
    seed: int

    @staticmethod
    def of(learned: Lessons, expected: np.ndarray, size: int, seed: int) -> "ListBatches":
        """The lessons of cross-fitted sources."""
        n = int(learned.lists.max(initial=-1)) + 1
        starts = np.searchsorted(learned.lists, np.arange(n + 1))
        wanted = np.bincount(learned.lists, learned.target & learned.candidate, n)
        others = np.bincount(learned.lists, ~learned.target & learned.candidate, n)
        return ListBatches(learned, starts, np.flatnonzero((wanted > 0) & (others > 0)), expected, size, seed)

    def epoch(self, number: int) -> "ListEpoch":
        """The lessons of an epoch, which depend on the seed and its number alone."""
        return ListEpoch(self, np.random.default_rng([self.seed, number]).permutation(self.usable))


@dataclass(frozen=True)
class ListEpoch:
    """One epoch of `ListBatches`; see `common.training.batches.Epoch`. An example is a list."""

    lessons: ListBatches
    order: np.ndarray

    @property
    def n_examples(self) -> int:
        """Lists."""
        return len(self.order)

    @property
    def n_batches(self) -> int:
        """Steps of the epoch."""
        return -(-len(self.order) // self.lessons.size)

    def _lists(self, step: int) -> np.ndarray:
        return self.order[step * self.lessons.size : (step + 1) * self.lessons.size]

    def weight(self, step: int) -> float:
        """Lists of a batch."""
        return float(len(self._lists(step)))

    def describe(self, step: int) -> str:
        """How many lists and pairs."""
        lists = self._lists(step)
        pairs = (self.lessons.starts[lists + 1] - self.lessons.starts[lists]).sum()
        return f"{len(lists)} lists of {pairs} pairs"

    def batch(self, step: int, rank: int, world: int) -> dict[str, Any]:
        """One process's lists: every `world`-th of the batch.

        features: float32 (pairs, columns); users, items, lists: int64 (pairs,), lists rising from 0; n_lists; ranked:
        int64, places of the pairs that are candidates; wanted: float32 (ranked,), 1 for targets; plays: float32
        (pairs,), log plays, NaN where they are not to be learned; expected: float32 (pairs,), by means alone.
        """
        learned, starts = self.lessons.learned, self.lessons.starts
        lists = self._lists(step)[rank::world]
        sizes = starts[lists + 1] - starts[lists]
        owners = np.repeat(np.arange(len(lists)), sizes)
        pairs = np.arange(len(owners)) + np.repeat(starts[lists] - (np.cumsum(sizes) - sizes), sizes)
        ranked = np.flatnonzero(learned.candidate[pairs])
        return {
            "features": learned.described[pairs],
            "users": learned.users[pairs],
            "items": learned.items[pairs].astype(np.int64),
            "lists": owners,
            "n_lists": len(lists),
            "ranked": ranked,
            "wanted": learned.target[pairs][ranked].astype(np.float32),
            "plays": learned.plays[pairs],
            "expected": self.lessons.expected[pairs],
        }
