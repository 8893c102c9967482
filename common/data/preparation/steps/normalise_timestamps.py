"""Step 3: the part (train, valid, test) of every event, by a global cut in time.

One point in time for all users, so that nothing that a model is fitted on lies after what it is judged on
(Campos et al. 2014).
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from common.data.matrix_files import PARTS
from common.data.preparation.figures import described, figures, size_of
from common.data.preparation.settings import PreparationSettings
from common.data.preparation.times import DATE, UNITS
from common.data.preparation.workspace import TEXTS_SINK, Outcome, Workspace
from common.utils.errors import UserError

if TYPE_CHECKING:
    import narwhals as nw
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
    a part is empty. One description serves both engines.
    """
    import narwhals as nw

    events = work.scan("events")
    _check_units(work, events)
    cut = find_cut(events, work.settings)
    work.write("events", _marked(events, cut), how=TEXTS_SINK)
    written = described(work.written("events"))
    sizes = dict(figures(written.group_by("part").agg(nw.len())).iter_rows())
    for number, name in enumerate(PARTS):
        if not sizes.get(number):
            raise UserError(
                f"no event falls into {name}, with valid from {_day(cut.valid_from)} and test from "
                f"{_day(cut.test_from)}; choose another cut with --train-share, --valid-share or --test-days"
            )
    rows, left = size_of(events), sum(sizes.values())
    notes = {
        "cut": asdict(cut) | {"gap_seconds": cut.valid_from - cut.train_until},
        "events": {name: sizes[number] for number, name in enumerate(PARTS)},
        **_dates(written),
    }
    return Outcome(rows, left, {"in_a_gap": rows - left} if left < rows else {}, notes)


def _marked(events: Any, cut: Cut) -> Any:
    """The events of the parts, each with its part, without what is no longer needed."""
    import narwhals as nw

    seconds = nw.col("seconds")
    in_valid = seconds.is_between(cut.valid_from, cut.valid_until, closed="left")
    later = nw.when(in_valid).then(nw.lit(1)).otherwise(nw.when(seconds >= cut.test_from).then(nw.lit(2)))
    part = nw.when(seconds < cut.train_until).then(nw.lit(0)).otherwise(later)
    marked = described(events).with_columns(timestamp=seconds, part=part.cast(nw.Int8))
    return marked.filter(~nw.col("part").is_null()).drop("file", "row", "seconds", "unit").to_native()


def _dates(events: "nw.LazyFrame[Any]") -> dict[str, Any]:
    """The first and last event, and the number of events by month."""
    import narwhals as nw
    import polars as pl

    day, time = (nw.col("timestamp") // DAY).alias("day"), nw.col("timestamp")
    days = figures(
        events.with_columns(day).group_by("day").agg(nw.len().alias("len"), first=time.min(), last=time.max())
    )
    ends = int(days["first"].min()), int(days["last"].max())  # type: ignore[arg-type]
    month = pl.from_epoch("day", "d").dt.truncate("1mo")
    months = days.group_by(month=month).agg(pl.col("len").cast(pl.Int64).sum()).sort("month")
    return {
        "dates": {"first": _day(ends[0]), "last": _day(ends[1])},
        "months": {str(month)[:7]: count for month, count in months.iter_rows()},
    }


def _check_units(work: Workspace, events: Any) -> None:
    """Refuse a file whose times are in two units, by the first row that differs from the first of the file."""
    import narwhals as nw
    import polars as pl

    units = figures(described(events).group_by("file", "unit").agg(nw.col("row").min())).sort("file", "row")
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


def find_cut(events: Any, settings: PreparationSettings) -> Cut:
    """Where train, valid and test begin: by shares of the events, by days before the last one, or where it is said.

    Events: a lazy table of either engine with a column `seconds`.
    """
    import narwhals as nw

    gap = round(settings.gap_minutes * 60)
    if settings.test_days or settings.test_from:
        last = int(figures(described(events).select(nw.col("seconds").max())).item())
        test_from = settings.test_from or last - round(settings.test_days * DAY)
        valid_from = test_from - gap - round(settings.valid_days * DAY)
    else:
        rows = size_of(events)
        places = [int(settings.train_share * rows), int(round(settings.train_share + settings.valid_share, 9) * rows)]
        valid_from, test_from = _seconds_at(described(events), places)
    return Cut(valid_from - gap, valid_from, test_from - gap, test_from)


def _seconds_at(events: "nw.LazyFrame[Any]", places: list[int]) -> list[int]:
    """The times of the events at some places, from 0, in the order of time: first their days, then their seconds."""
    import narwhals as nw

    day = nw.col("seconds") // DAY
    days = figures(events.with_columns(day.alias("day")).group_by("day").agg(nw.len().alias("len")))
    found = []
    for place in places:
        chosen, rest = _value_at(days, place)
        of_day = events.filter(day == chosen).group_by("seconds").agg(nw.len().alias("len"))
        found.append(_value_at(figures(of_day), rest)[0])
    return found


def _value_at(counted: "pl.DataFrame", place: int) -> tuple[int, int]:
    """The value at a place of sorted values that were counted, and the place among its equals. Columns: value, len."""
    counted = counted.sort(counted.columns[0])
    ends = counted["len"].cum_sum().to_numpy()
    chosen = int((ends <= place).sum())
    return int(counted.item(chosen, 0)), place - int(ends[chosen - 1] if chosen else 0)
