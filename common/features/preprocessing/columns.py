"""Columns of a frame read with their types, and the frame's mistakes told apart from its gaps."""

from collections.abc import Iterable
from itertools import chain

import numpy as np
import pandas as pd

from common.features.preprocessing.cells import KEYS, MODES, numbers, refuse, split_guests, yes_and_no
from common.features.preprocessing.formulas import COLUMNS, DAY, PARTS, STAND_INS, TEXTS
from common.features.preprocessing.report import Notes
from common.features.preprocessing.text_encoder import guests, items_are_artists, words
from common.utils.errors import InputError, UserError

LABELS = ("artist", "gender", "country", *TEXTS)
"""Columns of words; all others hold numbers."""
YEARS = (1860, 2100)
"""Years of sound recordings: the first is of 1860."""
POSSIBLE = {
    "release_year": YEARS,
    "age": (1, 120),
    "duration_ms": (1, np.inf),
    "tempo": (1, np.inf),
    "time_signature": (3, 4),
    "key": (0, 11),
    "mode": (0, 1),
}
"""What a value may be; anything else (a tempo of 0, a bar of 5 beats, a key of -1) counts as missing."""
WHOLE = ("time_signature", "key", "mode")
"""Columns of which a number with a fraction says nothing."""
HUGE = 1e30
"""Larger numbers count as infinite: their squares and ratios would overflow."""
YEAR = r"^(\d{4})(?!\d)"
"""How a date begins from which a year is taken."""
ABSENT = "not in the data"
Columns = dict[str, list[str]]
"""Names of columns by part."""


def is_there(column: str, frame: pd.DataFrame) -> bool:
    """Whether a frame has a column, or the one that may stand in for it."""
    return any(name in frame for name in (column, *STAND_INS.get(column, ())))


def typed(frame: pd.DataFrame, columns: Columns, notes: Notes) -> pd.DataFrame:
    """The columns of all parts with their types, on the frame's own index: float64 with NaN, or object with None.

    What is infinite or impossible becomes missing and is noted. Raises UserError for a word where a number belongs
    and for negative plays.
    """
    clean = {}
    for column in chain.from_iterable(columns.values()):
        if column in LABELS:
            clean[column] = _artists(frame) if column == "artist" else words(frame[column])
            continue
        clean[column] = _possible(_numbers(column, frame, notes), column, notes)
    rows = pd.DataFrame(clean, index=frame.index)
    if "weight" in rows:
        plays = rows["weight"]
        refuse(plays, plays < 0, "{:g} plays are fewer than none; correct the row or remove it")
    return rows


def _numbers(column: str, frame: pd.DataFrame, notes: Notes) -> pd.Series:
    """A column of numbers, or what is read in its place."""
    if column == "release_year":
        return _years(frame, notes)
    if column == "featured_artists":
        return _featured(frame)
    values = frame[column].rename(notes.read_from.get(column, column))
    if column == "explicit":
        return yes_and_no(values)
    return numbers(values, {"key": KEYS, "mode": MODES}.get(column))


def _featured(frame: pd.DataFrame) -> pd.Series:
    """How many artists are featured: those of the column, else all but the first artist, else the title's guests."""
    column = next(name for name in ("featured_artists", *STAND_INS["featured_artists"]) if name in frame)
    names = words(frame[column])
    count = {
        "featured_artists": lambda cell: len(cell.split("|")),
        "artist_names": lambda cell: cell.count("|"),
        "name": lambda cell: len(split_guests(guests(cell))),
    }[column]
    return names.map({cell: count(cell) for cell in names.dropna().unique()}).fillna(0).astype(float)


def _possible(values: pd.Series, column: str, notes: Notes) -> pd.Series:
    infinite = values.abs() > HUGE
    notes.add("infinite values", column, infinite.sum(), "made missing")
    values = values.mask(infinite)
    least, most = POSSIBLE.get(column, (-np.inf, np.inf))
    outside = (values < least) | (values > most)
    if column in WHOLE:
        outside |= values.notna() & (values % 1 != 0)
    if column == "time_signature":
        notes.add("time signatures", column, outside.sum(), "neither 3 nor 4, made missing")
    else:
        notes.add("impossible values", column, outside.sum(), f"not from {least:g} to {most:g}, made missing")
    return values.mask(outside)


def _years(frame: pd.DataFrame, notes: Notes) -> pd.Series:
    """Release years, those that are missing from the release date where it begins with a year."""
    nothing = pd.Series(np.nan, frame.index)
    years = numbers(frame["release_year"]) if "release_year" in frame else nothing
    if "release_date" not in frame:
        return years
    from_date = words(frame["release_date"]).str.extract(YEAR, expand=False).astype(float)
    notes.add("release dates", "release_year", (years.isna() & from_date.notna()).sum(), "year taken from release_date")
    return years.fillna(from_date)


def _artists(frame: pd.DataFrame) -> pd.Series:
    """The artist column, or else the first of the artists' names."""
    if "artist" in frame:
        return words(frame["artist"])
    return words(words(frame["artist_names"]).str.split("|").str[0])


def require(frame: pd.DataFrame, columns: Iterable[str], why: str, itself: bool = False) -> None:
    """Raise UserError for the first column that the frame lacks (`itself`: nothing may stand in for it)."""
    if not isinstance(frame, pd.DataFrame):
        sparse = ", as sparse data are no table" if hasattr(frame, "nnz") else ""
        raise InputError(f"give a pandas data frame, not {type(frame).__name__}{sparse}")
    for column in columns:
        if not (column in frame if itself else is_there(column, frame)):
            raise InputError(f"the frame has no column {column!r}, {why}; add it (it has {', '.join(map(str, frame))})")


def require_sound(frame: pd.DataFrame, keys: Iterable[str]) -> None:
    """Raise UserError for two columns of one name or a row without an id."""
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise InputError(f"the frame has two columns {twice[0]!r}; rename or remove one")
    for key in keys:
        refuse(frame[key], frame[key].isna(), "the id is missing; give one")


def choose(
    frame: pd.DataFrame, dropped_on: Iterable[str], reference_year: int | None, notes: Notes
) -> tuple[pd.DataFrame, Columns, dict[str, str]]:
    """What a fit can use of a frame: typed columns, the names of those that are used, and why others are left out.

    Columns of texts are among them where rows are to be dropped on them.
    """
    possible = {part: list(COLUMNS[part]) for part in PARTS}
    possible["items"] += [column for column in TEXTS if column in dropped_on]
    left_out = {c: ABSENT for part in PARTS for c in possible[part] if not is_there(c, frame)}
    columns = {part: [c for c in possible[part] if c not in left_out] for part in PARTS}
    for column in chain.from_iterable(columns.values()):
        kind = "words" if column in LABELS else "yes or no" if column == "explicit" else "numbers"
        notes.add("types", column, len(frame), kind)
    rows = typed(frame, columns, notes)
    if reference_year is None and "release_year" in rows and rows["release_year"].isna().all():
        _refuse_unreadable_years(frame)
    if "artist" in rows and items_are_artists(frame):
        for column in (c for c in ("artist", "featured_artists") if c in columns["items"]):
            columns["items"].remove(column)
            left_out[column] = "the items are artists"
    if "featured_artists" in columns["items"] and not rows["featured_artists"].any():
        columns["items"].remove("featured_artists")
        left_out["featured_artists"] = "no item has any"
    if "timestamp" in rows and rows["timestamp"].notna().any() and (rows["timestamp"].dropna() % DAY == 0).all():
        columns["interactions"].remove("timestamp")
        left_out["timestamp"] = "days without a time"
    leave_out_empty(rows, columns, left_out)
    return rows, columns, left_out


def leave_out_empty(rows: pd.DataFrame, columns: Columns, left_out: dict[str, str]) -> None:
    """Take columns without any value from those that are used; UserError where these are the plays."""
    for part in PARTS:
        for column in [c for c in columns[part] if rows[c].isna().all()]:
            if column == "weight":
                raise UserError("column 'weight' holds no plays in any row; fill it in")
            columns[part].remove(column)
            left_out[column] = "no value in any row"


def _refuse_unreadable_years(frame: pd.DataFrame) -> None:
    """Raise UserError if there are years or dates, but none that can be read, to take the reference year from."""
    for column in ("release_year", *STAND_INS["release_year"]):
        told = words(frame[column]).dropna() if column in frame else pd.Series(dtype=object)
        if len(told):
            raise UserError(
                f"reference_year cannot be derived, because column {column!r} holds no year from {YEARS[0]} to "
                f"{YEARS[1]} (row {told.index[0]}: {told.iloc[0]!r}); correct the column or give reference_year"
            )


def rows_to_keep(rows: pd.DataFrame, columns: Columns, dropped_on: Iterable[str], notes: Notes) -> np.ndarray:
    """Rows with a value in every used column that rows are dropped on, bool (rows,)."""
    kept = np.ones(len(rows), bool)
    for column in (c for c in chain.from_iterable(columns.values()) if c in dropped_on):
        absent = rows[column].isna().to_numpy()
        notes.add("rows dropped", column, (absent & kept).sum(), "no value")
        kept &= ~absent
    return kept
