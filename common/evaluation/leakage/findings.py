"""The parts of a split as numbers, and what a check of them ends in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from common.data.ids import codes_of, sorted_ids

OK, LOOK, LEAK = "ok", "look", "leak"
Where = Callable[[int], str]


@dataclass(frozen=True)
class Finding:
    """One check. `count` of `of` rows (or users) are touched, or `value` was measured; `example` says where the first
    one stands; `advice` is one sentence on what it means and what to do."""

    check: str
    severity: str
    count: int
    of: int
    example: str = ""
    advice: str = ""
    value: float | None = None

    @property
    def found(self) -> str:
        """What was found, in words."""
        return f"{self.count:,} of {self.of:,}" if self.value is None else f"{self.value:+.2f}"


@dataclass(frozen=True)
class Part:
    """Rows of a part in file order: codes int64 (rows,) of user and item; time in seconds int64 (rows,) or None."""

    user: np.ndarray
    item: np.ndarray
    time: np.ndarray | None
    where: Where

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.user)


@dataclass(frozen=True)
class Parts:
    """A split to look into. negatives: user, item, negative as int64 codes (rows, 3), -1 for an unknown id."""

    protocol: str
    parts: dict[str, Part]
    item_ids: np.ndarray
    n_users: int
    negatives: np.ndarray | None = None
    negatives_where: Where = str

    def keys(self, part: Part) -> np.ndarray:
        """One number per (user, item) pair, int64 (rows,)."""
        return part.user * len(self.item_ids) + part.item

    @property
    def has_times(self) -> bool:
        """Whether every part has times."""
        return all(part.time is not None for part in self.parts.values())

    def joined(self, names: tuple[str, ...]) -> Part:
        """Some parts one below the other, those that are there; `where` names the part, too."""
        there = [self.parts[name] for name in names if name in self.parts]
        ends = np.cumsum([len(part) for part in there])

        def where(row: int) -> str:
            place = int(np.searchsorted(ends, row, side="right"))
            return there[place].where(row - int(ends[place]) + len(there[place]))

        times = [part.time for part in there if part.time is not None]
        return Part(
            np.concatenate([part.user for part in there]),
            np.concatenate([part.item for part in there]),
            np.concatenate(times) if len(times) == len(there) else None,
            where,
        )


def make_parts(
    protocol: str,
    frames: Mapping[str, tuple[pd.DataFrame, Where]],
    negatives: tuple[pd.DataFrame, Where] | None = None,
) -> Parts:
    """`Parts` from tables with user_id, item_id and perhaps timestamp; of negatives user_id, negative_id and item_id,
    which may be left out where each user has one row in test."""
    users = np.unique(np.concatenate([sorted_ids(frame["user_id"]) for frame, _ in frames.values()]))
    items = np.unique(np.concatenate([sorted_ids(frame["item_id"]) for frame, _ in frames.values()]))
    user_index, item_index = pd.Index(users), pd.Index(items)
    parts = {
        name: Part(
            codes_of(frame["user_id"], user_index),
            codes_of(frame["item_id"], item_index),
            frame["timestamp"].to_numpy() if "timestamp" in frame else None,
            where,
        )
        for name, (frame, where) in frames.items()
    }
    if negatives is None:
        return Parts(protocol, parts, items, len(users))
    table, where = negatives
    user = codes_of(table["user_id"], user_index)
    held_out = np.full(len(users), -1)
    held_out[parts["test"].user] = parts["test"].item
    item = codes_of(table["item_id"], item_index) if "item_id" in table else np.where(user >= 0, held_out[user], -1)
    rows = np.stack([user, item, codes_of(table["negative_id"], item_index)], axis=1)
    return Parts(protocol, parts, items, len(users), rows, where)


def finding(check: str, severity: str, bad: np.ndarray, where: Where, advice: str) -> Finding:
    """A finding from marks of the touched rows: `ok` where none is."""
    touched = np.flatnonzero(bad)
    if not len(touched):
        return Finding(check, OK, 0, len(bad), "", advice)
    return Finding(check, severity, len(touched), len(bad), where(int(touched[0])), advice)


def times_of(part: Part) -> np.ndarray:
    """Times of a part that has them."""
    if part.time is None:
        raise ValueError("this part has no times")
    return part.time
