"""Python functions over the rows of a Spark table, on its executors."""

import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame


def map_batches(
    frame: "DataFrame", function: "Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]", schema: str
) -> "DataFrame":
    """The rows that a function makes of each partition's batches; schema: names and SQL types of its columns."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)  # none is used
        return frame.mapInArrow(function, schema)
