"""Cells of people's tables as numbers: keys and modes by name, durations on a clock, yes and no, names in one cell."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from common.utils.errors import InputError

YES_AND_NO = {"true": 1.0, "yes": 1.0, "1": 1.0, "1.0": 1.0, "false": 0.0, "no": 0.0, "0": 0.0, "0.0": 0.0}
PITCHES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
KEYS = {
    letter + mark: float((pitch + shift) % 12)
    for letter, pitch in PITCHES.items()
    for mark, shift in {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}.items()
}
"""Names of pitch classes: the number of semitones above C."""
MODES = {"major": 1.0, "maj": 1.0, "minor": 0.0, "min": 0.0}
BLANK = ("", "nan", "none", "null", "na", "<na>")
"""Spellings of nothing in a column of numbers."""
CLOCK = r"^(?:(\d+):)?(\d{1,2}):(\d{2}(?:\.\d+)?)$"
"""A duration as hours, minutes and seconds, the hours not needed."""
HOUR = 3600
"""A median below this says that a column of durations without a unit is in seconds."""
SEPARATORS = ("|", ";", ",")
_BETWEEN_GUESTS = re.compile(r"\s*(?:[,;|&+]|\band\b|\bwith\b|\bx\b)\s*", re.IGNORECASE)


def numbers(values: pd.Series, names: Mapping[str, float] | None = None) -> pd.Series:
    """A column of numbers, float64, NaN where there is none; UserError names the first row that holds no number.

    names: words that stand for numbers, in lower case.

    >>> numbers(pd.Series(["F#", 3, "bb", ""]), KEYS).tolist(), numbers(pd.Series(["Minor", 1]), MODES).tolist()
    ([6.0, 3.0, 10.0, nan], [0.0, 1.0])
    """
    if pd.api.types.is_numeric_dtype(values):
        return pd.Series(values.to_numpy(float, na_value=np.nan), values.index)
    plain = values.astype(object)
    spelled = plain.astype(str).str.strip().str.lower()
    there = plain.notna() & ~spelled.isin(BLANK)
    if names:
        plain = plain.where(~spelled.isin(list(names)), spelled.map(names))
    dates = values.dtype.kind in "mM"
    found = pd.to_numeric(plain.where(there & (not dates), np.nan), errors="coerce")
    refuse(values, there & found.isna(), "{!r} is not a number; correct it or leave it empty")
    return found.astype(float)


def yes_and_no(values: pd.Series) -> pd.Series:
    """A column of yes and no as 1.0, 0.0 and NaN; UserError names the first row that says neither.

    >>> yes_and_no(pd.Series([True, "no", 0, None])).tolist()
    [1.0, 0.0, 0.0, nan]
    """
    spelled = values.astype(object).astype(str).str.strip().str.lower()
    there = values.notna() & ~spelled.isin(BLANK)
    found = spelled.where(there).map(YES_AND_NO).astype(float)
    refuse(values, there & found.isna(), "{!r} is not true or false; correct it or leave it empty")
    return found


def milliseconds(values: pd.Series, unit: str = "") -> tuple[pd.Series, str]:
    """Durations in milliseconds, and the unit of those that are plain numbers: `s` or `ms`, found if not given.

    >>> milliseconds(pd.Series(["3:45", "1:00:00", 200]))[0].tolist(), milliseconds(pd.Series([225_000]))[1]
    ([225000.0, 3600000.0, 200000.0], 'ms')
    """
    parts = values.astype(object).astype(str).str.strip().str.extract(CLOCK).astype(float)
    clock = 3600 * parts[0].fillna(0) + 60 * parts[1] + parts[2]
    plain = numbers(values.astype(object).where(clock.isna(), None))
    if not unit:
        unit = "s" if not plain.median() >= HOUR else "ms"
    return (1000 * clock).fillna(plain * (1000 if unit == "s" else 1)), unit


def separator_of(values: pd.Series) -> str:
    """What stands between the names of a cell: the first of SEPARATORS that any cell has, "" for none.

    >>> separator_of(pd.Series(["A;B, the C", None])), separator_of(pd.Series(["A"]))
    (';', '')
    """
    cells = values.dropna().astype(str)
    return next((mark for mark in SEPARATORS if cells.str.contains(mark, regex=False).any()), "")


def joined_by_bars(values: pd.Series, separator: str) -> pd.Series:
    """Names of a cell joined by bars, without brackets and quotes of a printed list; None where there are none.

    >>> joined_by_bars(pd.Series(["['A', 'B']", " A ,", "", None]), ",").tolist()
    ['A|B', 'A', None, None]
    """

    def one(cell: object) -> str | None:
        text = str(cell).strip()
        listed = text.startswith("[") and text.endswith("]")
        names = text.strip("[]").split(separator) if separator else [text.strip("[]") if listed else text]
        plain = (name.strip().strip("'\"").strip() if listed else name.strip() for name in names)
        return "|".join(filter(None, plain)) or None

    distinct = {cell: None if str(cell).strip().lower() in BLANK else one(cell) for cell in values.dropna().unique()}
    return pd.Series([distinct.get(cell) for cell in values], values.index, object)


def split_guests(credit: str) -> list[str]:
    """The names of a credit of guests.

    >>> split_guests("Drake & Future, Ann Lee"), split_guests("")
    (['Drake', 'Future', 'Ann Lee'], [])
    """
    return [name for name in _BETWEEN_GUESTS.split(credit) if name]


def refuse(values: pd.Series, wrong: pd.Series, complaint: str) -> None:
    """Raise UserError for the first wrong value, which the complaint may quote."""
    if wrong.any():
        place = int(np.argmax(wrong.to_numpy()))
        raise InputError(f"column {values.name!r}, row {values.index[place]}: {complaint.format(values.iloc[place])}")
