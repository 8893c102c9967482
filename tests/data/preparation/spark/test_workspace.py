from pathlib import Path

import pytest

from common.data.preparation.settings import PreparationSettings
from common.data.preparation.spark.workspace import EVENTS_OF_TASK, SparkWorkspace
from common.data.preparation.workspace import Workspace


class Session:
    """What a workspace asks of a Spark session as it begins."""

    def __init__(self):
        self.sparkContext, self.conf, self.environment = self, self, {}
        self.defaultParallelism, self.settings = 2, {}

    def set(self, name, value):
        self.settings[name] = value


def made(folder: Path, **more) -> SparkWorkspace:
    return SparkWorkspace(PreparationSettings(), [Path("a.csv")], folder, {}, folder, 10**9, spark=Session(), **more)


def test_executors_find_the_project_and_no_table_goes_through_the_driver(tmp_path):
    session = made(tmp_path).spark
    assert (Path(session.environment["PYTHONPATH"].split(":")[0]) / "common").is_dir()
    assert session.environment["POLARS_MAX_THREADS"] == "1"
    assert session.settings["spark.sql.autoBroadcastJoinThreshold"] == "-1"
    assert session.settings["spark.sql.shuffle.partitions"] == "4"


def test_a_bucket_of_users_is_what_one_task_holds(tmp_path):
    assert [SparkWorkspace.buckets_of(n) for n in (0, 1, EVENTS_OF_TASK, EVENTS_OF_TASK + 1)] == [1, 1, 1, 2]
    long = made(tmp_path, entries=[{"step": "scan", "rows_out": 100 * EVENTS_OF_TASK}])
    assert long.spark.settings["spark.sql.shuffle.partitions"] == "100"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RuntimeError("java.io.IOException: No space left on device"),
            "No space left on device on a machine of the cluster; free some",
        ),
        (
            RuntimeError("java.lang.OutOfMemoryError: Java heap space"),
            "an executor ran out of memory; give it more with --executor-memory",
        ),
        (OSError(13, "Permission denied; free some space or mend"), "Permission denied; free some space or mend"),
        (RuntimeError("a mistake of ours"), ""),
    ],
)
def test_what_the_machines_say(tmp_path, error, said):
    assert made(tmp_path).fault(error).startswith(said)
    assert bool(made(tmp_path).fault(error)) == bool(said)


def test_an_executor_works_in_a_workspace_of_the_local_engine(tmp_path):
    work = made(tmp_path, notes={"scan": {"columns": []}})
    local = work.local()
    assert type(local) is Workspace
    assert (local.fresh, local.notes, local.settings) == (work.fresh, work.notes, work.settings)
