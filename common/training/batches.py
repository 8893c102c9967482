"""What a network is trained on: epochs of batches, and their way to the device."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class Epoch(ABC):
    """One pass over the training data, drawn from a seed and the epoch's number."""

    order: np.ndarray
    """The training examples in the order of this epoch, over all batches and processes, int64 (examples,)."""
    size: int
    """Examples of a batch, over all processes."""

    @property
    def n_examples(self) -> int:
        """Training examples, over all batches and processes."""
        return len(self.order)

    @property
    def n_batches(self) -> int:
        """Steps."""
        return -(-len(self.order) // self.size)

    def examples(self, step: int) -> np.ndarray:
        """The examples of a batch, over all processes."""
        return self.order[step * self.size : (step + 1) * self.size]

    @abstractmethod
    def batch(self, step: int, rank: int, world: int) -> dict[str, Any]:
        """Arguments of the network for one process's share of a batch: arrays and plain numbers."""

    @abstractmethod
    def weight(self, step: int) -> float:
        """By what the summed loss of a whole batch is divided: its tokens, over all processes."""

    @abstractmethod
    def describe(self, step: int) -> str:
        """What is in a batch, for a message."""


class Batches(Protocol):
    """Training data of a network."""

    def epoch(self, number: int) -> Epoch:
        """The batches of an epoch, counted from 1."""


def to_device(batch: dict[str, Any], device: str) -> dict[str, Any]:
    """Arrays as tensors on a device, copied while it works on; all else as it is."""
    import torch

    tensors = {name: torch.from_numpy(value) for name, value in batch.items() if isinstance(value, np.ndarray)}
    if device.startswith("cuda"):
        tensors = {name: t.pin_memory().to(device, non_blocking=True) for name, t in tensors.items()}
    return batch | tensors
