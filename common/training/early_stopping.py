"""Early stopping: training ends once validation has not improved for `patience` validations in a row."""

from dataclasses import dataclass
from typing import Any


@dataclass
class EarlyStopping:
    """The best validation so far, and whether training goes on.

    >>> stopping = EarlyStopping(patience=2, validate_every=1)
    >>> [(stopping.improves(value, epoch), stopping.is_over) for epoch, value in enumerate([0.2, 0.3, 0.1, 0.3], 1)]
    [(True, False), (True, False), (False, False), (False, True)]
    >>> stopping.best, stopping.best_epoch
    (0.3, 2)
    """

    patience: int
    """Validations in a row without a better one after which training stops."""
    validate_every: int
    """Epochs between two validations."""
    best: float | None = None
    best_epoch: int = 0
    since_best: int = 0
    """Validations since the best one."""

    def is_due(self, epoch: int, last_epoch: int) -> bool:
        """Whether validation is to be measured after an epoch; after the last one it always is."""
        return epoch % self.validate_every == 0 or epoch == last_epoch

    def improves(self, value: float, epoch: int) -> bool:
        """Take in a validation; whether it is the best so far."""
        if self.best is None or value > self.best:
            self.best, self.best_epoch, self.since_best = value, epoch, 0
            return True
        self.since_best += 1
        return False

    @property
    def is_over(self) -> bool:
        """Whether training stops now."""
        return self.since_best >= self.patience

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {"best": self.best, "best_epoch": self.best_epoch, "since_best": self.since_best}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what `state` gave, from a checkpoint with more in it; from an empty one, start anew."""
        self.best, self.best_epoch = state.get("best"), int(state.get("best_epoch", 0))
        self.since_best = int(state.get("since_best", 0))
