"""Times of raw logs, as expressions: numbers and dates to whole seconds since 1970-01-01 UTC."""

from typing import TYPE_CHECKING

from common.data.reading.timestamps import LARGEST as FROM
from common.data.reading.timestamps import UNITS

if TYPE_CHECKING:
    import polars as pl

DATE = len(UNITS)
"""Code of the unit of a time that was written as a date; the others are places in `UNITS`."""


def seconds_and_unit(zone: str) -> "dict[str, pl.Expr]":
    """`seconds` int64, null where a time cannot be read, and `unit` int8, of `time_number` and `time_text`.

    zone: that of times that name none.
    """
    import polars as pl

    written = pl.col("time_text").str.strip_chars()
    whole, decimal = (written.cast(kind, strict=False) for kind in (pl.Int64, pl.Float64))
    number = pl.coalesce("time_number", whole, decimal.floor().cast(pl.Int64, strict=False))
    dated = pl.when(number.is_null()).then(written)
    size = number.abs()
    unit = pl.when(size < FROM[0]).then(0).when(size < FROM[1]).then(1).when(size < FROM[2]).then(2).otherwise(3)
    factor = pl.when(size < FROM[0]).then(1).when(size < FROM[1]).then(10**3).when(size < FROM[2]).then(10**6)
    of_number = number.floordiv(factor.otherwise(10**9).cast(pl.Int64))
    return {
        "seconds": pl.when(number.is_not_null()).then(of_number).otherwise(_of_date(dated, zone)),
        "unit": pl.when(number.is_not_null()).then(unit).otherwise(DATE).cast(pl.Int8),
    }


def _of_date(text: "pl.Expr", zone: str) -> "pl.Expr":
    """Seconds of `2024-12-31`, `2024-12-31T23:59`, `... 23:59:59.123`, with Z, UTC, +02:00 or no zone behind it."""
    import polars as pl

    length = text.str.len_bytes()
    separated = text.str.slice(10, 1).is_in(["T", " "])
    clock = text.str.slice(11, 8)
    clock = (
        pl.when(length == 10)
        .then(pl.lit("00:00:00"))
        .when(separated & ((length == 16) | ~text.str.slice(16, 1).is_in([":"])))
        .then(pl.concat_str(text.str.slice(11, 5), pl.lit(":00")))
        .when(separated)
        .then(clock)
    )
    local = pl.concat_str(text.str.slice(0, 10), pl.lit("T"), clock).str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False)
    rest = text.str.slice(16).str.extract(r"^(?::\d\d(?:[.,]\d+)?)?(.*)$")
    sign = rest.str.extract(r"^([+-])\d\d(?::?\d\d)?$")
    hours = rest.str.extract(r"^[+-](\d\d)(?::?\d\d)?$").cast(pl.Int64)
    minutes = rest.str.extract(r"^[+-]\d\d:?(\d\d)$").cast(pl.Int64).fill_null(0)
    away = (hours * 3_600 + minutes * 60) * pl.when(sign == "-").then(-1).otherwise(1)
    universal = rest.str.strip_chars().is_in(["Z", "UTC"])
    return (
        pl.when((length == 10) | (rest == ""))
        .then(in_zone(local, zone).dt.epoch("s"))
        .when(universal)
        .then(local.dt.epoch("s"))
        .when(sign.is_not_null())
        .then(local.dt.epoch("s") - away)
    )


def in_zone(local: "pl.Expr", zone: str) -> "pl.Expr":
    """Times that name no zone, in theirs: of an hour that comes twice the first, null for one that never comes."""
    if zone == "UTC":
        return local
    return local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
