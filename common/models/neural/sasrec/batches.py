"""Histories as training sequences: the order of a history, windows of it, and batches of windows as flat arrays."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from common.splits.histories import Histories
from common.splits.shards import draw_of_own
from common.training.batches import Epoch


def reorder(histories: Histories, order: str, rng: np.random.Generator | None) -> Histories:
    """Every history in an order of its own, oldest first.

    kept: as it is. ties: events of one time in random order. shuffled: all in random order. plays: most played last.
    Without a generator, to score, `ties` and `shuffled` keep what is there. Of a shard it is the histories of its own
    users that are returned, in the order that one process would give them.
    """
    keys: list[np.ndarray] = []
    whole, histories = histories, histories.own
    if order == "plays":
        keys = [histories.weights]
    elif rng is not None and order == "shuffled":
        keys = [draw_of_own(whole, rng)]
    elif rng is not None and order == "ties" and histories.timestamps is not None:
        keys = [draw_of_own(whole, rng), histories.timestamps]
    if not keys:
        return histories
    places = np.lexsort([*keys, histories.rows])
    times = None if histories.timestamps is None else histories.timestamps[places]
    return Histories(histories.indptr, histories.items[places], histories.weights[places], histories.n_items, times)


def last_windows(histories: Histories, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Start and end, int64 (users,) each, of the last `length` events of every history in the flat arrays."""
    ends = histories.indptr[1:]
    return np.maximum(histories.indptr[:-1], ends - length), ends


def all_windows(histories: Histories, length: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of windows of at most `length` events that cover every history, int64 (windows,) each.

    Neighbours share one event, so that every event but a history's first is a target once. Of a history that does not
    fit into one window the newest window is shorter, by chance, so that it is cut elsewhere each time.
    """
    sizes = histories.lengths
    newest = np.where(sizes > length, rng.integers(2, length + 1, len(histories)), sizes)
    counts = np.where(sizes > 1, 1 + -(-(sizes - newest) // (length - 1)), 0)
    users = np.repeat(np.arange(len(histories)), counts)
    before = np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts)
    older = histories.indptr[users + 1] - newest[users] + 1 - (before - 1) * (length - 1)
    ends = np.where(before == 0, histories.indptr[users + 1], older)
    lengths = np.where(before == 0, newest[users], length)
    return np.maximum(histories.indptr[users], ends - lengths), ends


def pack(histories: Histories, starts: np.ndarray, ends: np.ndarray, length: int) -> dict[str, Any]:
    """Windows without their padding, as the network takes them.

    items: int64 (tokens,), window after window; positions: int64 (tokens,), the last event of any window at
    `length` - 1 and the others counted back from it; cells: int64 (tokens,), places in a padded (windows, width)
    matrix, each window at the left; windows and width: its shape.
    """
    sizes = ends - starts
    width = int(sizes.max(initial=1))
    rows = np.repeat(np.arange(len(sizes)), sizes)
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return {
        "items": histories.items[np.repeat(starts, sizes) + within].astype(np.int64),
        "positions": length - np.repeat(sizes, sizes) + within,
        "cells": rows * width + within,
        "windows": len(sizes),
        "width": width,
    }


@dataclass(frozen=True)
class SequenceEpoch(Epoch):
    """The windows of one epoch in random order. An example is a window."""

    histories: Histories
    """Of all users: whose windows are whose."""
    ordered: Histories
    """Those of this process's own users, in the order of this epoch."""
    starts: np.ndarray
    ends: np.ndarray
    length: int
    """Inputs of the longest window: it has one event more, the last target."""
    draw: Callable[[int], dict[str, Any]]
    """What a loss wants besides, by step: the same in every process."""

    def weight(self, step: int) -> float:
        """Targets of a batch: each event of a window but its first."""
        rows = self.examples(step)
        return float((self.ends[rows] - self.starts[rows] - 1).sum())

    def batch(self, step: int, rank: int, world: int) -> dict[str, Any]:
        """The inputs (all events but the last), as `pack` gives them, and `targets`, int64 (tokens,).

        Process `rank` takes the windows of its own users. One that there are none for gets a window of no tokens.
        """
        rows, indptr = self.examples(step), self.histories.indptr
        first, last = indptr[self.histories.cuts(world)[rank : rank + 2]]
        rows = rows[(self.starts[rows] >= first) & (self.starts[rows] < last)]
        before = indptr[self.histories.own_users.start]
        starts, ends = self.starts[rows] - before, self.ends[rows] - before
        packed = pack(self.ordered, starts, ends - 1, self.length)
        following = pack(self.ordered, starts + 1, ends, self.length)["items"]
        return {**packed, "targets": following, **self.draw(step)}

    def describe(self, step: int) -> str:
        """How many windows of which lengths."""
        rows = self.examples(step)
        sizes = self.ends[rows] - self.starts[rows]
        return f"{len(sizes)} sequences of {sizes.min()} to {sizes.max()} events, {self.weight(step):.0f} targets"


@dataclass(frozen=True)
class SequenceBatches:
    """Windows of histories, drawn anew each epoch; see `common.training.batches.Batches`."""

    histories: Histories
    length: int
    order: str
    crop: str
    size: int
    seed: int
    draw: Callable[[np.random.Generator], dict[str, Any]]

    def epoch(self, number: int) -> SequenceEpoch:
        """The windows of an epoch, which depend on the seed and its number alone."""
        rng = np.random.default_rng([self.seed, number])
        ordered = reorder(self.histories, self.order, rng)
        if self.crop == "last":
            starts, ends = last_windows(self.histories, self.length + 1)
        else:
            starts, ends = all_windows(self.histories, self.length + 1, rng)
        useful = rng.permutation(np.flatnonzero(ends - starts > 1))

        def draw(step: int) -> dict[str, Any]:
            return self.draw(np.random.default_rng([self.seed, number, step]))

        return SequenceEpoch(useful, self.size, self.histories, ordered, starts, ends, self.length, draw)
