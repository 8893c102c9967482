"""Work on a cluster whose result can be told in a few whole numbers, and a worker that is killed meanwhile."""

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.cluster.processes import tree_cpu_seconds
from common.cluster.counts import counts
from common.cluster.paths import url
from common.cluster.standalone import Daemon
from common.data.matrix_files import PARTS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FITTING = "ALS.scala"
"""What the names of the stages hold in which MLlib fits ALS."""
LOST = r"Executor lost|Lost executor|is now LOST"
"""By which Spark's log tells that an executor is gone."""


def aggregates(spark: "SparkSession", folder: Path) -> dict[str, int]:
    """Of a prepared folder's interactions, through two shuffles: items, pairs, plays, and sums of hashes of both what
    each item and what each user has."""
    from pyspark.sql import functions as f

    pairs = spark.read.parquet(*(url(folder / f"interactions_{part}.parquet") for part in PARTS))
    found: dict[str, int] = {}
    for key, other in (("item", "user"), ("user", "item")):
        hashes = f.sum(f.hash(other, "plays", "first").cast("long")).alias("hashes")
        own = pairs.groupBy(key).agg(f.count("*").alias("pairs"), f.sum("plays").alias("plays"), hashes)
        hashed = own.select("pairs", "plays", f.hash(key, "pairs", "plays", "hashes").cast("long").alias("hash"))
        sums = [f.sum(name).alias(f"{name} by {key}") for name in ("pairs", "plays", "hash")]
        found |= counts(hashed.agg(f.count("*").alias(f"{key}s"), *sums))
    return found


class Killer(threading.Thread):
    """Kills a worker as soon as a stage whose name holds a word has tasks at work while the block runs; `killed_at`
    says when, and is 0 where there was no such stage; `cpu_seconds` is what the worker and its executors had taken."""

    def __init__(self, context: Any, worker: Daemon, stage: str) -> None:
        super().__init__(name="killer", daemon=True)
        self.killed_at = self.cpu_seconds = 0.0
        self._context, self._worker, self._stage = context, worker, stage
        self._over = threading.Event()

    def __enter__(self) -> "Killer":
        """Begin to look."""
        self.start()
        return self

    def run(self) -> None:
        """Look ten times a second."""
        while not self._over.wait(0.1):
            if self._is_at_work():
                self.cpu_seconds = tree_cpu_seconds(self._worker.process.pid)
                self._worker.end()
                self.killed_at = time.monotonic()
                return

    def _is_at_work(self) -> bool:
        tracker = self._context.statusTracker()
        stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
        return any(stage and self._stage in stage.name and stage.numActiveTasks for stage in stages)

    def __exit__(self, *error: object) -> None:
        """Do not kill any more."""
        self._over.set()
        self.join(timeout=10)
