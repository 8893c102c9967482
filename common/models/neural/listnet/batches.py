"""Batches for listwise learning: the candidates of a user are one list, and a batch is some lists."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from common.models.two_stage.training_data import TrainingData
from common.splits.histories import cuts_of
from common.training.batches import Epoch
from common.utils import distributed as parallel

PAIRS = ("features", "users", "items", "candidate", "target", "log_plays")
"""What a batch takes of each pair of `TrainingData`."""


@dataclass(frozen=True)
class ListBatches:
    """Lists in a new order each epoch. Left out are lists without a positive
    candidate, and those without a negative one, which have no order to learn."""

    pairs: dict[str, np.ndarray]
    """PAIRS and `expected`, log plays by means alone, float32: the pairs (n, ...) of this process's own lists."""
    starts: np.ndarray
    """First pair of each list, int64 (lists + 1,)."""
    usable: np.ndarray
    """Numbers of the lists that are left, int64."""
    size: int
    """Lists of a batch."""
    seed: int
    before: int = 0
    """Pairs before the first own one, which other processes have."""

    @staticmethod
    def of(data: TrainingData, expected: np.ndarray, size: int, seed: int) -> "ListBatches":
        """The lists of cross-fitted training data."""
        n = int(data.lists.max(initial=-1)) + 1
        starts = np.searchsorted(data.lists, np.arange(n + 1))
        positive = np.bincount(data.lists, data.target & data.candidate, n)
        negative = np.bincount(data.lists, ~data.target & data.candidate, n)
        pairs = {name: getattr(data, name) for name in PAIRS} | {"expected": expected}
        return ListBatches(pairs, starts, np.flatnonzero((positive > 0) & (negative > 0)), size, seed)

    @staticmethod
    def shared(made: "ListBatches | None", size: int, seed: int) -> "ListBatches":
        """Of the lists that the first of several processes has made, in each process its own part of them.

        Lists are cut into consecutive parts of nearly as many pairs.
        """
        about = parallel.of_main(lambda: {"starts": made.starts, "usable": made.usable} if made else {})
        ends = about["starts"][cuts_of(about["starts"], parallel.world())]
        pairs = parallel.part_of_main(made.pairs if made else {}, ends)
        return ListBatches(pairs, about["starts"], about["usable"], size, seed, int(ends[parallel.rank()]))

    def epoch(self, number: int) -> "ListEpoch":
        """The lists of an epoch in an order that depends on the seed and its number alone."""
        return ListEpoch(np.random.default_rng([self.seed, number]).permutation(self.usable), self.size, self)


@dataclass(frozen=True)
class ListEpoch(Epoch):
    """One epoch of `ListBatches`. An example is a list."""

    batches: ListBatches

    def weight(self, step: int) -> float:
        """Lists of a batch."""
        return float(len(self.examples(step)))

    def describe(self, step: int) -> str:
        """How many lists and pairs."""
        lists = self.examples(step)
        pairs = (self.batches.starts[lists + 1] - self.batches.starts[lists]).sum()
        return f"{len(lists)} lists of {pairs} pairs"

    def batch(self, step: int, rank: int, world: int) -> dict[str, Any]:
        """The lists of a batch that are one process's own.

        features: float32 (pairs, columns); users, items, lists: int64 (pairs,), lists rising from 0; n_lists; ranked:
        int64, places of the pairs that are candidates; labels: float32 (ranked,), 1 for targets; plays: float32
        (pairs,), log plays, NaN where they are not to be learned; expected: float32 (pairs,), by means alone.
        """
        data, starts, lists = self.batches.pairs, self.batches.starts, self.examples(step)
        first, end = cuts_of(starts, world)[rank : rank + 2]
        lists = lists[(lists >= first) & (lists < end)]
        sizes = starts[lists + 1] - starts[lists]
        owners = np.repeat(np.arange(len(lists)), sizes)
        pairs = np.arange(len(owners)) + np.repeat(starts[lists] - (np.cumsum(sizes) - sizes), sizes)
        pairs -= self.batches.before
        ranked = np.flatnonzero(data["candidate"][pairs])
        return {
            "features": data["features"][pairs],
            "users": data["users"][pairs],
            "items": data["items"][pairs].astype(np.int64),
            "lists": owners,
            "n_lists": len(lists),
            "ranked": ranked,
            "labels": data["target"][pairs][ranked].astype(np.float32),
            "plays": data["log_plays"][pairs],
            "expected": data["expected"][pairs],
        }
