"""Why an item is recommended, in numbers that add up."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Explanation:
    """What a score is made of.

    parts: what each part of the model adds; they sum to `score`. items int32 (n,) and contributions float64 (n,):
    what each item of the history adds, through whatever part; what is left of the score owes nothing to the history.
    """

    parts: dict[str, float]
    items: np.ndarray
    contributions: np.ndarray

    @property
    def score(self) -> float:
        """The score that is explained."""
        return sum(self.parts.values())

    def strongest(self, k: int) -> list[tuple[int, float]]:
        """The k items of the history that add most to the score, with what they add, most first.

        >>> Explanation({"als": 0.5}, np.array([7, 8, 9]), np.array([0.1, 0.4, -0.2])).strongest(2)
        [(8, 0.4), (7, 0.1)]
        """
        order = np.argsort(-self.contributions, kind="stable")[:k]
        return [(int(self.items[place]), float(self.contributions[place])) for place in order]

    def strongest_parts(self, k: int) -> list[tuple[str, float]]:
        """The k parts that move the score most, up or down, but for the `average` that every score starts from.

        >>> nothing = np.array([], np.int32), np.array([])
        >>> Explanation({"average": 0.1, "votes": 0.01, "tag_max": -0.05}, *nothing).strongest_parts(1)
        [('tag_max', -0.05)]
        """
        moving = [(name, by) for name, by in self.parts.items() if name != "average"]
        return sorted(moving, key=lambda part: -abs(part[1]))[:k]
