"""Pairs and what they are to beat: every interaction once an epoch, each with an item that its user does not have."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from common.splits.histories import Histories
from common.training.batches import Epoch

REDRAWN = 20
"""How often an item that the user has is drawn anew; of one who has nearly everything it may stay."""


@dataclass(frozen=True)
class PairBatches:
    """Interactions in random order, each with one item drawn evenly from the catalogue outside the user's history."""

    histories: Histories
    size: int
    """Interactions of a batch."""
    seed: int

    @cached_property
    def known(self) -> np.ndarray:
        """Sorted keys user * n_items + item of all interactions, int64."""
        return np.sort(self.histories.rows * self.histories.n_items + self.histories.items)

    def epoch(self, number: int) -> "PairEpoch":
        """The interactions of an epoch and their negatives, drawn by the seed and its number alone."""
        rng = np.random.default_rng([self.seed, number])
        order = rng.permutation(len(self.histories.items))
        return PairEpoch(order, self.size, self, self._negatives(rng))

    def _negatives(self, rng: np.random.Generator) -> np.ndarray:
        """An item for each interaction, int64 (events,)."""
        rows, n_items = self.histories.rows, self.histories.n_items
        drawn = rng.integers(0, n_items, len(rows))
        for _ in range(REDRAWN):
            taken = np.flatnonzero(self._has(rows * n_items + drawn))
            if not len(taken):
                break
            drawn[taken] = rng.integers(0, n_items, len(taken))
        return drawn

    def _has(self, keys: np.ndarray) -> np.ndarray:
        place = np.minimum(np.searchsorted(self.known, keys), len(self.known) - 1)
        return self.known[place] == keys


@dataclass(frozen=True)
class PairEpoch(Epoch):
    """One pass over all interactions."""

    batches: PairBatches
    negatives: np.ndarray
    """The item that each interaction is to beat, int64 (events,)."""

    def batch(self, step: int, rank: int, world: int) -> dict[str, Any]:
        """One process's interactions (every `world`-th): users, positives, negatives, int64 (b,) codes."""
        chosen, histories = self.examples(step)[rank::world], self.batches.histories
        return {
            "users": histories.owners(chosen),
            "positives": histories.items[chosen].astype(np.int64),
            "negatives": self.negatives[chosen],
        }

    def weight(self, step: int) -> float:
        """Interactions of a batch."""
        return float(len(self.examples(step)))

    def describe(self, step: int) -> str:
        """How many interactions."""
        return f"{len(self.examples(step))} interactions"
