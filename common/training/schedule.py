"""The learning rate as a function of the epoch."""

import math

from common.training.settings import TrainingSettings


def learning_rate(settings: TrainingSettings, progress: float, factor: float = 1.0) -> float:
    """The rate after `progress` epochs (fractions count): warm-up, then the schedule, times a plateau's factor.

    It depends on nothing but the settings and the recorded factors, so that a second training can replay the first.

    >>> settings = TrainingSettings(learning_rate=0.1, warmup=2.0, epochs=12, schedule="cosine")
    >>> [round(learning_rate(settings, epoch), 3) for epoch in (0, 1, 2, 7, 12)]
    [0.0, 0.05, 0.1, 0.05, 0.0]
    """
    if progress < settings.warmup:
        return settings.learning_rate * factor * progress / settings.warmup
    if settings.schedule == "cosine":
        share = (progress - settings.warmup) / max(1e-9, settings.epochs - settings.warmup)
        factor *= 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
    return settings.learning_rate * factor


def next_factor(settings: TrainingSettings, factor: float, since_best: int) -> float:
    """The factor of the epochs after a validation that was the `since_best`-th in a row without a better one.

    >>> settings = TrainingSettings(schedule="plateau", patience=4)
    >>> [next_factor(settings, 1.0, since) for since in (0, 1, 2, 3, 4)]
    [1.0, 1.0, 0.5, 1.0, 0.5]
    """
    wait = max(1, settings.patience // 2)
    plateau = settings.schedule == "plateau" and since_best and since_best % wait == 0
    return factor / 2 if plateau else factor
