"""What executors do: functions of this project over the rows of a partition, and what they leave for the driver.

Rows go from Spark to Polars and back through Arrow, so that both engines run the same functions. Notes (counts, names
of columns) and mistakes of the user go through small files in the step's scratch folder, which all machines share: no
row goes to the driver, and a task that is run again writes the same file again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.utils.errors import UserError
from common.utils.io import read_json, write_json

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

AT_ONCE = 2**16
"""Rows that go from a task to Spark at a time."""
REFUSED, NOTE = "refused", "note"
Kinds = Mapping[str, str]
"""Columns of a table, each with Spark's name of its kind."""


@dataclass(frozen=True)
class Task:
    """Work on the rows of a partition, for `DataFrame.mapInArrow`.

    run: frames to frames; it may be called with none. place: a folder that all machines share, for notes and refusals.
    """

    run: "Callable[[Iterator[pl.DataFrame], Path], Iterable[pl.DataFrame]]"
    kinds: Kinds
    place: Path

    def __call__(self, batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        """The batches of a partition to those of its result; a user's mistake is left for the driver."""
        import polars as pl

        frames: Iterator[Any] = (pl.from_arrow(batch) for batch in batches)
        try:
            for frame in self.run(frames, self.place):
                yield from as_batches(frame, self.kinds)
        except UserError as mistake:
            write_json(self.place / f"{REFUSED}-{partition():06}.json", {"said": str(mistake)})


def partition() -> int:
    """The number of the running task's partition, 0 outside a task."""
    from pyspark import TaskContext

    context = TaskContext.get()
    return context.partitionId() if context else 0


def as_batches(frame: "pl.DataFrame", kinds: Kinds) -> "Iterator[pa.RecordBatch]":
    """Rows as Spark takes them. Raises an AssertionError for other columns than those of `kinds`, in their order."""
    import pyarrow as pa

    arrow = {
        "tinyint": pa.int8(),
        "int": pa.int32(),
        "bigint": pa.int64(),
        "double": pa.float64(),
        "string": pa.string(),
    }
    if frame.columns != list(kinds):
        raise AssertionError(f"columns {frame.columns} in place of {list(kinds)}")
    schema = pa.schema([(name, arrow[kind]) for name, kind in kinds.items()])
    yield from frame.to_arrow().cast(schema).to_batches(AT_ONCE)


def whole(frames: "Iterable[pl.DataFrame]") -> "pl.DataFrame | None":
    """All rows of a partition, None where it has none."""
    import polars as pl

    held = [frame for frame in frames if len(frame)]
    return pl.concat(held, rechunk=True) if held else None


def note(place: Path, said: Mapping[str, Any], name: str = "") -> None:
    """Leave something for the driver: counts, or names of columns."""
    write_json(place / f"{NOTE}-{name or f'{partition():06}'}.json", dict(said))


def notes(place: Path) -> list[dict[str, Any]]:
    """What tasks have left, in order of their names."""
    return [read_json(path) for path in sorted(place.glob(f"{NOTE}-*.json"))]


def check(place: Path) -> None:
    """Raise the UserError that the first task has met, if any has."""
    for path in sorted(place.glob(f"{REFUSED}-*.json")):
        raise UserError(read_json(path)["said"])
