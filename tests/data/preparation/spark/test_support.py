from typing import Any

import numpy as np
import polars as pl
import pytest

from common.data.preparation.settings import PreparationSettings
from common.data.preparation.spark.support import _as_one, find_support
from common.data.preparation.spark.workspace import SparkWorkspace
from common.data.preparation.steps.filter_bots import _support
from tests.data.preparation.raw_logs import workspace
from tests.spark import needs_spark


def test_tracks_that_are_one_are_counted_as_one(tmp_path):
    np.save(tmp_path / "same.npy", np.array([0, 0, 2], np.int32))
    pairs = pl.DataFrame({"user": [7, 7, 8], "track": [0, 1, 2]}, {"user": pl.Int32, "track": pl.Int32})
    assert pl.concat(_as_one(tmp_path / "same.npy", iter([pairs]), tmp_path)).rows() == [(7, 0), (7, 0), (8, 2)]


def test_without_a_rule_nothing_is_counted(tmp_path):
    work: Any = workspace(tmp_path)
    assert find_support(work, None, tmp_path) == (None, None)


@needs_spark
@pytest.mark.thorough
@pytest.mark.parametrize("settings", [{"core": 2}, {"least_users": 2, "least_tracks": 2}])
def test_who_has_too_little_support_is_who_the_local_step_finds(tmp_path, spark, settings):
    pairs = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (4, 4), (5, 0), (5, 1)]
    columns = {"user": pl.Int32, "track": pl.Int32, "part": pl.Int8}
    events = pl.DataFrame([(user, track, 0) for user, track in pairs], columns, orient="row")
    local = workspace(tmp_path, events=events)
    local.settings = PreparationSettings(**settings)
    same, bots = np.arange(5, dtype=np.int32), np.array([False] * 5 + [True])
    tracks, users = _support(local, bots, same)
    work = SparkWorkspace(**vars(local), spark=spark)
    np.save(tmp_path / "same.npy", same)
    judged = work.spark.createDataFrame([(user, int(gone)) for user, gone in enumerate(bots)], "user int, rule int")
    found = find_support(work, judged, tmp_path / "same.npy")
    for path, expected in ((found.users, users), (found.tracks, tracks)):
        assert path is not None
        assert sorted(pl.read_parquet(path / "*.parquet")["code"]) == np.flatnonzero(expected).tolist()
    assert tracks.any()
