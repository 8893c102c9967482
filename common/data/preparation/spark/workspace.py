"""The tables between the steps as Spark reads and writes them, in the same folders as those of the local engine."""

import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.cluster.paths import url
from common.data.preparation.figures import size_of
from common.data.preparation.spark.tasks import Kinds, Task, check, note, notes
from common.data.preparation.workspace import FREE_SPACE, Outcome, Workspace
from common.utils.io import ROOT

if TYPE_CHECKING:
    import polars as pl
    from pyspark.sql import DataFrame, SparkSession

EVENTS_OF_TASK = 1_000_000
"""Events of a bucket of users, which one task holds: some 120 MB with what it needs beside them."""
FULL_DISK = re.compile(r"No space left on device|Disk quota exceeded")
NO_MEMORY = re.compile(r"OutOfMemoryError|MemoryError|Cannot allocate memory|exit code 137")
ALONE = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Spark runs a task per core: none of them needs threads of its own."""


@dataclass
class SparkWorkspace(Workspace):
    """A workspace whose large tables are Spark's; executors write into its folders, which all machines share."""

    spark: Any = None

    def __post_init__(self) -> None:
        """Let executors find this project and its files, and write what the local engine can read.

        A task runs in a folder of its executor's, so that every path is absolute; results name `named`, as given.
        """
        spark: SparkSession = self.spark
        self.named = self.files
        self.files = [path.absolute() for path in self.files]
        self.out, self.fresh = self.out.absolute(), self.fresh.absolute()
        self.tables = {table: path.absolute() for table, path in self.tables.items()}
        path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        spark.sparkContext.environment.update(ALONE | {"PYTHONPATH": os.pathsep.join(path)})
        no_broadcast = dict.fromkeys((f"spark.sql.{kind}autoBroadcastJoinThreshold" for kind in ("", "adaptive.")), -1)
        for name, value in {
            **no_broadcast,  # it would gather a table's rows on the driver first
            "spark.sql.execution.arrow.maxRecordsPerBatch": 2**16,
            "spark.sql.parquet.compression.codec": "zstd",
            "spark.sql.shuffle.partitions": max(2 * spark.sparkContext.defaultParallelism, self._tasks()),
            "spark.sql.session.timeZone": "UTC",
            "mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
        }.items():
            spark.conf.set(name, str(value))

    def _tasks(self) -> int:
        """Tasks that the events of the log need."""
        rows = [entry["rows_out"] for entry in self.entries if entry["step"] == "scan"]
        return self.buckets_of(rows[0]) if rows else 1

    @staticmethod
    def buckets_of(events: int) -> int:
        """Buckets of users, so that one task can hold any of them."""
        return max(1, -(-events // EVENTS_OF_TASK))

    def scan(self, table: str) -> Any:
        """A table of earlier steps."""
        return self.load(self.tables[table])

    def written(self, table: str) -> Any:
        """A table that the running step has written."""
        return self.load(self.fresh / table)

    def load(self, folder: Path) -> "DataFrame":
        """The table that lies in a folder."""
        return self.spark.read.parquet(url(folder))

    def write(self, table: str, frame: Any, name: str = "", how: Mapping[str, Any] = {}) -> None:
        """Write a whole table of the running step."""
        self.save(self.fresh / table, frame)

    def save(self, folder: Path, frame: "DataFrame") -> "DataFrame":
        """Write a table into a folder, and read it from there."""
        frame.write.parquet(url(folder))
        for path in [*folder.glob(".*.crc"), *folder.glob("_SUCCESS")]:
            path.unlink()
        return self.load(folder)

    def scratch(self) -> Path:
        """A folder for files of the running step that nobody needs after it; absolute, as executors need it."""
        return super().scratch().absolute()

    def place(self, job: str) -> Path:
        """A folder for what the tasks of a job leave."""
        place = self.scratch() / job
        place.mkdir()
        return place

    def local(self) -> Workspace:
        """What a function of the local engine works in, for one that an executor runs."""
        return Workspace(**{f.name: getattr(self, f.name) for f in fields(Workspace)} | {"files": self.named})

    def mapped(
        self,
        frame: "DataFrame",
        run: "Callable[[Iterator[pl.DataFrame], Path], Iterable[pl.DataFrame]]",
        kinds: Kinds,
        place: Path,
    ) -> "DataFrame":
        """What a function makes of each partition of a table, lazily. Call `check` on the place once it is run."""
        schema = ", ".join(f"`{name}` {kind}" for name, kind in kinds.items())
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")  # none is used
            return frame.mapInArrow(Task(run, kinds, place), schema)

    def write_mapped(self, table: str, frame: "DataFrame", run: Any, kinds: Kinds, job: str = "job") -> Path:
        """Write what a function makes of each partition as a table; the folder in which its tasks left their notes."""
        place = self.place(job)
        self.write(table, self.mapped(frame, run, kinds, place))
        check(place)
        return place

    def once(self, function: Callable[..., Mapping[str, Any]], *given: Any) -> dict[str, Any]:
        """Run a function in one task on an executor; what it returns are notes, small enough for JSON."""
        place = self.place(f"once-{len(list(self.scratch().iterdir()))}")
        one = self.spark.range(0, 1, 1, 1)
        self.mapped(one, partial(_once, function, given), {"done": "bigint"}, place).count()
        check(place)
        return notes(place)[0]

    def step_once(self, step: Callable[[Workspace], Outcome]) -> Outcome:
        """Run a whole step of the local engine in one task on an executor: for tables of users, tracks and artists."""
        return Outcome(**self.once(_step, step, self.local()))

    def by_user(self, frame: "DataFrame", users: int, events: int) -> "DataFrame":
        """Rows in buckets of users, a partition each, as in the local engine: a range of codes below `users`."""
        from pyspark.sql import functions as sql

        buckets = self.buckets_of(events)
        return frame.repartitionById(buckets, sql.expr(f"int(bigint(user) * {buckets} div {max(1, users)})"))

    def size(self, table: str) -> int:
        """Rows of a table of the steps before."""
        return size_of(self.scan(table))

    def fault(self, error: Exception) -> str:
        """What the system said on this machine or on an executor, and the remedy; "" of another error."""
        said = str(error)
        if found := FULL_DISK.search(said):
            return f"{found[0]} on a machine of the cluster; {FREE_SPACE}"
        if NO_MEMORY.search(said):
            return "an executor ran out of memory; give it more with --executor-memory"
        return super().fault(error)


def _once(function: Callable[..., Mapping[str, Any]], given: tuple[Any, ...], frames: Any, place: Path) -> Any:
    list(frames)
    note(place, function(*given))
    return ()


def _step(step: Callable[[Workspace], Outcome], work: Workspace) -> dict[str, Any]:
    outcome = step(work)
    return {f.name: getattr(outcome, f.name) for f in fields(Outcome)}
