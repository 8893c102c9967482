"""What a training is given beside data and settings, and what it comes to. Nothing here needs torch."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Curves = dict[str, list[float]]


@dataclass(frozen=True)
class RefitSchedule:
    """What a training came to, and enough of it to go through it again without a validation."""

    epochs: int
    """Epochs after which the kept weights were reached."""
    factors: list[float]
    """Of each epoch, by what the plateau has multiplied the learning rate."""
    curves: Curves = field(default_factory=dict)
    """Of each epoch gone through: `train/loss`, `train/learning_rate`, and `val/ndcg_10` (NaN where not measured)."""
    costs: dict[str, float] = field(default_factory=dict)
    """train_seconds, examples_per_second, epochs, best_epoch, seconds_to_best, and peak_gpu_mb on CUDA."""


@dataclass
class Place:
    """Where a training runs and what it leaves on disk."""

    device: str = "cpu"
    folder: Path | None = None
    """Folder of checkpoints; without one none are written."""
    identity: dict[str, Any] = field(default_factory=dict)
    """What a checkpoint must agree with to be resumed: model, settings, data, seed."""
    resume: bool = False
    title: str = "training"
    report: Callable[[dict[str, float], int], None] | None = None
    """Called with the values of each epoch, those before an interruption included."""
