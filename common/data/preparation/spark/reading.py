"""Steps 1 and 2 on Spark: raw files to events, a task for each file, and rows that break a rule."""

import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.data.preparation.figures import size_of
from common.data.preparation.raw_files import check_raw_files
from common.data.preparation.settings import TEXTS, PreparationSettings
from common.data.preparation.spark.tasks import note, notes, partition
from common.data.preparation.spark.workspace import SparkWorkspace
from common.data.preparation.steps import scan as local_scan
from common.data.preparation.steps import validate as local_validate
from common.data.preparation.steps.validate import Known
from common.data.preparation.workspace import Outcome, Workspace
from common.utils.io import atomic

if TYPE_CHECKING:
    import polars as pl

ROWS = {
    "file": "int",
    "row": "bigint",
    **dict.fromkeys(TEXTS, "string"),
    "time_number": "bigint",
    "time_text": "string",
    "plays": "double",
}
"""What step 1 makes of every raw file."""
KINDS = dict.fromkeys(TEXTS, "string") | {"file": "int", "row": "bigint", "seconds": "bigint", "unit": "tinyint"}
KINDS |= {"plays": "int"}
"""Columns of events without broken rows."""


def scan(work: SparkWorkspace) -> Outcome:
    """As the local step; each raw file is read by one task, with the local engine's reader."""
    check_raw_files(work.files)
    number_of_files = len(work.files)
    numbers = work.spark.range(0, number_of_files, 1, number_of_files)
    run = partial(_read, work.files, work.settings)
    place = work.write_mapped("events", numbers, run, ROWS)
    read = local_scan.Columns(work.files)
    for told in notes(place):
        read.add(told["file"], told["chosen"])
    return read.outcome(size_of(work.written("events")))


def _read(
    files: Sequence[Path], settings: PreparationSettings, numbers: "Iterator[pl.DataFrame]", place: Path
) -> "Iterator[pl.DataFrame]":
    """The rows of the files with these numbers."""
    for frame in numbers:
        for number in frame["id"].to_list():
            with (
                tempfile.TemporaryDirectory() as scratch,
                local_scan.standard_rows(files, number, settings, Path(scratch)) as (events, chosen),
            ):
                yield from events.collect_batches(engine="streaming")
            note(place, {"file": number, "chosen": chosen}, f"{number:06}")


def validate(work: SparkWorkspace) -> Outcome:
    """As the local step. Broken rows, which are few, are put aside by the task that meets them."""
    from pyspark.sql import functions as sql

    known = local_validate.known_columns(work)
    names = ["file", "row", "user_id", *known.columns, "seconds", "unit", *(["plays"] if known.plays else [])]
    run = partial(_judge, known, work.settings)
    place = work.write_mapped("events", work.scan("events"), run, {name: KINDS[name] for name in names})
    written = work.written("events")
    row = sql.col("row")
    of_files = written.groupBy("file").agg(
        sql.count(sql.lit(1)).alias("sound"), sql.min(row).alias("first"), sql.max(row).alias("last")
    )
    ends = work.scratch() / "ends"
    work.save(ends, of_files)
    empty = work.scan("events").filter(sql.col("plays").isNull()).count() if known.plays else 0
    return Outcome(**work.once(_review, work.local(), size_of(written), ends, place, empty))


def _judge(
    known: Known, settings: PreparationSettings, frames: "Iterator[pl.DataFrame]", place: Path
) -> "Iterator[pl.DataFrame]":
    """The sound rows; the broken ones go into files beside one another."""
    folder = place / "broken" / f"{partition():06}"
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        judged = local_validate.judge(frame.lazy(), known, settings).collect()
        odd = local_validate.broken(judged.lazy()).collect()
        if len(odd) or not number:  # one file at the least, for its columns
            with atomic(folder / f"{number:06}.parquet") as path:
                odd.write_parquet(path)
        yield local_validate.sound(judged.lazy(), known).collect()


def _review(work: Workspace, rows: int, ends: Path, place: Path, empty_plays: int) -> dict[str, Any]:
    """The end of the local step, over the rows that were put aside."""
    import polars as pl

    odd = pl.scan_parquet(sorted((place / "broken").rglob("*.parquet")))
    outcome = local_validate.review(work, rows, pl.scan_parquet(ends / "*.parquet"), odd, empty_plays)
    return vars(outcome)
