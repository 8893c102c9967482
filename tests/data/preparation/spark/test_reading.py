import polars as pl
import pytest

from common.data.preparation.pipeline import prepare
from common.data.preparation.settings import PreparationSettings
from common.data.preparation.spark.engine import SparkEngine
from common.data.preparation.spark.reading import ROWS, _judge, _read, _review
from common.data.preparation.spark.tasks import notes
from common.data.preparation.steps.validate import Known
from common.utils.errors import UserError
from tests.data.preparation.raw_logs import LOG, event, scanned, workspace, write_raw, written
from tests.spark import needs_spark

SETTINGS = PreparationSettings()


def test_a_task_reads_its_files_as_the_local_step_does(tmp_path):
    files = [write_raw(tmp_path / name, LOG[:9]) for name in ("a.csv", "b.jsonl.gz")]
    found = pl.concat(_read(files, SETTINGS, iter([pl.DataFrame({"id": [1]}), pl.DataFrame({"id": [0]})]), tmp_path))
    expected = scanned(tmp_path / "work", *files)[1]
    assert found.columns == list(ROWS)
    assert found.sort("file", "row").equals(expected.sort("file", "row"))
    assert [(told["file"], told["chosen"]["track"]) for told in notes(tmp_path)] == [(0, "track"), (1, "track")]


def test_broken_rows_are_put_aside_and_told_as_by_the_local_step(tmp_path):
    rows = [*LOG[:5], event("", "Creep", 3), event("a", "Creep", -(10**10)), *LOG[5:9]]
    events = scanned(tmp_path / "work", write_raw(tmp_path / "a.csv", rows))[1]
    known = Known(["track", "artist"], False)
    sound = pl.concat(_judge(known, SETTINGS, iter([events[:6], events[6:]]), tmp_path))
    assert sound["row"].to_list() == [1, 2, 3, 4, 5, 8, 9, 10, 11]
    assert len(list((tmp_path / "broken").rglob("*.parquet"))) == 2
    (tmp_path / "ends").mkdir()
    pl.DataFrame({"file": [0], "sound": [9], "first": [1], "last": [11]}).write_parquet(tmp_path / "ends" / "0.parquet")
    work = workspace(tmp_path / "tell", {"scan": {"columns": ["track", "artist"]}})
    told = _review(work, 9, tmp_path / "ends", tmp_path, 0)
    assert (told["rows_in"], told["rows_out"]) == (11, 9)
    assert told["dropped"] == {"user_missing": 1, "time_out_of_range": 1}
    assert written(work, "dropped").select("rule", "row").rows() == [("user_missing", 6), ("time_out_of_range", 7)]


@needs_spark
@pytest.mark.thorough
def test_a_mistake_in_a_raw_file_is_the_same_sentence_and_nothing_is_left(tmp_path, spark):
    log = write_raw(tmp_path / "log.csv", LOG)
    log.write_text(log.read_text() + "a,b,c,1,2\n")
    said = []
    for engine in (None, SparkEngine(spark)):
        with pytest.raises(UserError) as caught:
            prepare([log], tmp_path / "out", engine=engine)
        said.append(str(caught.value))
        assert not list(tmp_path.rglob("*.parquet"))
    assert said[0] == said[1]
    assert "line 22: 5 cells, while the first line has 4" in said[0]
