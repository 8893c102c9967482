"""The hour of the week of a request, and data that have none."""

from datetime import UTC, datetime

import numpy as np
import pytest

from common.splits.request_time import HOURS, check_hours, has_hours, hour_of_week
from common.utils.errors import UserError
from tests.models.two_stage.tiny_world import DAY, tiny


def test_hours_are_counted_from_monday():
    times = [datetime(2024, 5, day, hour, 59, tzinfo=UTC) for day, hour in ((6, 0), (7, 13), (12, 23))]
    seconds = np.array([int(time.timestamp()) for time in times])
    expected = [time.weekday() * HOURS + time.hour for time in times]
    assert hour_of_week(seconds).tolist() == expected == [0, 37, 167]


def test_dates_are_no_times_of_day():
    assert has_hours(np.array([0, DAY + 1]))
    assert not has_hours(np.array([3_600, DAY + 3_600, 9 * DAY + 3_600])), "all at one time of day"
    assert not has_hours(np.zeros(0, np.int64))
    assert not has_hours(None)


def test_what_has_no_hours_is_refused_in_a_sentence():
    timed = tiny("next").interactions.assign(timestamp=np.arange(7) * 5_000)
    check_hours(tiny("next", interactions=timed), "--forest.context")
    with pytest.raises(UserError, match=r"--forest.context: data set 'tiny' has no times of day in 'next'; use data"):
        check_hours(tiny("next"), "--forest.context")
    with pytest.raises(UserError, match=r"under 'listen' of 'tiny' nothing says when .*--protocol next or"):
        check_hours(tiny("listen", interactions=timed), "--forest.context")
