"""Times as people write them, to whole seconds since 1970-01-01 UTC.

Known are whole seconds, milliseconds (recognised by their size: as seconds they would lie beyond the year 5138), dates,
and dates with a time, without a zone (taken as UTC) or with one. A column keeps to one of these: where it does not,
some of its times are hours or millennia off, and no program can know which.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

Refuse = Callable[[np.ndarray, str], None]
MILLISECONDS_FROM, MILLISECONDS_TO = 1e11, 1e14
ISO = (
    r"\d{4}-\d\d-\d\d"
    r"(?P<time>[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?"
    r"(?P<zone>Z|[+-]\d\d:?\d\d)?"
)


def seconds_of_column(cells: pa.ChunkedArray, refuse: Refuse) -> np.ndarray:
    """Seconds int64 of a column; `refuse(bad, reason)` raises for the first row where `bad` holds."""
    if cells.null_count:
        refuse(cells.is_null().to_numpy(), "is no time; give every row one or leave the column out")
    if pa.types.is_timestamp(cells.type) or pa.types.is_date(cells.type):
        zone = getattr(cells.type, "tz", None)
        return (
            pc.floor_temporal(cells.cast(pa.timestamp("us", zone)), unit="second").cast(pa.int64()).to_numpy() // 10**6
        )
    try:
        numbers = cells.cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return _from_texts(cells, refuse)
    return _from_numbers(numbers, refuse)


def _from_numbers(numbers: np.ndarray, refuse: Refuse) -> np.ndarray:
    refuse(~np.isfinite(numbers) | (numbers != np.floor(numbers)), "is not a whole number of seconds or milliseconds")
    size = np.abs(numbers)
    refuse(size >= MILLISECONDS_TO, "is neither seconds nor milliseconds since 1970; divide it")
    milliseconds = size >= MILLISECONDS_FROM
    unit, other = ("milliseconds", "seconds") if milliseconds[0] else ("seconds", "milliseconds")
    refuse(milliseconds != milliseconds[0], f"is in {other}, while the rows before it are in {unit}; use one unit")
    return np.floor_divide(numbers, 1000 if milliseconds[0] else 1).astype(np.int64)


def _from_texts(cells: pa.ChunkedArray, refuse: Refuse) -> np.ndarray:
    """The distinct texts are parsed, then looked up for each row."""
    encoded = cells.dictionary_encode().combine_chunks()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    texts = pd.Series(encoded.dictionary.to_pylist(), dtype="str").str.strip()
    number = pd.to_numeric(texts, errors="coerce").notna().to_numpy()
    written = texts.str.fullmatch(ISO).to_numpy(bool)
    refuse(~(number | written)[codes], "is no time: write seconds since 1970, or 2024-12-31T23:59:59Z")
    kind, other = ("a number", "a date") if number[codes[0]] else ("a date", "a number")
    refuse((number != number[codes[0]])[codes], f"is {other}, while the rows before it hold {kind}; use one form")
    zones = texts.str.extract(ISO)["zone"].fillna("").str.replace(":", "").replace("Z", "+0000").to_numpy(object)
    first = zones[codes[0]]
    said = f"zone {first}" if first else "no zone"
    refuse((zones != first)[codes], f"has another zone than the rows before it, which have {said}; write all in UTC")
    times = pd.to_datetime(texts.str.replace(",", "."), format="ISO8601", utc=True, errors="coerce")
    refuse(times.isna().to_numpy()[codes], "is a day or hour that no calendar has")
    whole = times.dt.floor("s").dt.tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64)
    return whole[codes]
