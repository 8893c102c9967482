"""A network that keeps what its weights make of all users or items."""

from typing import Any, Self

from torch import nn


class CachedModule(nn.Module):
    """A network that keeps what was made with its weights, until they change."""

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[str, Any] = {}
        """What the weights as they are make of all users or items, for scoring."""

    def train(self, mode: bool = True) -> Self:
        """As in torch; what was made with the weights is forgotten before they change."""
        if mode:
            self.made = {}
        return super().train(mode)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """As in torch; what was made with the former weights is forgotten."""
        self.made = {}
        return super().load_state_dict(*args, **kwargs)
