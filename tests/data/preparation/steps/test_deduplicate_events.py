import polars as pl
import pytest

from common.data.preparation import packing
from common.data.preparation.steps.deduplicate_events import deduplicate_events
from tests.data.preparation.raw_logs import START, workspace, written

KINDS = {"user": pl.Int32, "track": pl.Int32, "timestamp": pl.Int64, "part": pl.Int8}
ROWS = [
    (1, 0, START + 5, 2),
    (0, 2, START, 0),
    (0, 1, START, 0),
    (0, 2, START, 0),  # again, with another between
    (0, 2, START + 1, 0),  # a second later
    (1, 2, START, 0),  # another user
    (0, 2, START, 0),  # and again
]
ONCE = [(0, 1, START, 0), (0, 2, START, 0), (0, 2, START + 1, 0), (1, 0, START + 5, 2), (1, 2, START, 0)]


def run(folder, rows=ROWS, kinds=KINDS, once=True):
    table = pl.DataFrame(rows, kinds, orient="row")
    work = workspace(folder, events=table, tracks={"item_id": ["a", "b", "c"]})
    work.settings = type(work.settings)(deduplicate_events=once)
    return deduplicate_events(work), written(work, "events")


def test_the_same_user_track_and_second_counts_once(tmp_path):
    outcome, events = run(tmp_path)
    assert (outcome.rows_in, outcome.rows_out, outcome.dropped) == (7, 5, {"repeated": 2})
    assert events.rows() == ONCE
    assert events.schema == KINDS


def test_all_may_be_kept(tmp_path):
    outcome, events = run(tmp_path, once=False)
    assert (outcome.rows_out, outcome.dropped) == (7, {})
    assert events.rows() == sorted(ROWS)


@pytest.mark.parametrize("bits", [7, 8])
def test_more_users_than_fit_into_one_number_go_one_after_another(tmp_path, monkeypatch, bits):
    monkeypatch.setattr(packing, "BITS", bits)
    assert run(tmp_path)[1].rows() == ONCE


def test_of_repeated_plays_the_larger_number_stays(tmp_path):
    rows = [(*row, plays) for row, plays in zip(ROWS, (1, 2, 1, 9, 1, 1, 3), strict=True)]
    outcome, events = run(tmp_path, rows, KINDS | {"plays": pl.Int32})
    assert outcome.dropped == {"repeated": 2}
    assert events["plays"].to_list() == [1, 9, 1, 1, 1]


def test_an_empty_bucket_stays_empty(tmp_path):
    outcome, events = run(tmp_path, [])
    assert (outcome.rows_in, outcome.rows_out, len(events)) == (0, 0, 0)
