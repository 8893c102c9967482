"""Search ranges that a settings class declares on its fields."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """A number between `low` and `high`, both included, searched on a log scale if asked."""

    low: float
    high: float
    log: bool = False
