"""Batches for towers: part of a history predicts the rest of it, among a pool of negatives that a batch shares."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from common.splits.histories import Histories
from common.splits.shards import draw_of_own, skip
from common.training.batches import Epoch
from common.utils import distributed as parallel
from common.utils.arrays import AT_ONCE, blocks

FEW = (0, 1, 2, 5, 10)
"""Lengths of the histories that the task `few` simulates."""


@dataclass(frozen=True)
class PooledBatches:
    """Histories split anew each epoch into what is shown and what is to be found.

    task `complete`: of each history a share, drawn evenly between `least` and 1, is shown, and the rest is to be
    found. task `continue`: of each history the events before a place drawn evenly are shown, and the `ahead` ones from
    there on are to be found. task `few`: of each history as many random events are shown as a newcomer may name, one of
    FEW drawn evenly, and the rest is to be found.
    """

    histories: Histories
    task: str
    least: float
    ahead: int
    size: int
    """Histories of a batch."""
    uniform: int
    """Items of the whole catalogue drawn for a batch, with replacement."""
    seed: int

    def epoch(self, number: int) -> "PooledEpoch":
        """The histories of an epoch, drawn by the seed and its number alone; all processes ask for it together."""
        rng = np.random.default_rng([self.seed, number])
        shown, targets = self._split(rng)
        found = np.concatenate([[0], np.cumsum(targets)])[self.histories.own.indptr]
        n_targets = np.zeros(len(self.histories), np.int64)
        n_targets[self.histories.own_users] = np.diff(found)
        n_targets = parallel.summed(n_targets)
        users = np.flatnonzero(n_targets)
        return PooledEpoch(rng.permutation(users), self.size, self, number, n_targets, shown, targets)

    def _split(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Which of the own events are shown and which are to be found, bool (events,) each; some users at a time.

        The numbers are those that one process would draw for them.
        """
        own, mine, n_events = self.histories.own, self.histories.own_users, len(self.histories.items)
        lengths = self.histories.lengths
        if self.task == "few":
            places = np.empty(len(own.items), np.int64)
            places[np.lexsort((draw_of_own(self.histories, rng), own.rows))] = places_of(own.lengths)
            shown = places < np.repeat(rng.choice(FEW, len(lengths))[mine], own.lengths)
            return shown, ~shown
        complete = self.task == "complete"
        drawn = rng.uniform(self.least, 1.0, len(lengths)) if complete else rng.integers(0, np.maximum(lengths, 1))
        lengths, drawn = lengths[mine], drawn[mine]
        shown, targets = (np.empty(len(own.items), bool) for _ in range(2))
        skip(rng, complete * int(self.histories.indptr[mine.start]))
        for users in blocks(lengths, AT_ONCE, len(lengths)):
            events = slice(own.indptr[users[0]], own.indptr[users[-1] + 1])
            limit = np.repeat(drawn[users], lengths[users])
            if complete:
                shown[events] = rng.random(len(limit)) < limit
                targets[events] = ~shown[events]
            else:
                place = places_of(lengths[users])
                shown[events], targets[events] = place < limit, (place >= limit) & (place < limit + self.ahead)
        skip(rng, complete * int(n_events - self.histories.indptr[mine.stop]))
        return shown, targets

    @cached_property
    def chances(self) -> np.ndarray:
        """How likely a target is each item, float64 (n_items,): its share of all events, weighed by use as a target.

        In `complete` all events of all histories are equally likely; in `continue` that of place p = 0, 1, ... in a
        history of n is in min(p + 1, ahead) of n cases; in `few` one in a history of n is in the mean over FEW of
        (n - number shown) / n, never below 0. Several processes add up what theirs are.
        """
        own, counts = self.histories.own, np.zeros(self.histories.n_items)
        for users in blocks(own.lengths, AT_ONCE, len(own)):
            events, lengths = slice(own.indptr[users[0]], own.indptr[users[-1] + 1]), own.lengths[users]
            targets = np.ones(events.stop - events.start)
            if self.task == "continue":
                targets = np.minimum(places_of(lengths) + 1, self.ahead) / np.repeat(lengths, lengths)
            elif self.task == "few":
                n = np.maximum(lengths, 1)[:, None]
                targets = np.repeat(np.maximum(0, 1 - np.array(FEW) / n).mean(axis=1), lengths)
            np.add.at(counts, own.items[events], targets)
        counts = parallel.summed(counts)
        return counts / max(1e-9, counts.sum())


@dataclass(frozen=True)
class PooledEpoch(Epoch):
    """One epoch of `PooledBatches`. An example is a user in whose history something is to be found."""

    batches: PooledBatches
    number: int
    n_targets: np.ndarray
    """How much is to be found in each history, int64 (users,)."""
    shown: np.ndarray
    targets: np.ndarray

    def _events(self, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows 0..len(users) and places among the own events of all events of some own users, int64 each."""
        own, users = self.batches.histories.own, users - self.batches.histories.own_users.start
        sizes = own.lengths[users]
        rows = np.repeat(np.arange(len(users)), sizes)
        start = np.repeat(own.indptr[users] - (np.cumsum(sizes) - sizes), sizes)
        return rows, start + np.arange(len(rows))

    def weight(self, step: int) -> float:
        """Targets of a batch."""
        return float(self.n_targets[self.examples(step)].sum())

    def describe(self, step: int) -> str:
        """How many histories, and how much is to be found."""
        return f"{len(self.examples(step))} histories, {self.weight(step):.0f} items to be found"

    def batch(self, step: int, rank: int, world: int) -> dict[str, Any]:
        """The histories of one process's users and the pool, which all of them share: all ask for it together.

        users: int64 (b,), user codes; items: distinct codes of all items of the batch, int64; shown: int64 (events,),
        places in `items` of what is shown; shown_rows: whose they are, rising; ages: float32, how many events of a
        row came after; pool: int64 (p,), places in `items` of the pool; rows, places, known_rows, known_places,
        log_share: as `common.models.neural.losses.mixed_softmax` takes them.
        """
        histories, examples = self.batches.histories, self.examples(step)
        own, mine = histories.own, histories.own_users
        events = self._events(_between(examples, mine.start, mine.stop))[1]
        pool, log_share = self._pool(parallel.gathered(own.items[events[self.targets[events]]]), step)
        users = _between(examples, *histories.cuts(world)[rank : rank + 2])
        rows, events = self._events(users)
        codes, shown, targets = own.items[events].astype(np.int64), self.shown[events], self.targets[events]
        place = places_in(pool, codes)
        items = np.union1d(pool, codes[shown])
        return {
            "users": users,
            "items": items,
            "shown": np.searchsorted(items, codes[shown]),
            "shown_rows": rows[shown],
            "ages": ages(rows[shown]),
            "pool": np.searchsorted(items, pool),
            "rows": rows[targets],
            "places": place[targets],
            "known_rows": rows[place >= 0],
            "known_places": place[place >= 0],
            "log_share": log_share,
        }

    def _pool(self, targets: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Distinct items of a batch's targets and of uniform draws, and log(times it is there / times expected)."""
        batches, n_items = self.batches, self.batches.histories.n_items
        rng = np.random.default_rng([batches.seed, self.number, step])
        drawn = rng.integers(0, n_items, batches.uniform)
        pool, times = np.unique(np.concatenate([targets, drawn]), return_counts=True)
        expected = len(targets) * batches.chances[pool] + batches.uniform / n_items
        return pool.astype(np.int64), np.log(times / expected).astype(np.float32)


def _between(codes: np.ndarray, first: int, end: int) -> np.ndarray:
    """The codes from the first one on and before the end, in their order."""
    return codes[(codes >= first) & (codes < end)]


def places_of(lengths: np.ndarray) -> np.ndarray:
    """Place of each event in its history, for consecutive histories, int64 (events,).

    >>> places_of(np.array([2, 0, 3]))
    array([0, 1, 0, 1, 2])
    """
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def places_in(pool: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Place of each code in a rising pool, -1 for those that are not in it, int64.

    >>> places_in(np.array([2, 5, 7]), np.array([7, 3, 2]))
    array([ 2, -1,  0])
    """
    place = np.minimum(np.searchsorted(pool, codes), len(pool) - 1)
    return np.where(pool[place] == codes, place, -1)


def ages(rows: np.ndarray) -> np.ndarray:
    """How many events of the same row come after each, for rising rows, float32.

    >>> ages(np.array([0, 0, 0, 4]))
    array([2., 1., 0., 0.], dtype=float32)
    """
    return (np.searchsorted(rows, rows, side="right") - 1 - np.arange(len(rows))).astype(np.float32)
