"""Histories as training sequences: the order of a history, windows of it, and batches of windows as flat arrays."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from common.data.histories import Histories


def reorder(histories: Histories, order: str, rng: np.random.Generator | None) -> Histories:
    """Every history in an order of its own, oldest first.

    kept: as it is. ties: events of one time in random order. mixed: that in a random half of the histories. shuffled:
    all in random order. plays: most played last. Without a generator, to score, all but `plays` keep what is there.
    """
    users = np.repeat(np.arange(len(histories)), histories.lengths)
    keys: list[np.ndarray] = []
    if order == "plays":
        keys = [histories.weights]
    elif rng is not None and order == "shuffled":
        keys = [rng.random(len(histories.items))]
    elif rng is not None and order == "ties" and histories.timestamps is not None:
        keys = [rng.random(len(histories.items)), histories.timestamps]
    elif rng is not None and order == "mixed" and histories.timestamps is not None:
        shuffled = rng.random(len(histories)) < 0.5
        keys = [rng.random(len(histories.items)) * shuffled[users], histories.timestamps]
    if not keys:
        return histories
    places = np.lexsort([*keys, users])
    times = None if histories.timestamps is None else histories.timestamps[places]
    return Histories(histories.indptr, histories.items[places], histories.weights[places], histories.n_items, times)


def event_weights(histories: Histories, opening: float) -> np.ndarray:
    """Weight of each event as a target, float32 (events,): `opening` on another date than the one before, else 1."""
    weights = np.ones(len(histories.items), np.float32)
    if histories.timestamps is not None:
        weights[1:][np.diff(histories.timestamps) != 0] = opening
    return weights


def last_windows(histories: Histories, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Start and end, int64 (users,) each, of the last `length` events of every history in the flat arrays."""
    ends = histories.indptr[1:]
    return np.maximum(histories.indptr[:-1], ends - length), ends


def all_windows(histories: Histories, length: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of windows of at most `length` events that cover every history, int64 (windows,) each.

    Neighbours share one event, so that every event but a history's first is a target once. Where the last window of a
    long history ends is drawn anew each time, up to a window's length before its end: no event is always at the edge.
    """
    sizes = histories.lengths - np.where(histories.lengths > length, rng.integers(0, length, len(histories)), 0)
    counts = np.maximum(0, -(-(sizes - 1) // (length - 1)))
    users = np.repeat(np.arange(len(histories)), counts)
    before = np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts)
    ends = histories.indptr[users] + sizes[users] - before * (length - 1)
    return np.maximum(histories.indptr[users], ends - length), ends


def pack(histories: Histories, starts: np.ndarray, ends: np.ndarray, length: int) -> dict[str, Any]:
    """Windows without their padding, as the network takes them.

    places: int64 (tokens,), of each event in the flat arrays, window after window; items: int64 (tokens,);
    positions: int64 (tokens,), the last event of any window at `length` - 1 and the others counted back from it;
    cells: int64 (tokens,), places in a padded (windows, width) matrix, each window at the left; windows and width: its
    shape.
    """
    sizes = ends - starts
    width = int(sizes.max(initial=1))
    rows = np.repeat(np.arange(len(sizes)), sizes)
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    places = np.repeat(starts, sizes) + within
    return {
        "places": places,
        "items": histories.items[places].astype(np.int64),
        "positions": length - np.repeat(sizes, sizes) + within,
        "cells": rows * width + within,
        "windows": len(sizes),
        "width": width,
    }


@dataclass(frozen=True)
class SequenceEpoch:
    """The windows of one epoch in random order; see `common.training.loop.Epoch`."""

    histories: Histories
    starts: np.ndarray
    ends: np.ndarray
    length: int
    """Inputs of the longest window: it has one event more, the last target."""
    size: int
    """Windows of a batch."""
    weights: np.ndarray
    """Of each event as a target."""
    draw: Callable[[int], dict[str, Any]]
    """What a loss wants besides, by step: the same in every process."""

    @property
    def n_examples(self) -> int:
        """Windows of the epoch."""
        return len(self.starts)

    @property
    def n_batches(self) -> int:
        """Steps of the epoch."""
        return -(-self.n_examples // self.size)

    def _rows(self, step: int) -> slice:
        return slice(step * self.size, (step + 1) * self.size)

    def weight(self, step: int) -> float:
        """Weights of the targets of a batch: each event of a window but its first."""
        rows = self._rows(step)
        return float((self.totals[self.ends[rows]] - self.totals[self.starts[rows] + 1]).sum())

    @cached_property
    def totals(self) -> np.ndarray:
        """Weights of all events before a place in the flat arrays, float64 (events + 1,)."""
        return np.concatenate([[0.0], np.cumsum(self.weights, dtype=np.float64)])

    def batch(self, step: int, rank: int, world: int) -> dict[str, Any]:
        """All events but the last, as `pack` gives them, `targets`, int64 (tokens,), and their `weights`, float32.

        Process `rank` takes every `world`-th window. One that none is left for gets a window of no tokens.
        """
        rows = self._rows(step)
        starts, ends = self.starts[rows][rank::world], self.ends[rows][rank::world]
        packed = pack(self.histories, starts, ends - 1, self.length)
        places = packed.pop("places") + 1
        targets = self.histories.items[places].astype(np.int64)
        return {**packed, "targets": targets, "weights": self.weights[places], **self.draw(step)}

    def describe(self, step: int) -> str:
        """How many windows of which lengths."""
        rows = self._rows(step)
        sizes = self.ends[rows] - self.starts[rows]
        return f"{len(sizes)} sequences of {sizes.min()} to {sizes.max()} events, {(sizes - 1).sum()} targets"


@dataclass(frozen=True)
class SequenceLessons:
    """Windows of histories, drawn anew each epoch; see `common.training.loop.Lessons`."""

    histories: Histories
    length: int
    order: str
    crop: str
    opening: float
    size: int
    seed: int
    draw: Callable[[np.random.Generator], dict[str, Any]]

    def epoch(self, number: int) -> SequenceEpoch:
        """The windows of an epoch, which depend on the seed and its number alone."""
        rng = np.random.default_rng([self.seed, number])
        ordered = reorder(self.histories, self.order, rng)
        if self.crop == "last":
            starts, ends = last_windows(ordered, self.length + 1)
        else:
            starts, ends = all_windows(ordered, self.length + 1, rng)
        useful = np.flatnonzero(ends - starts > 1)
        places = rng.permutation(useful)

        def draw(step: int) -> dict[str, Any]:
            return self.draw(np.random.default_rng([self.seed, number, step]))

        weights = event_weights(ordered, self.opening)
        return SequenceEpoch(ordered, starts[places], ends[places], self.length, self.size, weights, draw)
