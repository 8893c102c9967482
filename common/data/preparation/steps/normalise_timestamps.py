"""Step 3: the part (train, valid, test) of every event, by a global cut in time.

One point in time for all users, so that nothing that a model is fitted on lies after what it is judged on
(Campos et al. 2014).
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from common.data.matrix_files import PARTS
from common.data.preparation.settings import PreparationSettings
from common.data.preparation.times import DATE, UNITS
from common.data.preparation.workspace import TEXTS_SINK, Outcome, Workspace, rows_of
from common.utils.errors import UserError

if TYPE_CHECKING:
    import polars as pl

DAY = 86_400


@dataclass(frozen=True)
class Cut:
    """Where the parts begin and end, in seconds since 1970: what lies between them belongs to none."""

    train_until: int
    valid_from: int
    valid_until: int
    test_from: int


def normalise_timestamps(work: Workspace) -> Outcome:
    """Write `events` with `timestamp` int64 (seconds) and `part` int8 (0 train, 1 valid, 2 test).

    Events in a gap are dropped and counted. Raises a UserError for a file in which the unit of time changes, and where
    a part is empty.
    """
    import polars as pl

    events = work.scan("events")
    _check_units(work, events)
    cut = find_cut(events, work.settings)
    seconds = pl.col("seconds")
    part = (
        pl.when(seconds < cut.train_until)
        .then(0)
        .when(seconds.is_between(cut.valid_from, cut.valid_until, closed="left"))
        .then(1)
        .when(seconds >= cut.test_from)
        .then(2)
    )
    marked = events.with_columns(timestamp=seconds, part=part.cast(pl.Int8)).filter(pl.col("part").is_not_null())
    work.write("events", marked.drop("file", "row", "seconds", "unit"), how=TEXTS_SINK)
    written = pl.scan_parquet(work.fresh / "events" / "0.parquet")
    sizes = dict(written.group_by("part").len().collect(engine="streaming").iter_rows())
    for number, name in enumerate(PARTS):
        if not sizes.get(number):
            raise UserError(
                f"no event falls into {name}, with valid from {_day(cut.valid_from)} and test from "
                f"{_day(cut.test_from)}; choose another cut with --train-share, --valid-share or --test-days"
            )
    rows, left = rows_of(events), sum(sizes.values())
    notes = {
        "cut": asdict(cut) | {"gap_seconds": cut.valid_from - cut.train_until},
        "events": {name: sizes[number] for number, name in enumerate(PARTS)},
        **_dates(written),
    }
    return Outcome(rows, left, {"in_a_gap": rows - left} if left < rows else {}, notes)


def _dates(events: "pl.LazyFrame") -> dict[str, Any]:
    """The first and last event, and the number of events by month."""
    import polars as pl

    time = pl.from_epoch("timestamp").dt.truncate("1mo").alias("month")
    months = events.group_by(time).agg(pl.len(), first=pl.col("timestamp").min(), last=pl.col("timestamp").max())
    found = months.collect(engine="streaming").sort("month")
    ends = int(found["first"].min()), int(found["last"].max())  # type: ignore[arg-type]
    return {
        "dates": {"first": _day(ends[0]), "last": _day(ends[1])},
        "months": {str(month)[:7]: count for month, count in found.select("month", "len").iter_rows()},
    }


def _check_units(work: Workspace, events: "pl.LazyFrame") -> None:
    """Refuse a file whose times are in two units, by the first row that differs from the first of the file."""
    import polars as pl

    units = events.group_by("file", "unit").agg(pl.col("row").min()).collect(engine="streaming").sort("file", "row")
    odd = units.with_columns(first=pl.col("unit").first().over("file")).filter(pl.col("unit") != pl.col("first"))
    if len(odd):
        file, unit, row, first = odd.sort("file", "row").select("file", "unit", "row", "first").row(0)
        raise UserError(
            f"{work.files[file]}, row {row:,}: a time in {_unit(unit)}, while the rows before it are in "
            f"{_unit(first)}; write one unit throughout, or split the file there"
        )


def _unit(code: int) -> str:
    return "dates" if code == DATE else list(UNITS)[code]


def _day(second: int) -> str:
    return (datetime(1970, 1, 1) + timedelta(seconds=second)).isoformat(" ")


def find_cut(events: "pl.LazyFrame", settings: PreparationSettings) -> Cut:
    """Where train, valid and test begin: by shares of the events, by days before the last one, or where it is said."""
    import polars as pl

    gap = round(settings.gap_minutes * 60)
    if settings.test_days or settings.test_from:
        last = int(events.select(pl.col("seconds").max()).collect(engine="streaming").item())
        test_from = settings.test_from or last - round(settings.test_days * DAY)
        valid_from = test_from - gap - round(settings.valid_days * DAY)
    else:
        rows = rows_of(events)
        places = [int(settings.train_share * rows), int(round(settings.train_share + settings.valid_share, 9) * rows)]
        valid_from, test_from = (_nth_second(events, place) for place in places)
    return Cut(valid_from - gap, valid_from, test_from - gap, test_from)


def _nth_second(events: "pl.LazyFrame", place: int) -> int:
    """The time of the event at a place, from 0, in the order of time: first its day is found, then its second."""
    import polars as pl

    day = pl.col("seconds").floordiv(DAY).alias("day")
    days = events.group_by(day).len().sort("day").collect(engine="streaming")
    before = days["len"].cum_sum() - days["len"]
    chosen = int((before <= place).sum()) - 1
    seconds = events.filter(day == days["day"][chosen]).select("seconds").collect(engine="streaming")["seconds"]
    return int(seconds.sort()[place - before[chosen]])
