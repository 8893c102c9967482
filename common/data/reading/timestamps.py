"""Times as people write them, to whole seconds since 1970-01-01 UTC, rounded down.

Known are numbers of seconds, milli-, micro- and nanoseconds (told apart by their size: as seconds, milliseconds would
lie beyond the year 5138), dates, and dates with a time, without a zone (taken as UTC) or with one. A column keeps to
one of these: where it does not, some of its times are hours or millennia off, and no program can know which.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from common.data.reading.id_column import encode_text, missing_texts

Refuse = Callable[[np.ndarray, str], None]
UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
LARGEST = (10**11, 10**14, 10**17)
"""From here on a number counts milliseconds, microseconds, nanoseconds."""
ISO = (
    r"\d{4}-\d\d-\d\d"
    r"(?P<time>[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?"
    r"(?P<zone> ?Z| ?UTC|[+-]\d\d(?::?\d\d)?)?"
)
OLD = 631_152_000
"""1990-01-01: a time before it is odd."""


def seconds_of_column(cells: pa.ChunkedArray, refuse: Refuse) -> np.ndarray:
    """Seconds int64 of a column; `refuse(bad, reason)` raises for the first row where `bad` holds."""
    if cells.null_count:
        refuse(cells.is_null().to_numpy(), "is no time; give every row one or leave the column out")
    seconds = _seconds(cells, refuse)
    zero = seconds == 0
    if zero.any() and not zero.all() and np.median(seconds[~zero]) >= OLD:
        reason = f"is no time beside those of {_day(seconds.max())} and before ({int(zero.sum()):,} rows hold it)"
        refuse(zero, f"{reason}; give their times or leave these rows out")
    return seconds


def odd_dates(seconds: np.ndarray, where: Callable[[int], str]) -> list[str]:
    """A sentence on times that can be but are odd, with their number and the first place; none where all are equal."""
    odd = {"before 1990": seconds < OLD, "in the future": seconds > pd.Timestamp.now("UTC").timestamp() + 86_400}
    return [
        f"{where(int(np.argmax(bad)))}: {int(bad.sum()):,} of {len(bad):,} times are {when}, the first "
        f"{_day(seconds[np.argmax(bad)])}; they are kept"
        for when, bad in odd.items()
        if bad.any() and np.ptp(seconds)
    ]


def _day(second: int) -> str:
    return str(np.datetime64(int(second), "s").astype("datetime64[D]"))


def _seconds(cells: pa.ChunkedArray, refuse: Refuse) -> np.ndarray:
    if pa.types.is_timestamp(cells.type):
        return cells.cast(pa.int64()).to_numpy() // {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[cells.type.unit]
    if pa.types.is_date(cells.type):
        return cells.cast(pa.timestamp("s")).cast(pa.int64()).to_numpy()
    if pa.types.is_time(cells.type) or pa.types.is_duration(cells.type) or pa.types.is_boolean(cells.type):
        raise ValueError(f"cells are of type {cells.type}; save timestamps, numbers or text")
    for kind in (pa.int64(), pa.float64()):
        try:
            return _from_numbers(cells.cast(kind).to_numpy(), refuse)
        except pa.ArrowInvalid:
            continue
        except pa.ArrowNotImplementedError:
            break
    return _from_texts(cells, refuse)


def _from_numbers(numbers: np.ndarray, refuse: Refuse) -> np.ndarray:
    size = np.abs(numbers)
    exact = numbers.dtype.kind == "i"
    bad = ~np.isfinite(numbers) | (size < 0) | (size >= (2**63 if exact else 2**53))  # -2**63 has no opposite
    refuse(bad, "is no number of seconds since 1970")
    units = np.searchsorted(LARGEST, size, side="right")
    unit, names = units[0], list(UNITS)
    other = units != unit
    if other.any():
        refuse(
            other,
            f"is in {names[units[np.argmax(other)]]}, while the rows before it are in {names[unit]}; use one unit",
        )
    return np.floor_divide(numbers, UNITS[names[unit]]).astype(np.int64)


def _from_texts(cells: pa.ChunkedArray, refuse: Refuse) -> np.ndarray:
    """The distinct texts are parsed, then looked up for each row."""
    codes, distinct = encode_text(cells)
    trimmed = pc.utf8_trim_whitespace(distinct)
    refuse(
        missing_texts(trimmed).to_numpy(zero_copy_only=False)[codes],
        "is no time; give every row one or leave the column out",
    )
    texts = pd.Series(trimmed.to_pylist(), dtype="str")
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
    number, iso = ~np.isnan(numbers), texts.str.fullmatch(ISO).to_numpy(bool)
    refuse(~(number | iso)[codes], "is no time: write seconds since 1970, or 2024-12-31T23:59:59Z")
    kind, other = ("a number", "a date") if number[codes[0]] else ("a date", "a number")
    refuse((number != number[codes[0]])[codes], f"is {other}, while the rows before it hold {kind}; use one form")
    if number.all():
        whole = texts.str.fullmatch(r"[+-]?\d{1,18}").all()
        return _from_numbers((texts.astype("int64").to_numpy() if whole else numbers)[codes], refuse)
    written = texts.str.extract(ISO)["zone"].fillna("").str.strip().str.replace(":", "")
    offsets = written.replace({"Z": "+0000", "UTC": "+0000"}).tolist()
    zones = np.array([zone + "00" if len(zone) == 3 else zone for zone in offsets], object)
    first = zones[codes[0]]
    said = f"zone {first}" if first else "no zone"
    refuse((zones != first)[codes], f"has another zone than the rows before it, which have {said}; write all in UTC")
    plain = texts.str.replace(",", ".").str.replace(r" ?(?:UTC|Z)$", "Z", regex=True)
    times = pd.to_datetime(plain, format="ISO8601", utc=True, errors="coerce")
    refuse(times.isna().to_numpy()[codes], "is a day or hour that no calendar has")
    return times.dt.floor("s").dt.tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64)[codes]
