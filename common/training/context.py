"""What a fit is given beside data and settings, and what a validated training chose. Nothing here needs torch."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Curves = dict[str, list[float]]


@dataclass(frozen=True)
class RefitSchedule:
    """What a training chose, and enough of it to train again without validation."""

    epochs: int
    """Epochs after which the kept weights were reached."""
    factors: list[float]
    """Of each epoch, by what the plateau has multiplied the learning rate."""
    curves: Curves = field(default_factory=dict)
    """Of each epoch trained: `train/loss`, `train/learning_rate`, and `val/ndcg_10` (NaN where not measured)."""
    costs: dict[str, float] = field(default_factory=dict)
    """train_seconds, examples_per_second, epochs, best_epoch, seconds_to_best, and peak_gpu_mb on CUDA."""


@dataclass(frozen=True)
class FitContext:
    """Where a fit keeps its checkpoints, whom it reports to, and what it may share with other fits."""

    checkpoints: Path | None = None
    """Folder of checkpoints; None: none are written."""
    resume: bool = False
    """Whether training continues from the checkpoint in that folder."""
    report: Callable[[dict[str, float], int], None] | None = None
    """Called with the values of each epoch and its number, from 1, those before an interruption included."""
    data_sha256: str = ""
    """Hash of the data set: what a checkpoint must agree with."""
    shared: dict[Any, Any] | None = None
    """Training data that several fits of one experiment use; None: nothing is shared."""
    kept: Path | None = None
    """Folder of training data that the fits of several commands use; None: none is kept on disk."""


NO_CONTEXT = FitContext()
