"""Step 10 on Spark: the data set itself. Each task writes its users' rows of the matrices into their place."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.data.matrix_files import KINDS, PARTS
from common.data.preparation.figures import total
from common.data.preparation.matrices import MatrixWriter
from common.data.preparation.row_groups import in_groups
from common.data.preparation.spark.events import INTERACTIONS
from common.data.preparation.spark.tasks import partition, whole
from common.data.preparation.spark.workspace import SparkWorkspace
from common.data.preparation.steps import write_tables as local
from common.data.preparation.steps.write_tables import MATRICES, Seen
from common.data.preparation.workspace import Outcome, Workspace
from common.utils.io import atomic
from common.utils.temporary import swapped_in

if TYPE_CHECKING:
    import polars as pl
    from pyspark.sql import DataFrame

ARRAYS = {"indices": "item", "data": "plays", "first": "first"}
"""The arrays of a matrix that have an entry for each pair, and the columns that they hold."""


def write_tables(work: SparkWorkspace) -> Outcome:
    """As the local step; the interactions of a part are a folder of Parquet files, in the order of their names."""
    pairs, scratch = work.scan("interactions"), work.scratch()
    for column in ("user", "item"):
        work.save(scratch / column, _seen(pairs, column))
    rows = work.once(_rows, work.local(), scratch)
    with swapped_in(work.out) as folder:
        target = folder.absolute()
        counts = work.once(_write_catalogue, work.local(), scratch, target)
        _write_interactions(work, pairs, scratch, target, counts)
        work.once(_finish, work.local(), scratch, target, counts)
    return local.told(work, rows, counts)


def _seen(pairs: "DataFrame", column: str) -> "DataFrame":
    """What `Seen` counts of users or items: a row for each that any interaction has."""
    from pyspark.sql import functions as sql

    in_train = sql.col("part") == 0
    lengths = [sql.count_if(sql.col("part") == number).alias(f"length_{number}") for number in range(len(PARTS))]
    return pairs.groupBy(sql.col(column).alias("code")).agg(
        sql.min("part").alias("part"),
        *lengths,
        sql.sum(sql.when(in_train, sql.col("plays"))).alias("plays"),
        sql.min(sql.when(in_train, sql.col("first"))).alias("first"),
        sql.max(sql.when(in_train, sql.col("last"))).alias("last"),
    )


def _read_seen(work: Workspace, scratch: Path) -> tuple[Seen, Seen]:
    """What is known of users and of items."""
    import polars as pl

    users, items = (pl.read_parquet(scratch / column / "*.parquet") for column in ("user", "item"))
    return Seen.of(len(work.read("users")), users), Seen.of(len(work.read("tracks")), items)


def _rows(work: Workspace, scratch: Path) -> dict[str, int]:
    return local.rows_by_part(_read_seen(work, scratch)[0])


def _write_catalogue(work: Workspace, scratch: Path, target: Path) -> dict[str, int]:
    """Write all but what has a row for each pair; final codes, and where rows begin, are arrays for all tasks."""
    users, items = _read_seen(work, scratch)
    for column, seen in (("user", users), ("item", items)):
        np.save(scratch / f"{column}.npy", local.codes(seen))
    for number, name in enumerate(PARTS):
        lengths = users.row_lengths(number)
        matrix = MatrixWriter(target / MATRICES / name, int(lengths.sum()))
        matrix.close(lengths)
        (target / f"interactions_{name}.parquet").mkdir()
        for array, kind in ((array, np.dtype(KINDS[array])) for array in ARRAYS):
            path = target / MATRICES / name / f"{array}.npy"
            os.truncate(path, path.stat().st_size + int(lengths.sum()) * kind.itemsize)
    return local.write_catalogue(work, target, users, items)


def _write_interactions(
    work: SparkWorkspace, pairs: "DataFrame", scratch: Path, target: Path, counts: dict[str, int]
) -> None:
    """Fill matrices and tables of pairs, the users of a range of final codes by a task."""
    expected = sum(rows for name, rows in counts.items() if name.startswith("interactions_"))
    coded = work.mapped(pairs, partial(_with_final_codes, scratch), INTERACTIONS, work.place("codes"))
    bucketed = work.by_user(coded, counts["users"], expected)
    written = work.mapped(bucketed, partial(_write_rows, target), {"rows": "bigint"}, work.place("rows"))
    if (rows := total(written, "rows")) != expected:
        raise AssertionError(f"{rows:,} of {expected:,} interactions were written")


def _with_final_codes(scratch: Path, frames: "Iterator[pl.DataFrame]", place: Path) -> "Iterator[pl.DataFrame]":
    import polars as pl

    users, items = (np.load(scratch / f"{column}.npy", mmap_mode="r") for column in ("user", "item"))
    for pairs in frames:
        yield pairs.with_columns(
            user=pl.Series(users[pairs["user"].to_numpy()]), item=pl.Series(items[pairs["item"].to_numpy()])
        )


def _write_rows(target: Path, frames: "Iterator[pl.DataFrame]", place: Path) -> "Iterator[pl.DataFrame]":
    """Write all pairs of some users, and say how many; a task that runs again writes the same bytes again."""
    import polars as pl

    if (pairs := whole(frames)) is None:
        return
    for number, name in enumerate(PARTS):
        rows = pairs.filter(pl.col("part") == number).drop("part").sort("user", "first", "item")
        if len(rows):
            with atomic(target / f"interactions_{name}.parquet" / f"{partition():06}.parquet") as path:
                _write_table(path, rows)
            _write_entries(target / MATRICES / name, rows)
    yield pl.DataFrame({"rows": [len(pairs)]}, {"rows": pl.Int64})


def _write_table(path: Path, rows: "pl.DataFrame") -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, rows.to_arrow().schema) as writer:
        for group in in_groups([rows]):
            writer.write_table(group.to_arrow())


def _write_entries(matrix: Path, rows: "pl.DataFrame") -> None:
    """Write the entries of whole users, in order, at their place in the arrays of a matrix."""
    starts = np.load(matrix / "indptr.npy", mmap_mode="r")
    first, last = int(rows.item(0, "user")), int(rows.item(-1, "user"))
    begin, end = int(starts[first]), int(starts[last + 1])
    if end - begin != len(rows):
        raise AssertionError(f"{len(rows):,} pairs of users {first:,} to {last:,}, not {end - begin:,}")
    for array, column in ARRAYS.items():
        content = np.ascontiguousarray(rows[column].to_numpy(), KINDS[array])
        path = matrix / f"{array}.npy"
        header = path.stat().st_size - int(starts[-1]) * content.itemsize
        with path.open("rb+") as file:
            file.seek(header + begin * content.itemsize)
            file.write(content.data)
            file.flush()
            os.fsync(file.fileno())


def _finish(work: Workspace, scratch: Path, target: Path, counts: dict[str, int]) -> dict[str, Any]:
    """The matrices as SciPy reads them, and the manifest over all files."""
    users, items = _read_seen(work, scratch)
    local.export(target, users, items)
    local.write_manifest(work, target, counts)
    return {}
