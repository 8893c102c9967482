"""Large tab-separated text without quoting, read out of core: its lines as fields, each broken one with a reason.

A quotation mark is text and a line ends at LF alone: a bare CR may stand within a name. Nothing is dropped here;
`stage` writes every line, and whoever reads its rows drops those that have a reason and counts them.
"""

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from common.data.preparation.raw_files import system_error
from common.data.reading.table import unreadable
from common.data.reading.text_file import first_line_not_utf8
from common.data.tables import Repair
from common.utils.errors import UserError
from common.utils.io import display
from common.utils.temporary import prefix

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)
WIDTH = "another number of fields"
"""The reason of a line that has not as many fields as the file has names."""


def scan_fields(path: Path, names: Sequence[str]) -> "pl.LazyFrame":
    """The lines of a file: `line` (from 1) and the named fields as text, null where a line ends before; `extra` is not
    null where there are more."""
    import polars as pl

    fields = pl.col("text").str.split_exact("\t", len(names)).struct.rename_fields([*names, "extra"])
    lines = pl.scan_lines(path, name="text", row_index_name="line", row_index_offset=1)
    return lines.with_columns(fields.alias("fields")).drop("text").unnest("fields")


def stage(
    path: Path,
    names: Sequence[str],
    rules: "Mapping[str, pl.Expr]",
    columns: "Sequence[pl.Expr]",
    out: Path,
    skip: int = 0,
) -> "pl.LazyFrame":
    """Write the lines of a file to Parquet: `line`, `reason`, and `columns`, made of the named fields.

    rules: reason -> what a line is dropped for; the first that holds counts, and `WIDTH` before all of them. A line
    to keep has no reason. Raises UserError for a file that is missing, unreadable, empty or no UTF-8.
    """
    import polars as pl

    wrong = pl.col(names[-1]).is_null() | pl.col("extra").is_not_null()
    reasons = [pl.when(wrong).then(pl.lit(WIDTH))]
    reasons += [pl.when(rule).then(pl.lit(reason)) for reason, rule in rules.items()]
    begin_reading(path)
    with readable(path):
        rows = scan_fields(path, names).select("line", pl.coalesce(reasons).alias("reason"), *columns)
        rows.sink_parquet(out)
    staged = pl.scan_parquet(out)
    if staged.filter(pl.col("reason").is_null()).head(1).collect().is_empty():
        raise UserError(f"{path} holds no line as it should be ({', '.join(names)}, by tabs); fetch the file again")
    return staged


def sound(rows: "pl.LazyFrame") -> "pl.LazyFrame":
    """The staged lines that nothing is wrong with."""
    import polars as pl

    return rows.filter(pl.col("reason").is_null()).drop("reason")


def dropped(rows: "pl.LazyFrame", table: str, path: Path) -> list[Repair]:
    """A repair for each reason why staged lines are left out, with the first such line, the most frequent first."""
    import polars as pl

    broken = rows.filter(pl.col("reason").is_not_null()).group_by("reason")
    found = broken.agg(pl.len().alias("rows"), pl.col("line").min()).collect(engine="streaming")
    found = found.sort("rows", "reason", descending=[True, False])
    return [
        Repair(table, f"lines dropped: {reason} (first: line {line:,} of {path.name})", rows)
        for reason, rows, line in found.iter_rows()
    ]


def text(name: str) -> "pl.Expr":
    """A field without blanks at the edges, null where it is empty."""
    import polars as pl

    stripped = pl.col(name).str.strip_chars()
    return pl.when(stripped != "").then(stripped).alias(name)


def begin_reading(path: Path) -> None:
    """Say that a file is read; refuse one that is missing, a folder, empty, or that may not be read."""
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise UserError(f"{path} is empty; fetch it again")
            log.info("reading %s (%s MB)", display(path), f"{path.stat().st_size / 1e6:,.1f}")
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; put the file there or fetch the data set again") from error
    except IsADirectoryError as error:
        raise UserError(f"{path} is a folder where a file should be; replace it by the file") from error
    except OSError as error:
        raise unreadable(path, error) from error


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what Polars says of a file that cannot be read into one sentence with the remedy."""
    from polars.exceptions import PolarsError

    try:
        yield
    except (PolarsError, OSError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        if "no space left" in system_error(error).lower():
            raise UserError(f"the disk is full while {path} is read; free some space and start again") from error
        if path.suffix == ".tsv" and (line := first_line_not_utf8(path)):
            raise UserError(f"{path}, line {line:,}: not UTF-8; fetch the file again") from error
        raise UserError(f"cannot read {path}: {said}; free some space, or fetch the file again") from error


@contextmanager
def scratch(data_dir: Path) -> Iterator[Path]:
    """A folder for staged files below `data_dir`, deleted at the end; what a killed process left is swept later."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix=prefix("reading"), dir=data_dir, ignore_cleanup_errors=True)
    except OSError as error:
        raise UserError(f"cannot write {data_dir}: {error.strerror}; free some space or choose another") from error
    with folder as name:
        yield Path(name)
