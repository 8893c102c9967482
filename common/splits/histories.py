"""Histories: the items of each of many users, in order, as a ragged (CSR) array."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from common.utils.arrays import weigh


@dataclass(frozen=True)
class Histories:
    """Ragged histories of `len(self)` users over a catalogue of `n_items` items.

    User r owns the slice `indptr[r]:indptr[r + 1]` of the flat arrays, oldest first where the data has an order.
    Shapes: indptr int64 (users + 1,), items int32 (events,), weights float32 (events,), timestamps int64 (events,)
    in seconds or None.
    """

    indptr: np.ndarray
    items: np.ndarray
    weights: np.ndarray
    n_items: int
    timestamps: np.ndarray | None = None

    def __len__(self) -> int:
        """Number of users."""
        return len(self.indptr) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        """Item codes of one user, int32."""
        return self.items[self.indptr[row] : self.indptr[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """Events per user, int64 (users,)."""
        return np.diff(self.indptr)

    @property
    def own(self) -> "Histories":
        """What this process may read: everything, but of a `Shard` the histories of its own users."""
        return self

    @property
    def own_users(self) -> slice:
        """The users of `own`."""
        return slice(0, len(self))

    def cuts(self, parts: int) -> np.ndarray:
        """Users at which the histories are cut into parts of nearly as many events, int64 (parts + 1,).

        >>> Histories.from_lists([[0], [1], [0, 1, 2], [2]], n_items=3).cuts(2)
        array([0, 3, 4])
        """
        return cuts_of(self.indptr, parts)

    @property
    def rows(self) -> np.ndarray:
        """Row of the user of each event, int64 (events,), rising."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def from_end(self) -> np.ndarray:
        """How many events each event has after it in its history, int64 (events,)."""
        return np.repeat(self.indptr[1:], self.lengths) - 1 - np.arange(len(self.items))

    @staticmethod
    def from_lists(lists: Sequence[Sequence[int]], n_items: int) -> "Histories":
        """Histories from plain lists of item codes, every weight 1.

        >>> Histories.from_lists([[2, 0], []], n_items=3).matrix().toarray()
        array([[1., 0., 1.],
               [0., 0., 0.]], dtype=float32)
        """
        lengths = [len(items) for items in lists]
        flat = np.fromiter((i for items in lists for i in items), dtype=np.int32, count=sum(lengths))
        if len(flat) and (flat.min() < 0 or flat.max() >= n_items):
            raise ValueError(f"item codes must lie in 0..{n_items - 1}")
        indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
        return Histories(indptr, flat, np.ones(len(flat), np.float32), n_items)

    @staticmethod
    def from_events(
        users: np.ndarray,
        items: np.ndarray,
        weights: np.ndarray,
        n_users: int,
        n_items: int,
        timestamps: np.ndarray | None = None,
    ) -> "Histories":
        """Histories from event rows; rows of one user keep the order they come in."""
        order = np.argsort(users, kind="stable")
        indptr = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=n_users))]).astype(np.int64)
        times = None if timestamps is None else timestamps[order]
        return Histories(indptr, items[order].astype(np.int32), weights[order].astype(np.float32), n_items, times)

    def owners(self, events: np.ndarray) -> np.ndarray:
        """Row of the user of some events by their places, int64 (len(events),)."""
        return np.searchsorted(self.indptr, events, side="right") - 1

    def has_after(self, n: int) -> np.ndarray:
        """Which events have n others after them in their history, bool (events,).

        >>> Histories.from_lists([[2, 0, 1], [1]], n_items=3).has_after(1)
        array([False,  True, False, False])
        """
        found = np.zeros(len(self.items), bool)
        found[(self.indptr[1:] - 1 - n)[self.lengths > n]] = True
        return found

    def take(self, rows: np.ndarray | Sequence[int]) -> "Histories":
        """The histories of some users, in the order of `rows`, int (n,); an empty one for -1."""
        rows = np.asarray(rows, np.int64)
        lengths = np.where(rows >= 0, self.lengths[rows], 0)
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        source = np.arange(indptr[-1]) - np.repeat(indptr[:-1] - self.indptr[rows], lengths)
        times = None if self.timestamps is None else self.timestamps[source]
        return Histories(indptr, self.items[source], self.weights[source], self.n_items, times)

    def keep(self, kept: np.ndarray) -> "Histories":
        """The same users with some of their events, bool (events,)."""
        indptr = np.concatenate([[0], np.cumsum(kept)])[self.indptr]
        times = None if self.timestamps is None else self.timestamps[kept]
        return Histories(indptr, self.items[kept], self.weights[kept], self.n_items, times)

    def first(self, lengths: np.ndarray) -> "Histories":
        """Every history cut to its first `lengths` items, int (users,)."""
        place = np.arange(len(self.items)) - np.repeat(self.indptr[:-1], self.lengths)
        return self.keep(place < np.repeat(lengths, self.lengths))

    def matrix(self) -> sparse.csr_array:
        """Users x items matrix of summed weights, float32, indices sorted."""
        matrix = sparse.csr_array((self.weights, self.items, self.indptr), shape=(len(self), self.n_items))
        matrix = matrix.copy()
        matrix.sum_duplicates()
        return matrix


def cuts_of(starts: np.ndarray, parts: int) -> np.ndarray:
    """Rows at which a ragged array is cut into parts of nearly as many entries; starts: int64 (rows + 1,)."""
    cuts = np.searchsorted(starts, int(starts[-1]) * np.arange(parts + 1) / parts)
    cuts[-1] = len(starts) - 1
    return cuts.astype(np.int64)


@dataclass(frozen=True)
class Query:
    """Users to recommend to: codes int64 (rows,), -1 for one whom no model was fitted on, and the history of each.

    hours: when each asks, as `request_time.hour_of_week` says it, int64 (rows,); None where nobody knows.
    """

    users: np.ndarray
    given: Histories
    hours: np.ndarray | None = None

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.users)

    def take(self, rows: np.ndarray) -> "Query":
        """Some of the rows."""
        return Query(self.users[rows], self.given.take(rows), None if self.hours is None else self.hours[rows])


def history_matrix(histories: Histories, weighting: str, decay: float = 0.0) -> sparse.csr_array:
    """Users x items matrix of what an item of a history weighs; n events before the last it fades by exp(-decay n).

    >>> history_matrix(Histories.from_lists([[0, 2]], 3), "binary", decay=0.5).toarray().round(3)
    array([[0.607, 0.   , 1.   ]])
    """
    matrix = weigh(histories.matrix(), weighting)
    if decay == 0:
        return matrix
    fading = np.exp(-decay * histories.from_end)
    faded = sparse.csr_array((fading, histories.items, histories.indptr), shape=matrix.shape)
    return sparse.csr_array(matrix.multiply(faded))


def pack_histories(histories: Histories) -> dict[str, np.ndarray]:
    """Histories as named arrays."""
    return {"past_indptr": histories.indptr, "past_items": histories.items, "past_weights": histories.weights}


def unpack_histories(arrays: dict[str, np.ndarray], n_items: int) -> Histories:
    """The histories that `pack_histories` took apart."""
    return Histories(arrays["past_indptr"], arrays["past_items"], arrays["past_weights"], n_items)
