import polars as pl
import pytest

from common.data.preparation import packing
from common.data.preparation.settings import PreparationSettings
from common.data.preparation.steps.aggregate_interactions import aggregate, aggregate_interactions
from common.utils.errors import UserError
from tests.data.preparation.raw_logs import columns, workspace, written

KINDS = {"user": pl.Int32, "track": pl.Int32, "timestamp": pl.Int64, "part": pl.Int8}
EVENTS = [
    # user, track, time, part
    (0, 1, 30, 0),
    (0, 1, 10, 0),
    (0, 1, 20, 0),
    (0, 1, 90, 2),  # known from train
    (0, 0, 85, 1),
    (0, 0, 95, 2),  # known from valid
    (1, 1, 40, 0),
    (1, 2, 91, 2),
    (1, 2, 92, 2),
]
KEPT = [(0, 0, 1, 1, 85, 85), (0, 0, 2, 1, 95, 95), (0, 1, 0, 3, 10, 30), (0, 1, 2, 1, 90, 90), (1, 1, 0, 1, 40, 40)]
KEPT += [(1, 2, 2, 2, 91, 92)]
DROPPED = [KEPT[0], KEPT[2], KEPT[4], KEPT[5]]


def aggregated(folder, same=(0, 1, 2, 3), gone=(), events=EVENTS, kinds=KINDS, **settings):
    left_out = pl.DataFrame(gone, {"kind": pl.String, "code": pl.Int32, "rule": pl.String}, orient="row")
    work = workspace(
        folder,
        events=pl.DataFrame(events, kinds, orient="row"),
        users={"user_id": ["a", "b"]},
        tracks={"same_as": list(same)},
        left_out=left_out,
    )
    work.settings = PreparationSettings(**settings)
    return aggregate_interactions(work), written(work, "interactions")


def test_plays_first_and_last_of_each_part_without_what_the_user_knows(tmp_path):
    outcome, pairs = aggregated(tmp_path)
    assert pairs.rows() == DROPPED
    assert pairs.columns == ["user", "item", "part", "plays", "first", "last"]
    assert pairs.dtypes == [pl.Int32, pl.Int32, pl.Int8, pl.Int32, pl.Int64, pl.Int64]
    assert (outcome.rows_in, outcome.rows_out, outcome.dropped) == (9, 4, {"known_to_the_user": 2})


def test_repeats_may_be_kept(tmp_path):
    outcome, pairs = aggregated(tmp_path, repeats="keep")
    assert pairs.rows() == KEPT
    assert (outcome.rows_out, outcome.dropped) == (6, {})


def test_tracks_that_are_one_are_one_item(tmp_path):
    _, pairs = aggregated(tmp_path, same=(0, 1, 1))
    assert pairs.rows() == [DROPPED[0], DROPPED[1], (1, 1, 0, 1, 40, 40)]


def test_users_and_tracks_that_are_left_out_have_no_interactions(tmp_path):
    assert aggregated(tmp_path / "1", gone=[("user", 0, "steady")])[1].rows() == KEPT[4:]
    assert aggregated(tmp_path / "2", gone=[("track", 1, "too_rare")])[1].rows() == [KEPT[0], KEPT[5]]


def test_plays_are_summed_and_never_overflow(tmp_path):
    rows = [(*row, plays) for row, plays in zip(EVENTS, (2, 3, 4, 1, 1, 1, 2**31 - 1, 2**31 - 2, 1), strict=True)]
    _, pairs = aggregated(tmp_path / "1", events=rows, kinds=KINDS | {"plays": pl.Int32})
    assert columns(pairs, "plays") == [1, 9, 2**31 - 1, 2**31 - 1]
    assert columns(pairs, "first", "last") == [row[4:] for row in DROPPED]
    rows[-1] = (*EVENTS[-1], 2)
    with pytest.raises(UserError, match="plays one track more than 2,147,483,647 times; lower --bot-repeats"):
        aggregated(tmp_path / "2", events=rows, kinds=KINDS | {"plays": pl.Int32})


def test_users_may_be_taken_one_after_another(monkeypatch):
    events = pl.DataFrame(EVENTS, KINDS, orient="row").rename({"track": "item"})
    whole = aggregate(events, 4, "drop")
    monkeypatch.setattr(packing, "BITS", 2 + 2 + 7)
    alone, known = aggregate(events, 4, "drop")
    assert (alone.rows(), known) == (whole[0].rows(), whole[1]) == (DROPPED, 2)


def test_a_missing_value_is_noticed(tmp_path, monkeypatch):
    broken = pl.DataFrame({"user": [None]}, {"user": pl.Int32})
    monkeypatch.setattr("common.data.preparation.steps.aggregate_interactions.aggregate", lambda *_: (broken, 0))
    with pytest.raises(AssertionError, match="a missing value among aggregated interactions"):
        aggregated(tmp_path)
