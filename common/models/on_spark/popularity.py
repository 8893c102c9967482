"""Popularity by Spark: the listeners of each item."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def listeners(pairs: "DataFrame") -> "DataFrame":
    """Columns item and listeners, bigint, of the items that pairs (user, item, ...) name."""
    return pairs.groupBy("item").count().withColumnRenamed("count", "listeners")
