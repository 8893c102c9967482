"""Greedy re-ranking: objectives that value a candidate given the items above it, and rules that forbid some.

Everything is vectorised over users: arrays are (users, candidates), candidates best first. An objective or rule keeps
the state of a batch of users; `update` tells it which candidate each user has just been given.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from scipy import sparse

from common.utils.arrays import sum_of_rows

ALPHA = 0.01
"""Share of the history's own mix that smooths the mix of a list (Steck 2018), so that no logarithm is infinite."""
DECIMALS = 12
"""Values are rounded to so many, lest sums in another order decide between equal candidates."""


class Objective(Protocol):
    """A part of a candidate's value that depends on the items above it."""

    def values(self, free: np.ndarray) -> np.ndarray:
        """Value of each candidate at the next place, float (users, candidates); `free`: not taken yet, bool alike."""

    def update(self, rows: np.ndarray, places: np.ndarray) -> None:
        """Users `rows` were given the candidates at `places`, int (rows,) each."""


class Rule(Protocol):
    """Forbids candidates, given the items above them."""

    def allowed(self, free: np.ndarray) -> np.ndarray:
        """Which of the free candidates may be taken, bool (users, candidates)."""

    def update(self, rows: np.ndarray, places: np.ndarray) -> None:
        """Users `rows` were given the candidates at `places`, int (rows,) each."""


class Dissimilarity:
    """MMR (Carbonell & Goldstein 1998): - max over the items j above of cos(i, j), nothing at the first place.

    An item without features counts as similar as the free candidates of that user are on average: it gains nothing by
    having none.
    """

    def __init__(self, items: np.ndarray, vectors: sparse.csr_array) -> None:
        codes, self.of_candidate = distinct(items)
        self.vectors = vectors[codes]
        self.transposed = sparse.csr_array(self.vectors.T.tocsr())
        # For a single user only the similarity to the taken items is computed.
        self.similarity = (self.vectors @ self.transposed).toarray() if len(items) > 1 else None
        self.known = (items >= 0) & (np.diff(self.vectors.indptr) > 0)[self.of_candidate]
        self.nearest: np.ndarray | None = None

    def values(self, free: np.ndarray) -> np.ndarray:
        """- the similarity to the nearest item above."""
        if self.nearest is None:
            return np.zeros(free.shape)
        return -average_where_unknown(self.nearest, self.known, free)

    def update(self, rows: np.ndarray, places: np.ndarray) -> None:
        """Update each candidate's largest similarity; items without features are similar to none."""
        if self.nearest is None:
            self.nearest = np.full(self.known.shape, -np.inf)
        of_rows = self.of_candidate[rows]
        taken = of_rows[np.arange(len(rows)), places]
        near = np.take_along_axis(self._similarity_to(taken), of_rows, axis=1)
        near[~self.known[rows, places]] = -np.inf
        self.nearest[rows] = np.maximum(self.nearest[rows], near)

    def _similarity_to(self, taken: np.ndarray) -> np.ndarray:
        """Similarity of the distinct items to some of them, float (len(taken), distinct)."""
        if self.similarity is not None:
            return self.similarity[taken]
        own = slice(*self.vectors.indptr[taken[0] : taken[0] + 2])
        return sum_of_rows(self.vectors.indices[own], self.vectors.data[own], self.transposed)[None]


class Calibration:
    """Steck 2018: - KL(p || q'), p the mix of the history, q' = (1 - a) q + a p, q the mean mix of the list's items.

    With S the summed mixes of the n items above that have one, candidate i of mix d leaves, up to what is the same for
    all candidates of a user, - KL = sum over g of p_g log(1 + (1 - a) d_g / ((1 - a) S_g + a (n + 1) p_g)).
    An item without features counts as the free candidates do on average; a history without features asks for nothing.
    """

    def __init__(self, items: np.ndarray, mixes: sparse.csr_array, target: sparse.csr_array) -> None:
        """Items int (users, candidates); mixes: rows that sum to 1, or 0 (n_items, values); target: (users, values)."""
        self.candidates = own = CandidateValues(items, mixes)
        self.known = (items >= 0) & (np.diff(own.rows.indptr) > 0).reshape(items.shape)
        self.target = target[:, own.columns].toarray()
        cell = own.user * own.width + own.rows.indices  # of the flattened `target`
        useful = self.target.ravel()[cell] > 0
        self.candidate, self.cell = own.candidate[useful], cell[useful]
        self.share, self.weight = (1 - ALPHA) * own.rows.data[useful], self.target.ravel()[self.cell]
        self.total, self.count = np.zeros(self.target.shape), np.zeros(len(items))

    def values(self, free: np.ndarray) -> np.ndarray:
        """How much nearer to the history's mix each candidate brings the list, in nats."""
        base = (1 - ALPHA) * self.total + ALPHA * (self.count + 1)[:, None] * self.target
        gains = self.weight * np.log(1 + self.share / base.ravel()[self.cell])
        summed = np.bincount(self.candidate, gains, free.size).reshape(free.shape)
        return average_where_unknown(summed, self.known, free)

    def update(self, rows: np.ndarray, places: np.ndarray) -> None:
        """Add the mixes of the new items to the lists'."""
        self.total[rows] += self.candidates.of(rows, places)
        self.count[rows] += self.known[rows, places]


class Cap:
    """At most `most` items of a list share a value (an artist, a genre); items without a value are not counted."""

    def __init__(self, items: np.ndarray, values: sparse.csr_array, most: int) -> None:
        self.candidates, self.most = CandidateValues(items, values), most
        self.counts = np.zeros((len(items), self.candidates.width), np.int32)

    def allowed(self, free: np.ndarray) -> np.ndarray:
        """Free candidates none of whose values is used up."""
        return free & ~self.candidates.any(self.counts >= self.most)

    def update(self, rows: np.ndarray, places: np.ndarray) -> None:
        """Count the values of the new items."""
        self.counts[rows] += self.candidates.of(rows, places) > 0


class Quota:
    """Places by proportion: Sainte-Lague's rule, as for search results by Dang & Croft 2012.

    Each place goes to the value g of the greatest p_g / (2 s_g + 1) of which a candidate is free: p the mix of the
    history, s_g the places that g has, an item of m values giving 1 / m place to each. A user without history gets no
    quota; nor is there one where no free candidate has a value of the history.
    """

    def __init__(self, items: np.ndarray, parts: sparse.csr_array, target: sparse.csr_array) -> None:
        """Items int (users, candidates); parts: rows that sum to 1 (n_items, values); target: p, (users, values)."""
        self.candidates = CandidateValues(items, parts)
        self.target = target[:, self.candidates.columns].toarray()
        self.seats = np.zeros(self.target.shape)

    def allowed(self, free: np.ndarray) -> np.ndarray:
        """Free candidates that have the value whose turn it is."""
        quotient = np.where(self.candidates.present(free), self.target / (2 * self.seats + 1), 0).round(DECIMALS)
        greatest = quotient.max(axis=1, initial=0)[:, None]
        return free & (self.candidates.any((quotient == greatest) & (quotient > 0)) | (greatest == 0))

    def update(self, rows: np.ndarray, places: np.ndarray) -> None:
        """Count the places that the values of the new items have."""
        self.seats[rows] += self.candidates.of(rows, places)


class CandidateValues:
    """Which values the candidates of a batch have: a sparse row for each candidate, over the values that occur."""

    def __init__(self, items: np.ndarray, values: sparse.csr_array) -> None:
        codes, of_candidate = distinct(items)
        found = values[codes]
        self.columns, narrow = np.unique(found.indices, return_inverse=True)
        self.width, self.shape = len(self.columns), items.shape
        found = sparse.csr_array((found.data, narrow, found.indptr), shape=(len(codes), self.width))
        self.rows = found[of_candidate.ravel()]
        self.candidate = np.repeat(np.arange(items.size), np.diff(self.rows.indptr))
        self.user = self.candidate // max(1, items.shape[1])

    def any(self, flags: np.ndarray) -> np.ndarray:
        """Which candidates have a value flagged for their user, bool (users, candidates); flags (users, values)."""
        found = np.zeros(self.shape[0] * self.shape[1], bool)
        found[self.candidate[flags[self.user, self.rows.indices]]] = True
        return found.reshape(self.shape)

    def present(self, free: np.ndarray) -> np.ndarray:
        """Which values some free candidate of the user has, bool (users, values)."""
        found = np.zeros((self.shape[0], self.width), bool)
        mine = free.ravel()[self.candidate]
        found[self.user[mine], self.rows.indices[mine]] = True
        return found

    def of(self, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
        """The values of one candidate of each of some users, float (rows, values)."""
        return self.rows[rows * self.shape[1] + places].toarray()


def choose(
    base: np.ndarray, free: np.ndarray, objectives: Sequence[tuple[float, Objective]], rules: Sequence[Rule], k: int
) -> np.ndarray:
    """Places of the chosen candidates, int64 (users, k), -1 where none is left that may be taken.

    At each place a user gets the allowed candidate of the greatest base + sum of weight x objective; of equal ones the
    first. base: float (users, candidates); free: bool alike, which candidates there are.
    """
    free, chosen = free.copy(), np.full((len(base), k), -1, np.int64)
    for place in range(min(k, base.shape[1])):
        allowed = free
        for rule in rules:
            allowed = rule.allowed(allowed)
        value = base + sum(weight * objective.values(free) for weight, objective in objectives)
        value = np.where(allowed, value.round(DECIMALS), -np.inf)
        rows = np.flatnonzero(allowed.any(axis=1))
        if not len(rows):
            break
        best = value[rows].argmax(axis=1)
        chosen[rows, place] = best
        free[rows, best] = False
        for part in [objective for _, objective in objectives] + list(rules):
            part.update(rows, best)
    return chosen


def distinct(items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct items of a batch and, of each candidate, which of them it is (any, for a padding of -1)."""
    codes, which = np.unique(np.maximum(items, 0), return_inverse=True)
    return codes, which.reshape(items.shape)


def average_where_unknown(values: np.ndarray, known: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Values float (users, candidates), of unknown candidates the mean of the free known ones, else 0.

    >>> average_where_unknown(np.array([[1.0, 3.0, 9.0]]), np.array([[True, True, False]]), np.ones((1, 3), bool))
    array([[1., 3., 2.]])
    """
    among = known & free & np.isfinite(values)
    total = np.where(among, values, 0).sum(axis=1)
    mean = total / np.maximum(among.sum(axis=1), 1)
    return np.where(known & np.isfinite(values), values, mean[:, None])
