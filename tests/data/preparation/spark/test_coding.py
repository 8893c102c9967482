import polars as pl
import pytest

from common.data.preparation.spark.coding import _code
from common.data.preparation.steps.canonical_ids import canonical_ids
from tests.data.preparation.raw_logs import workspace, written

COLUMNS = ["track", "artist", "album"]
NOTES = {"validate": {"columns": COLUMNS, "plays": False}}
EVENTS = pl.DataFrame(
    {
        "user_id": ["b", "a ", "b", "c"],
        "track": ["Creep", "creep", "Nude", "Creep"],
        "artist": ["Radiohead", "The Radiohead", "Radiohead", "Radiohead"],
        "album": [None, "Pablo Honey", "In Rainbows", None],
        "timestamp": [1, 2, 3, 4],
        "part": pl.Series([0, 0, 0, 2], dtype=pl.Int8),
    }
)


@pytest.mark.parametrize("table", ["users", "tracks", "artists"])
def test_the_tables_are_those_of_the_local_step_in_whichever_order_texts_come(tmp_path, table):
    local = workspace(tmp_path / "local", NOTES, events=EVENTS)
    told = canonical_ids(local)
    weight = (pl.col("part") == 0).cast(pl.Int64).sum()
    spelled = EVENTS.group_by(COLUMNS).agg(pl.len().cast(pl.Int64).alias("events"), plays=weight)
    for name, frame in (("user_ids", EVENTS.select("user_id").unique()), ("spellings", spelled.reverse())):
        (tmp_path / name).mkdir()
        half = len(frame) // 2
        frame[half:].write_parquet(tmp_path / name / "0.parquet")
        frame[:half].write_parquet(tmp_path / name / "1.parquet")
    work = workspace(tmp_path / "work", NOTES)
    found = _code(work, tmp_path / "user_ids", tmp_path / "spellings", tmp_path)
    assert written(work, table).equals(written(local, table))
    assert found | {"buckets": 1} == told.notes
    codes = pl.read_parquet(tmp_path / "tracks" / "0.parquet")
    assert codes.columns == ["track_code", *COLUMNS]
    assert sorted(codes["track_code"].to_list()) == [0, 0, 1]
