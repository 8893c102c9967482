"""Many ridge regressions against one matrix of factors: the half step of alternating least squares, exact.

For each row, with the items i that it holds, their weights w_i and a regularisation l of its own,

    min over x of  sum over held i of (1 + w_i) (1 - x . y_i)^2  +  sum over the rest of (x . y_i)^2  +  l |x|^2
    x = (Y'Y + l I + Y_h' W Y_h)^-1 Y_h' (1 + w)                  Y_h: the factors of the n held items, W = diag(w)

In the eigenbasis of Y'Y = Q diag(e) Q' the common part is diagonal whatever l is: with Z = Y Q and A = diag(e + l),

    x = Q z,    z = (A + Z_h' W Z_h)^-1 Z_h' (1 + w)  =  A^-1 Z_h' (I + W Z_h A^-1 Z_h')^-1 (1 + w)

The last form solves n x n instead of factors x factors. With S = W^(1/2) its matrix is S (I + S Z_h A^-1 Z_h' S) S^-1,
so that both ways solve positive definite systems, which Cholesky factorises in half the operations of elimination.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse

BLOCK_BYTES = 2**24
"""Memory that solving one block of rows may take; larger blocks are fetched anew from the system each time."""
LEAST_WEIGHT = 1e-12
"""What stands for a weight of zero where roots of weights are divided by."""
LONG = 4096
"""Held items from which on they are not gathered all at once."""


class Ridge:
    """Regressions against factors, float (items, factors), in their precision; float64 for exact ones."""

    def __init__(self, factors: np.ndarray) -> None:
        gram = factors.astype(np.float64, copy=False)
        values, self.basis = np.linalg.eigh(gram.T @ gram)
        self.values = np.maximum(values, 0.0).astype(factors.dtype)
        self.basis = self.basis.astype(factors.dtype)
        self.turned = factors @ self.basis

    def solve(self, weights: sparse.csr_array, regularisation: np.ndarray) -> np.ndarray:
        """Solutions (rows, factors) of rows with weights (rows, items) and regularisation (rows,), zero where empty."""
        found = np.zeros((weights.shape[0], len(self.values)), self.turned.dtype)
        for rows, items, w in _of_equal_length(weights, len(self.values)):
            found[rows] = self._solved(items, w.astype(self.turned.dtype), regularisation[rows])
        return found @ self.basis.T

    def _solved(self, items: np.ndarray, w: np.ndarray, regularisation: np.ndarray) -> np.ndarray:
        """Solutions in the eigenbasis of rows that hold n items each: items, w (rows, n)."""
        common = self.values + regularisation.astype(self.turned.dtype)[:, None]
        if items.shape[1] > len(self.values):
            systems, right = self._systems(items, w)
            systems[:, range(len(self.values)), range(len(self.values))] += common
            return _solved(systems, right)
        held = self.turned[items]
        projected = held / common[:, None, :]
        root = np.sqrt(np.maximum(w, LEAST_WEIGHT))
        systems = (projected @ held.transpose(0, 2, 1)) * root[:, :, None] * root[:, None, :]
        systems[:, range(items.shape[1]), range(items.shape[1])] += 1
        inner = root * _solved(systems, (1 + w) / root)
        return (inner[:, None, :] @ projected)[:, 0]

    def _systems(self, items: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Z_h' W Z_h (rows, f, f) and Z_h' (1 + w) (rows, f), summed over some of many held items at a time."""
        f = len(self.values)
        systems = np.zeros((len(items), f, f), self.turned.dtype)
        right = np.zeros((len(items), f), self.turned.dtype)
        for start in range(0, items.shape[1], LONG):
            part = slice(start, start + LONG)
            held = self.turned[items[:, part]]
            systems += held.transpose(0, 2, 1) @ (w[:, part, None] * held)
            right += ((1 + w[:, None, part]) @ held)[:, 0]
        return systems, right

    def influence(self, items: np.ndarray, w: np.ndarray, regularisation: float, towards: np.ndarray) -> np.ndarray:
        """What each held item of one row adds to y . x for some y = towards (m, f); (n, m), summing to y . x.

        y . x = sum over held j of (1 + w_j) y' M^-1 y_j, M the system's matrix (Hu, Koren & Volinsky 2008, section 5).
        """
        systems, _ = self._systems(items[None], w[None].astype(self.turned.dtype))
        systems[0, range(len(self.values)), range(len(self.values))] += self.values + regularisation
        solved = np.linalg.solve(systems[0], (towards @ self.basis).T)
        return (1 + w)[:, None] * (self.turned[items] @ solved)


def _solved(systems: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solutions (rows, n) of positive definite systems (rows, n, n) and right sides (rows, n).

    One LAPACK call a row: NumPy has no such solver for many systems, and its elimination takes up to three times as
    long. It is left for systems that rounding has made indefinite.
    """
    from scipy.linalg import get_lapack_funcs

    solve: Any = get_lapack_funcs("posv", (systems, right))
    found = np.empty_like(right)
    for row, system in enumerate(systems):
        _, found[row], fault = solve(system.T, right[row])
        if fault:
            found[row] = np.linalg.solve(system, right[row])
    return found


def _of_equal_length(weights: sparse.csr_array, f: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Rows (b,) that hold n items, with the items (b, n) and their weights (b, n).

    Rows of one length are solved together, without padding, so that none depends on the others.
    """
    lengths = np.diff(weights.indptr)
    for n in np.unique(lengths[lengths > 0]):
        rows = np.flatnonzero(lengths == n)
        held = 8 * int(min(n, LONG)) * (2 * f + int(min(n, f))) + 8 * f * f * (n > f)
        most = max(1, BLOCK_BYTES // held)
        for start in range(0, len(rows), most):
            block = rows[start : start + most]
            places = weights.indptr[block][:, None] + np.arange(n)
            yield block, weights.indices[places], weights.data[places]
