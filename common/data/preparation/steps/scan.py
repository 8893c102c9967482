"""Step 1: every raw file as Parquet with the standard columns, whatever it was before."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from common.data.preparation.raw_files import ROW, check_raw_files, opened
from common.data.preparation.settings import TEXTS, PreparationSettings, recognise
from common.data.preparation.times import in_zone
from common.data.preparation.workspace import TEXTS_SINK, Outcome, Workspace, rows_of
from common.data.reading.id_column import WHOLE_UP_TO
from common.utils.errors import UserError

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)


def scan(work: Workspace) -> Outcome:
    """Write `events`: file int32, row int64, the texts that any file has, time_number int64, time_text, [plays].

    `time_number` and `time_text` hold the time as it stands, in whichever form it comes; a plays cell that is no number
    is NaN. Rows out are rows in. Raises a UserError for a file that cannot be read or lacks what is needed.
    """
    check_raw_files(work.files)
    read = Columns(work.files)
    for number in range(len(work.files)):
        with standard_rows(work.files, number, work.settings, work.scratch()) as (events, chosen):
            work.write("events", events, f"{number:05}", TEXTS_SINK)
        read.add(number, chosen)
    return read.outcome(rows_of(work.written("events")))


class Columns:
    """Which columns of the raw files were read as what; told as they become known."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files
        self._known: dict[str, int] = {}
        self._mappings: dict[str, str] = {}

    def add(self, number: int, chosen: Mapping[str, str]) -> None:
        """What was chosen of a file: standard name -> its own."""
        for standard in chosen:
            self._known[standard] = self._known.get(standard, 0) + 1
        read_as, path = ", ".join(f"{standard} from {name!r}" for standard, name in chosen.items()), self.files[number]
        if self._mappings.setdefault(read_as, str(path)) == str(path):
            log.info("%s: %s", path, read_as)

    def outcome(self, rows: int) -> Outcome:
        """What the step says of itself. Raises a UserError where all files are empty."""
        for standard, files in self._known.items():
            if files < len(self.files):
                log.info("column %s stands in %s of %s files", standard, f"{files:,}", f"{len(self.files):,}")
        if not rows:
            raise UserError(f"{self.files[0]} and all other raw files hold no row; give files with events")
        notes = {"files": len(self.files), "columns": sorted(self._known), "read_as": self._mappings}
        return Outcome(rows, rows, notes=notes)


@contextmanager
def standard_rows(
    files: Sequence[Path], number: int, settings: PreparationSettings, scratch: Path
) -> Iterator["tuple[pl.LazyFrame, dict[str, str]]"]:
    """The rows of a raw file in the standard columns, and which of its own columns were chosen for them."""
    path = files[number]
    with opened(path, settings, scratch) as raw:
        schema = dict(raw.collect_schema())
        chosen = recognise([name for name in schema if name != ROW], settings.names, str(path))
        _check_ids(path, raw, schema, chosen)
        columns = _standard(path, schema, chosen, settings.time_zone)
        yield raw.select(file=_constant(number), row=_number(ROW), **columns), chosen


def _constant(number: int) -> "pl.Expr":
    import polars as pl

    return pl.lit(number, pl.Int32)


def _number(name: str) -> "pl.Expr":
    import polars as pl

    return pl.col(name).cast(pl.Int64)


def _standard(
    path: Path, schema: Mapping[str, "pl.DataType"], chosen: Mapping[str, str], zone: str
) -> dict[str, "pl.Expr"]:
    """The standard columns of a file as expressions over its own."""
    import polars as pl

    texts = {
        name: _text(path, chosen[name], schema[chosen[name]]) if name in chosen else pl.lit(None, pl.String)
        for name in TEXTS
    }
    plays = pl.lit(None, pl.Float64)
    if "plays" in chosen:
        cells = pl.col(chosen["plays"])
        if schema[chosen["plays"]] == pl.String:
            blank = cells.is_null() | (cells.str.strip_chars() == "")
            number = cells.str.strip_chars().cast(pl.Float64, strict=False).fill_null(float("nan"))
            plays = pl.when(blank).then(None).otherwise(number)
        else:
            plays = cells.cast(pl.Float64)
    return texts | _time(path, chosen["timestamp"], schema[chosen["timestamp"]], zone) | {"plays": plays}


def _text(path: Path, name: str, kind: "pl.DataType") -> "pl.Expr":
    """A column as text: whole decimal numbers as whole ones, lists joined by "|"."""
    import polars as pl

    cells = pl.col(name)
    if kind.is_float():
        return cells.cast(pl.Int64, strict=False).cast(pl.String)
    if isinstance(kind, pl.List):
        return cells.cast(pl.List(pl.String)).list.join("|")
    if kind == pl.Boolean or kind.is_temporal() or isinstance(kind, pl.Struct | pl.Array | pl.Object):
        raise UserError(f"{path}, column {name}: cells are of type {kind}; save ids and names as text or whole numbers")
    return cells.cast(pl.String)


def _time(path: Path, name: str, kind: "pl.DataType", zone: str) -> dict[str, "pl.Expr"]:
    """The time of an event as it stands: a number, or a text. zone: that of timestamps that have none."""
    import polars as pl

    cells, no_number, no_text = pl.col(name), pl.lit(None, pl.Int64), pl.lit(None, pl.String)
    if isinstance(kind, pl.Datetime | pl.Date):
        if getattr(kind, "time_zone", None) is None:
            cells = in_zone(cells.cast(pl.Datetime("us")), zone)
        return {"time_number": cells.dt.epoch("s"), "time_text": no_text}
    if kind.is_integer():
        return {"time_number": cells.cast(pl.Int64, strict=False), "time_text": no_text}
    if kind.is_float() or isinstance(kind, pl.Decimal):
        return {"time_number": cells.cast(pl.Float64).floor().cast(pl.Int64, strict=False), "time_text": no_text}
    if kind.is_temporal() or kind == pl.Boolean or kind.is_nested():
        raise UserError(f"{path}, column {name}: cells are of type {kind}; save timestamps, numbers or text")
    return {"time_number": no_number, "time_text": cells.cast(pl.String)}


def _check_ids(path: Path, raw: "pl.LazyFrame", schema: Mapping[str, "pl.DataType"], chosen: Mapping[str, str]) -> None:
    """Refuse decimal numbers as ids where one of them is not whole, or too large to be exact."""
    import polars as pl

    for name in (chosen[standard] for standard in TEXTS if standard in chosen):
        if schema[name].is_float():
            cells, most = pl.col(name), WHOLE_UP_TO[32 if schema[name] == pl.Float32 else 64]
            odd = ~((cells == cells.floor()) & (cells.abs() <= most)) & ~cells.is_nan()
            first = raw.filter(odd).select(ROW, name).head(1).collect(engine="streaming")
            if len(first):
                row, value = first.row(0)
                raise UserError(
                    f"{path}, row {row:,}, column {name}: {value!r} is no id; save ids as text or whole numbers"
                )
