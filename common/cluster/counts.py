"""The one place where something of a Spark table comes to the driver: a row of whole numbers."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def counts(frame: "DataFrame") -> dict[str, int]:
    """The only row of a table of counts and sums, by column; 0 for a sum of nothing. Raises an AssertionError where
    there are more rows, or where they hold anything but whole numbers."""
    rows = frame.limit(2).collect()
    assert len(rows) == 1, "no table of counts"
    found = {name: value or 0 for name, value in rows[0].asDict().items()}
    assert all(isinstance(value, int) for value in found.values()), f"no counts: {found}"
    return found
