"""Both engines make the same tables of one log, step by step, and no row of them goes to the driver."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from common.data.preparation import pipeline
from common.data.preparation.pipeline import TEN_STEPS, prepare
from common.data.preparation.settings import PreparationSettings
from common.data.preparation.spark import workspace
from common.data.preparation.spark.engine import ON_SPARK, SparkEngine
from common.data.preparation.workspace import Outcome
from common.data.synthetic.raw.logs import generate_logs
from common.data.synthetic.raw.world import RawLogSettings
from common.utils.temporary import MACHINE
from tests.data.preparation.raw_logs import LOG, TRAIN, content, interactions, write_raw
from tests.data.preparation.spark.agreement import differing_files, differing_tables
from tests.spark import needs_spark

SAME = ("step", "rows_in", "rows_out", "units", "dropped")
OF_ENGINE = ("buckets",)
"""Notes that say how an engine went to work."""


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[pl.DataFrame]]:
    """Every way by which rows of a Spark table reach the driver is closed, but that of counts, which are listed."""
    from pyspark.sql.classic.dataframe import DataFrame

    counts: list[pl.DataFrame] = []

    def closed(*_: object, **__: object) -> None:
        raise AssertionError("rows go to the driver")

    def arrow(self: DataFrame, *_: object) -> object:
        assert {kind for _, kind in self.dtypes} <= {"tinyint", "int", "bigint"}, self.dtypes
        found = to_arrow(self)
        counts.append(pl.DataFrame(found))
        return found

    to_arrow = DataFrame.toArrow
    for name in ("collect", "toPandas", "toLocalIterator", "take", "tail", "head", "first", "pandas_api"):
        monkeypatch.setattr(DataFrame, name, closed)
    monkeypatch.setattr(DataFrame, "toArrow", arrow)
    yield counts


def told(out: Path) -> list[dict]:
    """What steps.json says, without times, files, and what an engine says of itself."""
    entries = json.loads((out / "steps.json").read_text(encoding="utf-8"))["steps"]
    return [
        {name: entry[name] for name in SAME}
        | {"notes": {name: said for name, said in entry["notes"].items() if name not in OF_ENGINE}}
        for entry in entries
    ]


def read(out: Path, name: str) -> dict:
    return json.loads((out / f"{name}.json").read_text(encoding="utf-8"))


def failing(_: object) -> Outcome:
    raise RuntimeError("stop")


@needs_spark
@pytest.mark.thorough
def test_every_table_of_every_step_is_that_of_the_local_engine(tmp_path, spark, guarded, monkeypatch, caplog):
    monkeypatch.setattr(workspace, "EVENTS_OF_TASK", 3_000)
    generate_logs(RawLogSettings(10_000, format="csv.gz", track_ids=False), tmp_path / "raw")
    settings = PreparationSettings(core=2)
    local, out = tmp_path / "local" / "log", tmp_path / "spark" / "log"
    prepare([tmp_path / "raw"], local, settings, keep=True)
    engine = SparkEngine(spark)
    with monkeypatch.context() as patch:  # the first run ends in the middle, the second one goes on there
        patch.setattr(engine, "steps", {**ON_SPARK, "filter_bots": failing})
        with pytest.raises(RuntimeError, match="stop"):
            prepare([tmp_path / "raw"], out, settings, keep=True, engine=engine)
    assert not list(out.rglob(".*")), "the step that failed has left something"
    with caplog.at_level("INFO"):
        prepare([tmp_path / "raw"], out, settings, keep=True, engine=engine)
    assert "going on after step 7, group_work_versions" in caplog.text
    assert not list(out.rglob(".*"))

    assert told(out) == told(local)
    assert differing_tables(local, out) == []
    assert differing_files(local, out) == []
    assert read(out, "quality") == read(local, "quality")
    assert read(out, "manifest")["sha256"] == read(local, "manifest")["sha256"]
    assert len(guarded) > 10
    assert max(map(len, guarded)) < 3_000, "more than a day's seconds or a log's days"


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return write_raw(tmp_path_factory.mktemp("raw") / "log.csv", LOG)


@needs_spark
@pytest.mark.thorough
def test_a_small_log_is_a_data_set_that_the_local_engine_takes_as_its_own(tmp_path, spark, raw, caplog):
    half = tmp_path / "out" / "steps" / f".step-4194304@{MACHINE}-abcdefgh"  # of a job that was killed
    half.mkdir(parents=True)
    prepare([raw], tmp_path / "out", PreparationSettings(core=2))
    prepare([raw], tmp_path / "out", engine=SparkEngine(spark))  # folders stand where files stood
    assert not (tmp_path / "out" / "steps").exists()
    table = pl.concat(pl.read_parquet(path) for path in (tmp_path / "out" / "interactions_train.parquet").iterdir())
    assert len(table) == len(TRAIN)
    before = content(tmp_path / "out", ())
    with caplog.at_level("INFO"):
        prepare([raw], tmp_path / "out")
    assert "is up to date: prepared before" in caplog.text
    assert content(tmp_path / "out", ()) == before
    prepare([raw], tmp_path / "out", PreparationSettings(repeats="keep"))  # and files where folders stood
    assert interactions(tmp_path / "out") == TRAIN


def test_every_step_runs_on_spark():
    assert list(ON_SPARK) == [step.name for step in TEN_STEPS]


def test_steps_of_another_engine_are_not_gone_on_with(tmp_path, raw, monkeypatch, caplog):
    story = tuple(replace(step, run=failing) if step.name == "filter_bots" else step for step in TEN_STEPS)
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "TEN_STEPS", story)
        with pytest.raises(RuntimeError, match="stop"):
            prepare([raw], tmp_path / "out")
    listed = tmp_path / "out" / "steps.json"
    listed.write_text(listed.read_text().replace('"engine": "local"', '"engine": "spark"'))
    with caplog.at_level("INFO"):
        prepare([raw], tmp_path / "out")
    assert "going on after step" not in caplog.text
    assert interactions(tmp_path / "out") == TRAIN


def test_no_file_of_the_room_takes_rows_to_the_driver():
    room = Path(workspace.__file__).parent
    taking = (".collect(", ".toPandas(", ".toLocalIterator(", ".toArrow(", ".take(", ".rdd", ".first()", ".tail(")
    lines = [line for path in room.glob("*.py") for line in path.read_text(encoding="utf-8").splitlines()]
    found = [line.strip() for line in lines if any(name in line for name in taking)]
    # Polars frames on executors are collected, Spark's never.
    assert [line for line in found if "local_validate" not in line] == []
