"""When a list is asked for: the hour of the week, in UTC, of which models may make use.

What is told of a request is its hour and weekday and nothing more, so that nobody learns how long after a user's last
event the next one came.
"""

import numpy as np

from common.splits.train_view import TrainView
from common.utils.arrays import slices
from common.utils.errors import UserError

HOUR, DAY = 3_600, 86_400
HOURS, WEEKDAYS = 24, 7
WEEK = HOURS * WEEKDAYS
THURSDAY = 3
"""The weekday of 1970-01-01, Monday being 0."""


def hour_of_week(seconds: np.ndarray) -> np.ndarray:
    """Hours since Monday, 0:00 UTC, int64 0 to 167, of times in seconds since 1970.

    >>> hour_of_week(np.array([0, 4 * 86_400 + 7_200, -1]))  # Thursday at 0, Monday at 2, Wednesday at 23 o'clock
    array([72,  2, 71])
    """
    return (np.asarray(seconds, np.int64) // HOUR + THURSDAY * HOURS) % WEEK


def has_hours(times: np.ndarray | None) -> bool:
    """Whether times are real ones: there, and of more than one time of day, as dates alone are not."""
    if times is None or not len(times):
        return False
    return any((times[some] % DAY != times[0] % DAY).any() for some in slices(len(times)))


def check_hours(train: TrainView, flag: str) -> None:
    """Raise a UserError where interactions have no time of day, or lists answer no request of a certain time."""
    if train.stored is not None or not train.protocol.startswith(("next", "temporal")):
        raise UserError(
            f"{flag}: under {train.protocol!r} of {train.dataset!r} nothing says when a list is asked for; use "
            "--protocol next or temporal on data with a timestamp of each interaction, or leave it out"
        )
    if not has_hours(train.histories.timestamps):
        raise UserError(
            f"{flag}: data set {train.dataset!r} has no times of day in {train.protocol!r}; use data with a "
            "timestamp of each interaction, or leave it out"
        )
