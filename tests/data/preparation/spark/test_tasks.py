import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from common.data.preparation.spark.tasks import Task, as_batches, check, note, notes, whole
from common.utils.errors import UserError

KINDS = {"user": "int", "name": "string"}
ROWS = pl.DataFrame({"user": [1, 2], "name": ["a", None]}, {"user": pl.Int64, "name": pl.String})


def batches(frame):
    return iter(frame.to_arrow().to_batches())


def test_rows_come_back_in_the_kinds_that_spark_was_told():
    found = pa.Table.from_batches(as_batches(ROWS, KINDS))
    assert found.schema == pa.schema({"user": pa.int32(), "name": pa.string()})
    assert found.to_pylist() == [{"user": 1, "name": "a"}, {"user": 2, "name": None}]
    with pytest.raises(AssertionError, match=r"columns \['user', 'name'\] in place of \['name', 'user'\]"):
        list(as_batches(ROWS, {"name": "string", "user": "int"}))
    with pytest.raises(pa.ArrowInvalid):  # and none is cut off
        list(as_batches(ROWS.with_columns(user=pl.lit(2**40)), KINDS))


def test_a_task_stays_in_its_executors_folder_and_leaves_notes(tmp_path, monkeypatch):
    monkeypatch.chdir("/")  # the code that Spark has sent lies there

    def run(frames, place):
        rows = pl.concat(frames)
        note(place, {"rows": len(rows), "in": str(Path.cwd())})
        yield rows.filter(pl.col("user") > 1)

    task = Task(run, KINDS, tmp_path)
    assert [batch.num_rows for batch in task(batches(ROWS))] == [1]
    check(tmp_path)
    assert notes(tmp_path) == [{"rows": 2, "in": "/"}]


def test_a_users_mistake_is_left_for_the_driver_and_any_other_error_is_not(tmp_path):

    def refuse(frames, place):
        yield next(frames)
        raise UserError("log.csv, line 7: mend it")

    def fail(frames, place):
        raise ValueError("ours")

    assert len(list(Task(refuse, KINDS, tmp_path)(batches(ROWS)))) == 1
    with pytest.raises(UserError, match=r"^log.csv, line 7: mend it$"):
        check(tmp_path)
    with pytest.raises(ValueError, match="ours"):
        list(Task(fail, KINDS, tmp_path)(batches(ROWS)))


def test_notes_come_in_order_and_one_that_is_left_again_counts_once(tmp_path):
    for name in ("000010", "000009", "000010"):
        note(tmp_path, {"file": int(name)}, name)
    assert [told["file"] for told in notes(tmp_path)] == [9, 10]
    assert all(json.loads(path.read_text()) for path in tmp_path.iterdir())


def test_a_partition_without_rows_is_none():
    assert whole(iter([])) is None
    assert whole(iter([ROWS.clear()])) is None
    both = whole(iter([ROWS, ROWS.clear(), ROWS]))
    assert both is not None
    assert both.rows() == ROWS.rows() * 2
