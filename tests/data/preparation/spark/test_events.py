import numpy as np
import polars as pl

from common.data.preparation.settings import PreparationSettings
from common.data.preparation.spark.events import (
    INTERACTIONS,
    JUDGED,
    _aggregate,
    _in_order,
    _judge,
    _lost,
    _write_left_out,
)
from common.data.preparation.spark.tasks import notes
from tests.data.preparation.raw_logs import workspace, written

KINDS = {"user": pl.Int32, "track": pl.Int32, "timestamp": pl.Int64, "part": pl.Int8}
EVENTS = pl.DataFrame(
    {"user": [1, 1, 0, 1, 0, 1], "track": [0, 0, 1, 0, 2, 2], "timestamp": [5, 5, 7, 9, 8, 20], "part": [0] * 5 + [2]},
    KINDS,
)


def halves(frame=EVENTS):
    return iter([frame[:2], frame[2:]])


def test_repeats_across_batches_are_found(tmp_path):
    found = pl.concat(_in_order(3, True, halves(), tmp_path))
    assert found.rows() == [(0, 1, 7, 0), (0, 2, 8, 0), (1, 0, 5, 0), (1, 0, 9, 0), (1, 2, 20, 2)]
    assert list(_in_order(3, True, iter([]), tmp_path)) == []


def test_users_are_judged_by_all_their_events(tmp_path):
    np.save(tmp_path / "same.npy", np.arange(3, dtype=np.int32))
    settings = PreparationSettings(bot_events_per_day=2)
    found = pl.concat(_judge(tmp_path / "same.npy", settings, halves(), tmp_path)).sort("user")
    assert found.columns == list(JUDGED)
    assert found.rows() == [(0, 2, 0), (1, 4, 1)]


def test_who_goes_is_written_and_marked(tmp_path):
    pl.DataFrame({"user": [0, 2], "rule": [0, 3]}, {"user": pl.Int32, "rule": pl.Int8}).write_parquet(
        tmp_path / "rules.parquet"
    )
    (tmp_path / "users").mkdir()
    pl.DataFrame({"code": [1]}).write_parquet(tmp_path / "users" / "0.parquet")
    (tmp_path / "judged").mkdir()
    (tmp_path / "rules.parquet").rename(tmp_path / "judged" / "0.parquet")
    work = workspace(tmp_path / "work", users={"user_id": ["a", "b", "c"]}, tracks={"item_id": ["x", "y"]})
    counts = _write_left_out(work, tmp_path / "judged", (tmp_path / "users", None), tmp_path)
    assert counts == {"bots": 1, "thin": 1, "tracks": 0}
    assert written(work, "left_out").rows() == [("user", 1, "too_rare"), ("user", 2, "one_track")]
    np.save(tmp_path / "same.npy", np.arange(3, dtype=np.int32))
    np.save(tmp_path / "tracks.npy", np.array([False, False, True]))
    lost = pl.concat(_lost(tmp_path / "same.npy", tmp_path, halves(), tmp_path))
    assert lost["lost"].sum() == 5, "four of user 1, who has too little, and one of track 2"


def test_interactions_and_what_was_known(tmp_path):
    arrays = {
        "item_of": np.array([0, 1, 0], np.int32),
        "gone_users": np.zeros(2, bool),
        "gone_items": np.zeros(3, bool),
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    found = pl.concat(_aggregate(tmp_path, "drop", halves(), tmp_path))
    assert found.columns == list(INTERACTIONS)
    assert found.rows() == [(0, 0, 0, 1, 8, 8), (0, 1, 0, 1, 7, 7), (1, 0, 0, 3, 5, 9)]
    assert notes(tmp_path) == [{"repeats": 1}]
