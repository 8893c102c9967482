"""What moves the weights: Adam, and the average of the weights that it has come by."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from common.training.settings import TrainingSettings
from common.utils.arrays import below

BEGIN = 10
"""Steps after which the average no longer consists of the newest weights above all; see `WeightAverage`."""


def make_optimiser(network: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Adam or AdamW, fused into one kernel; matrices decay, biases and norms do not."""
    matrices = [weight for weight in network.parameters() if weight.dim() > 1]
    others = [weight for weight in network.parameters() if weight.dim() <= 1]
    kind = torch.optim.AdamW if settings.optimiser == "adamw" else torch.optim.Adam
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return kind(groups, lr=settings.learning_rate, betas=(0.9, 0.98), fused=True)


class WeightAverage:
    """The moving average of a network's weights and buffers over its steps (Polyak & Juditsky 1992).

        average = d_t average + (1 - d_t) weights,      d_t = min(decay, (1 + t) / (BEGIN + t)) at step t = 1, 2, ...

    With a decay of 0 there is none, and the weights stand for themselves.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        kept = network.state_dict() if decay else {}  # shares its memory with the network
        self.weights = {name: tensor for name, tensor in kept.items() if tensor.is_floating_point()}
        self.average = {name: tensor.clone() for name, tensor in self.weights.items()}

    def update(self) -> None:
        """Take in the weights after a step."""
        if self.average:
            self.steps += 1
            decay = min(self.decay, (1 + self.steps) / (BEGIN + self.steps))
            get_ema_multi_avg_fn(decay)(list(self.average.values()), list(self.weights.values()), self.steps)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network has the average while the block runs."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def settle(self) -> None:
        """Leave the average in the network, for good."""
        with torch.no_grad():
            for name, average in self.average.items():
                self.weights[name].copy_(average)

    def _swap(self) -> None:
        with torch.no_grad():
            for name, average in self.average.items():
                newest = self.weights[name].clone()
                self.weights[name].copy_(average)
                average.copy_(newest)

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps; nothing where there is no average."""
        if not self.average:
            return {}
        return {f"average/{name}": tensor for name, tensor in self.average.items()} | {
            "averaged_steps": torch.tensor(self.steps)
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` gave; KeyError for a checkpoint that lacks it."""
        kept = below(tensors, "average/")
        with torch.no_grad():
            for name, average in self.average.items():
                average.copy_(kept[name])
        if self.average:
            self.steps = int(tensors["averaged_steps"])
