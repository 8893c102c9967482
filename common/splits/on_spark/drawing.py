"""A split drawn by one task of a cluster, by the very code of the local engine, so that its hash is the same.

Random numbers come one after the other, and so do the bytes of a hash: neither can be spread over tasks. Of a folder
that `python -m common prepare` wrote this is little: the cut in time is made there, the arrays stay on the disk, and
what is drawn is who is evaluated, and negatives of their pairs (`splits/mapped/drawing.py`). Tables of ids are read
whole by the task, as the local engine reads them.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from common.cluster.counts import counts
from common.data.dataset import Dataset
from common.splits.store import is_drawn, parse_folder_name

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession


def draw_on_spark(spark: "SparkSession", data: Dataset, split: str) -> None:
    """Let a worker draw the split of a protocol folder, such as `temporal`, where it is missing or out of date."""
    parse_folder_name(split)  # an unknown protocol is refused here
    if is_drawn(data, split):
        return
    plain = Dataset(data.name, data.folder.resolve(), data.manifest, data.test_users)

    def task(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        from common.splits.on_spark.drawing import drawn

        return drawn(batches, plain, split)

    counts(spark.range(0, 1, numPartitions=1).mapInArrow(task, "rows bigint"))


def drawn(batches: "Iterator[pa.RecordBatch]", data: Dataset, split: str) -> "Iterator[pa.RecordBatch]":
    """Draw and write a split; how many rows it has in all its parts."""
    import pyarrow as pa

    from common.splits.store import load_split

    for _ in batches:
        rows = sum(load_split(data, split).info["rows"].values())
        yield pa.RecordBatch.from_pydict({"rows": pa.array([rows], pa.int64())})
