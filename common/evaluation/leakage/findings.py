"""The parts of a split as numbers, and what a check of them ends in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from common.data.ids import PAIR, codes_of, sorted_ids
from common.data.sources.custom.folder import NEGATIVES
from common.data.sources.custom.raw_rows import RawTable

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
class Parts:
    """A split to look into.

    parts: tables of user and item as int64 codes and, where a part has it, time in seconds, rows in file order;
    negatives: user, item, negative as int64 codes, -1 for an unknown id; places: where a row of a table stands in its
    file, in words; item_ids: object (n_items,), sorted, by code.
    """

    protocol: str
    parts: dict[str, pd.DataFrame]
    negatives: pd.DataFrame | None
    places: dict[str, Where]
    item_ids: np.ndarray

    def keys(self, rows: pd.DataFrame) -> np.ndarray:
        """One number per (user, item) pair, int64 (rows,)."""
        return (rows["user"] * len(self.item_ids) + rows["item"]).to_numpy()

    @property
    def has_times(self) -> bool:
        """Whether every part has times."""
        return all("time" in part for part in self.parts.values())

    def joined(self, *names: str) -> pd.DataFrame:
        """Some parts one below the other, those that are there, labelled (part, row); time only if all have it."""
        return pd.concat({name: self.parts[name] for name in names if name in self.parts}, join="inner")

    def where(self, rows: pd.DataFrame) -> Where:
        """Where each row of `joined` stands in its file, in words."""

        def place(row: int) -> str:
            name, number = rows.index[row]
            return self.places[name](number)

        return place


def make_parts(protocol: str, tables: Mapping[str, RawTable]) -> Parts:
    """`Parts` from tables with user_id, item_id and perhaps timestamp; of negatives user_id, negative_id and item_id,
    which may be left out where each user has one row in test."""
    frames = {name: table.rows for name, table in tables.items() if name != NEGATIVES}
    users, items = (
        np.unique(np.concatenate([sorted_ids(frame[column]) for frame in frames.values()])) for column in PAIR
    )
    user_index, item_index = pd.Index(users), pd.Index(items)
    parts = {}
    for name, frame in frames.items():
        codes = {"user": codes_of(frame["user_id"], user_index), "item": codes_of(frame["item_id"], item_index)}
        parts[name] = pd.DataFrame(codes | ({"time": frame["timestamp"].to_numpy()} if "timestamp" in frame else {}))
    negatives = None
    if NEGATIVES in tables:
        rows = tables[NEGATIVES].rows
        user, negative = codes_of(rows["user_id"], user_index), codes_of(rows["negative_id"], item_index)
        if "item_id" in rows:
            item = codes_of(rows["item_id"], item_index)
        else:
            item = parts["test"].groupby("user")["item"].last().reindex(user, fill_value=-1).to_numpy()
        negatives = pd.DataFrame({"user": user, "item": item, "negative": negative})
    return Parts(protocol, parts, negatives, {name: table.where for name, table in tables.items()}, items)


def row_of(name: str) -> Where:
    """Where each row of a table stands, by its number from 1."""
    return lambda row: f"{name}, row {row + 1}"


def finding(check: str, severity: str, bad: np.ndarray, where: Where, advice: str) -> Finding:
    """A finding from marks of the touched rows: `ok` where none is."""
    touched = np.flatnonzero(bad)
    if not len(touched):
        return Finding(check, OK, 0, len(bad), "", advice)
    return Finding(check, severity, len(touched), len(bad), where(int(touched[0])), advice)
