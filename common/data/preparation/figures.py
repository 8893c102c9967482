"""Counts and other aggregates of tables, computed where the table lies: in this process, or on a cluster.

A table of events may be a Polars frame or a Spark one; both are described through Narwhals. What comes back from a
cluster are whole numbers alone, and few: rows of a table never do.
"""

from typing import TYPE_CHECKING, Any

from common.utils.errors import UserError

if TYPE_CHECKING:
    import narwhals as nw
    import polars as pl

MOST = 100_000
"""Rows that an aggregate of a cluster may have: one for each day of 270 years, or each second of a day."""


def described(table: Any) -> "nw.LazyFrame[Any]":
    """A lazy table of either engine, to be described once for both."""
    import narwhals as nw

    return nw.from_native(table).lazy()


def figures(aggregate: "nw.LazyFrame[Any]") -> "pl.DataFrame":
    """The rows of an aggregate. Raises an AssertionError for a Spark table that holds anything but whole numbers."""
    import polars as pl

    if isinstance(native := aggregate.to_native(), pl.LazyFrame):
        return native.collect(engine="streaming")
    return _of_cluster(aggregate)


def _of_cluster(aggregate: "nw.LazyFrame[Any]") -> "pl.DataFrame":
    import polars as pl

    if odd := [name for name, kind in aggregate.collect_schema().items() if not kind.is_integer()]:
        raise AssertionError(f"columns {odd} are no counts, which alone may leave a cluster")
    found = pl.from_arrow(aggregate.head(MOST + 1).collect("pyarrow").to_native())
    assert isinstance(found, pl.DataFrame)
    if len(found) > MOST:
        raise UserError(f"the log spans more than {MOST:,} days; give --earliest and --latest")
    return found


def size_of(table: Any) -> int:
    """Number of rows of a lazy table of either engine."""
    import narwhals as nw

    return int(figures(described(table).select(n=nw.len())).item())


def total(table: Any, column: str) -> int:
    """The sum of a column of counts of a lazy table of either engine."""
    import narwhals as nw

    return int(figures(described(table).select(nw.col(column).sum())).item() or 0)
