"""Layers of networks in numpy, without dropout: what a loaded model needs to answer without torch.

Rows are float32 (n, width) throughout; formulas and names of weights are torch's.
"""

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from common.utils.arrays import below

SMALL = np.float32(1e-5)
"""What norms add to a variance."""


class Weights:
    """The weights of a network by name, as in its `state_dict`, and the layers that they make."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.arrays = arrays
        self._parts: dict[str, Weights] = {}

    def __contains__(self, layer: str) -> bool:
        """Whether there is such a layer."""
        return f"{layer}.weight" in self.arrays

    def __getitem__(self, name: str) -> np.ndarray:
        """An array by its whole name."""
        return self.arrays[name]

    def below(self, prefix: str) -> "Weights":
        """The weights of a part, by their names in it.

        >>> "out" in Weights({"users.out.weight": np.ones((1, 2))}).below("users")
        True
        """
        if prefix not in self._parts:
            self._parts[prefix] = Weights(below(self.arrays, f"{prefix}."))
        return self._parts[prefix]

    def linear(self, layer: str, rows: np.ndarray) -> np.ndarray:
        """x W' + b, the bias where there is one."""
        made = rows @ self[f"{layer}.weight"].T
        return made + self[f"{layer}.bias"] if f"{layer}.bias" in self.arrays else made

    def layer_norm(self, layer: str, rows: np.ndarray) -> np.ndarray:
        """Each row less its mean, in units of its spread (Ba et al. 2016)."""
        centred = rows - rows.mean(axis=-1, keepdims=True)
        spread = np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + SMALL)
        return centred / spread * self[f"{layer}.weight"] + self[f"{layer}.bias"]

    def batch_norm(self, layer: str, rows: np.ndarray) -> np.ndarray:
        """Each column less its running mean, in units of its running spread (Ioffe & Szegedy 2015)."""
        mean, variance = self[f"{layer}.mean"], self[f"{layer}.variance"]
        return (rows - mean) / np.sqrt(variance + SMALL) * self[f"{layer}.weight"] + self[f"{layer}.bias"]

    def mlp(self, layers: str, rows: np.ndarray) -> np.ndarray:
        """Linear, GELU, (dropout,) linear."""
        return self.linear(f"{layers}.3", gelu(self.linear(f"{layers}.0", rows)))


def relu(rows: np.ndarray) -> np.ndarray:
    """What is above 0."""
    return np.maximum(rows, 0)


def gelu(rows: np.ndarray) -> np.ndarray:
    """x times the share of a normal distribution below x (Hendrycks & Gimpel 2016)."""
    from scipy.special import erf

    return 0.5 * rows * (1 + erf(rows * np.float32(0.5**0.5)))


def softmax(rows: np.ndarray) -> np.ndarray:
    """Shares that sum to 1 along the last axis.

    >>> softmax(np.array([[0.0, 0.0, -np.inf]])).tolist()
    [[0.5, 0.5, 0.0]]
    """
    shares = np.exp(rows - rows.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def normalise(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1, but for those of no length."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def pooled(values: np.ndarray, rows: np.ndarray, n_rows: int) -> np.ndarray:
    """Sums of values (events, width) by row, (n_rows, width)."""
    shape = (n_rows, len(values))
    return sparse.csr_array((np.ones(len(rows), values.dtype), (rows, np.arange(len(rows)))), shape=shape) @ values
