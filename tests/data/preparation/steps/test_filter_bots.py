import numpy as np
import polars as pl
import pytest

from common.data.preparation.settings import PreparationSettings
from common.data.preparation.steps.filter_bots import bots, filter_bots
from common.utils.errors import UserError
from tests.data.preparation.raw_logs import workspace, written

DAY = 86_400
KINDS = {"user": pl.Int32, "track": pl.Int32, "timestamp": pl.Int64, "part": pl.Int8}


def table(rows):
    """Rows of user, track, time and part, sorted as the step before leaves them."""
    return pl.DataFrame(sorted(rows), KINDS, orient="row")


def judged(rows, n_tracks=9, same=None, **settings):
    same = np.arange(n_tracks) if same is None else np.array(same)
    return bots(table(rows), same, PreparationSettings(**settings)).rows()


def on_a_day(user, n, day=0, track=0):
    return [(user, track, day * DAY + step * step, 0) for step in range(n)]


def test_more_events_on_one_day_than_a_person_has():
    rows = [*on_a_day(0, 5), *on_a_day(1, 6), *on_a_day(2, 3), *on_a_day(2, 3, day=1)]
    assert judged(rows, bot_events_per_day=5) == [(1, 1)]


def test_a_day_begins_at_midnight():
    rows = [(0, 0, DAY + step, 0) for step in (-3, -2, -1, 0, 1, 2)]
    assert judged(rows, bot_events_per_day=3) == []
    assert judged(rows, bot_events_per_day=2) == [(0, 1)]


@pytest.mark.parametrize(("n", "odd", "found"), [(41, 2, True), (41, 3, False), (40, 0, True), (39, 0, False)])
def test_events_at_equal_distances(n, odd, found):
    # 41 events have 40 gaps; 38 of 40 are 95%.
    gaps = [100] * (n - 1 - odd) + [7, 9, 11][:odd]
    times = np.concatenate([[0], np.cumsum(gaps)])
    rows = [(3, place % 5, int(time), 0) for place, time in enumerate(times)]
    assert judged(rows, bot_steady=40) == ([(3, 2)] if found else [])


def test_one_track_more_often_than_a_person_plays_it():
    rows = [*on_a_day(0, 4, track=1), *on_a_day(1, 4, track=1), *on_a_day(1, 1, track=2)]
    assert judged(rows, bot_repeats=4) == []
    assert judged(rows, bot_repeats=3) == [(0, 3), (1, 3)]
    assert judged(rows, bot_repeats=4, same=[0, 1, 1]) == [(1, 3)], "merged tracks count together"


def test_the_first_rule_counts():
    assert judged(on_a_day(0, 9), bot_events_per_day=8, bot_repeats=8) == [(0, 1)]


def test_plays_count_as_events():
    frame = table([(0, 0, 0, 0), (0, 1, 5, 0)]).with_columns(plays=pl.Series([4, 5], dtype=pl.Int32))
    same = np.arange(2)
    assert bots(frame, same, PreparationSettings(bot_events_per_day=8)).rows() == [(0, 1)]
    assert bots(frame, same, PreparationSettings(bot_repeats=4)).rows() == [(0, 3)]
    assert bots(frame, same, PreparationSettings(bot_events_per_day=9, bot_repeats=5)).rows() == []


def filtered(folder, rows, n_users=4, same=(0, 1, 2, 3), **settings):
    work = workspace(
        folder, events=table(rows), users={"user_id": list("abcdefgh"[:n_users])}, tracks={"same_as": list(same)}
    )
    work.settings = PreparationSettings(**settings)
    return filter_bots(work), written(work, "left_out").rows()


def test_a_bot_vanishes_from_every_part_and_is_judged_by_train_alone(tmp_path):
    rows = [
        *on_a_day(0, 6),  # a bot ...
        *[(0, 1, 9 * DAY + step, 2) for step in range(3)],  # ... whose test events go as well
        *on_a_day(1, 2),
        *[(1, 1, 9 * DAY + step, 2) for step in range(9)],  # many events, none of them in train
    ]
    outcome, gone = filtered(tmp_path, rows, bot_events_per_day=5)
    assert gone == [("user", 0, "events_per_day")]
    assert (outcome.rows_in, outcome.rows_out, outcome.dropped) == (20, 11, {"events_per_day": 9})
    assert outcome.notes["users"] == {"bots": 1, "too_rare": 0}


PAIRS = [
    *[(0, track, track, 0) for track in (0, 1, 2)],
    *[(1, track, track, 0) for track in (0, 1)],
    *[(2, track, track, 0) for track in (1, 2)],
    (2, 2, 50, 0),
    (3, 3, 1, 0),
    (3, 0, 99, 2),
    (0, 3, 99, 2),
]


def test_rare_tracks_go_then_users_who_are_left_with_too_few(tmp_path):
    outcome, gone = filtered(tmp_path, PAIRS, least_users=2, least_tracks=2)
    # Track 3 has one listener in train; user 3 has then none of the two tracks that are needed.
    assert gone == [("user", 3, "too_rare"), ("track", 3, "too_rare")]
    assert (outcome.rows_in, outcome.rows_out, outcome.dropped) == (11, 8, {"too_rare": 3})


def test_support_counts_tracks_that_are_one_together(tmp_path):
    _, gone = filtered(tmp_path, PAIRS, same=(0, 1, 2, 0), least_users=2)
    assert gone == []


def test_the_core_goes_on_until_all_is_settled(tmp_path):
    chain = [(0, 0, 0, 0), (0, 1, 1, 0), (1, 1, 2, 0), (1, 2, 3, 0), (2, 2, 4, 0), (2, 3, 5, 0), (3, 3, 6, 0)]
    square = [(user, track, 7 + user + track, 0) for user in (4, 5) for track in (4, 5)]
    outcome, gone = filtered(tmp_path, chain + square, n_users=6, same=range(6), core=2)
    assert gone == [
        *[("user", user, "too_rare") for user in range(4)],
        *[("track", track, "too_rare") for track in range(4)],
    ]
    assert outcome.rows_out == 4
    assert filtered(tmp_path / "once", chain + square, 6, range(6), least_users=2, least_tracks=2)[1] == [
        ("user", 0, "too_rare"),
        ("user", 3, "too_rare"),
        ("track", 0, "too_rare"),
    ]


def test_those_new_in_later_parts_stay(tmp_path):
    _, gone = filtered(tmp_path, [*PAIRS[:8], (3, 3, 99, 2)], least_users=2, least_tracks=2)
    assert gone == []


def test_nothing_left_is_refused(tmp_path):
    with pytest.raises(UserError, match="no event is left after the rules on bots and support; loosen --bot-"):
        filtered(tmp_path, PAIRS[:3], least_users=2)
