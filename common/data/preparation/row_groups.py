"""Rows that come in frames of any size, written in groups of one size, split by bucket, and counted in parts."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

ROW_GROUP = 2**20
"""Rows of a group of a Parquet file of interactions."""
AT_ONCE = 2**18
"""Rows that are sorted by bucket at a time: more of them leave the processor's cache."""
BUCKET = "bucket"
FEW_VALUES = ("part", "plays")
"""Columns of few values, which a dictionary makes small; the others are written as they are, which costs least."""
PLAIN: dict[str, Any] = {"compression": "none", "write_statistics": False, "store_schema": False}


def in_groups(frames: Iterable["pl.DataFrame"], rows: int = ROW_GROUP) -> Iterator["pl.DataFrame"]:
    """The same rows in frames of one size, the last one smaller: files do not tell how large the frames were."""
    import polars as pl

    held: list[pl.DataFrame] = []
    for frame in frames:
        held.append(frame)
        if sum(map(len, held)) < rows:
            continue
        whole = pl.concat(held, rechunk=True)
        yield from (whole[start : start + rows] for start in range(0, len(whole) - rows + 1, rows))
        held = [whole[len(whole) // rows * rows :]]
    if sum(map(len, held)):
        yield pl.concat(held, rechunk=True)


def count_in_parts(frame: "pl.LazyFrame", by: list[str], sums: list["pl.Expr"], rows: int, part: int) -> "pl.DataFrame":
    """The groups of a table of `rows` rows and the sums of each, in any order; `part` rows are grouped at a time.

    Over a whole log the streaming engine would hold many copies of a key: one whenever its small table of the latest
    groups is full.
    """
    import polars as pl

    found, *held = [frame.head(0).group_by(by).agg(sums).collect()]
    for start in range(0, rows, part):
        held.append(frame.slice(start, part).group_by(by).agg(sums).collect(engine="streaming"))
        if rows <= part:
            return held[0]
        if start + part >= rows or sum(map(len, held)) >= len(found):
            found, held = pl.concat([found, *held]).group_by(by).agg(pl.exclude(by).sum()), []
    return found


def write_buckets(frames: Iterable["pl.DataFrame"], folder: Path, rows: int = ROW_GROUP) -> None:
    """Write rows of numbers into a file per value of their column `bucket`, which is left out, in the order they come.

    Some `rows` of them are held at a time.
    """
    held: dict[int, list[pa.Table]] = defaultdict(list)
    with ExitStack() as opened:
        writers: dict[int, pq.ParquetWriter] = {}
        for frame in frames:
            for start in range(0, len(frame), AT_ONCE):
                for bucket, table in _split(frame[start : start + AT_ONCE]):
                    held[bucket].append(table)
            if sum(len(table) for tables in held.values() for table in tables) >= rows:
                _write(held, folder, writers, opened)
        _write(held, folder, writers, opened)


def _split(rows: "pl.DataFrame") -> Iterator[tuple[int, "pa.Table"]]:
    """The rows of each bucket."""
    buckets = rows[BUCKET].to_numpy().astype(np.uint16, copy=False)  # so small a type is sorted by counting
    order, counts = np.argsort(buckets, kind="stable").astype(np.uint32), np.bincount(buckets)
    table = rows.drop(BUCKET)[order].to_arrow()
    starts = np.cumsum(counts) - counts
    for bucket in np.flatnonzero(counts).tolist():
        yield bucket, table.slice(int(starts[bucket]), int(counts[bucket]))


def _write(
    held: "dict[int, list[pa.Table]]", folder: Path, writers: "dict[int, pq.ParquetWriter]", opened: ExitStack
) -> None:
    """Write what is held of each bucket as a group of rows of its file, and hold it no longer."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    for bucket, tables in held.items():
        whole = pa.concat_tables(tables)
        if bucket not in writers:
            few = [name for name in FEW_VALUES if name in whole.column_names]
            writer = pq.ParquetWriter(folder / f"{bucket}.parquet", whole.schema, use_dictionary=few, **PLAIN)
            writers[bucket] = opened.enter_context(writer)
        writers[bucket].write_table(whole)
    held.clear()
