"""Re-ranking settings by the length of a user's history."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from common.reranking.item_facts import Reranking


@dataclass(frozen=True)
class ByHistory:
    """Settings of each segment of users, from the shortest histories to the longest.

    least: least length of the history in each segment, rising, the first 0; settings: as many.
    """

    least: tuple[int, ...]
    settings: tuple[Reranking, ...]

    def rows(self, lengths: np.ndarray) -> list[np.ndarray]:
        """Which rows are of each segment, by the lengths of their histories, int64 each.

        >>> ByHistory((0, 5), (Reranking(), Reranking())).rows(np.array([7, 0, 5]))
        [array([1]), array([0, 2])]
        """
        return segments_of(lengths, self.least)

    def changed(self) -> dict[str, Any]:
        """What a run's settings say of it."""
        return {"least": list(self.least), "by_history": [changed(settings) for settings in self.settings]}


def segments_of(lengths: np.ndarray, least: tuple[int, ...]) -> list[np.ndarray]:
    """Rows of each segment, int64 each, by the least length of each."""
    segment = np.searchsorted(least, lengths, side="right") - 1
    return [np.flatnonzero(segment == number) for number in range(len(least))]


def changed(settings: Reranking) -> dict[str, Any]:
    """The settings that differ from their defaults."""
    return {key: value for key, value in asdict(settings).items() if value != getattr(Reranking(), key)}
