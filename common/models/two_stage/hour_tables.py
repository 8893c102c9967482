"""How much more than usual items are played at an hour of the day and on a weekday.

    lift = log((n(item, when) + DAMPING p(when)) / (n(item) p(when) + DAMPING p(when)))

n(item, when): the item's visible events at that time, p(when): the share of all events then. An item of few events is
held near 0, which says that it is played as everything is. Hours are weighed by a triangle on the clock's circle, since
a habit does not end with the hour.
"""

import numpy as np

from common.splits.request_time import HOURS, WEEKDAYS, hour_of_week
from common.splits.train_view import TrainView
from common.utils.arrays import slices

DAMPING = 5.0
"""Events of average times that are added to every item."""
NEAR = 3
"""Hours from which on another hour of the day says nothing."""


def hour_tables(train: TrainView) -> dict[str, np.ndarray]:
    """`hour_lift`, float32 (n_items, 24), and `weekday_lift`, float32 (n_items, 7), Monday first; NaN for items of
    whose few listeners nothing is to be said (`TrainView.count_floor`)."""
    by_hour, by_weekday = np.zeros((train.n_items, HOURS)), np.zeros((train.n_items, WEEKDAYS))
    times, items = train.histories.timestamps, train.histories.items
    assert times is not None
    for some in slices(len(times)):
        weekday, hour = np.divmod(hour_of_week(times[some]), HOURS)
        np.add.at(by_hour, (items[some], hour), 1)
        np.add.at(by_weekday, (items[some], weekday), 1)
    told = train.counts > train.count_floor
    return {"hour_lift": _lifts(by_hour @ nearness(), told), "weekday_lift": _lifts(by_weekday, told)}


def nearness() -> np.ndarray:
    """What an event at each hour of the day counts for each other one, float64 (24, 24), columns that sum to 1.

    >>> nearness()[0, [0, 1, 2, 3, 22, 23]].round(3).tolist()
    [0.333, 0.222, 0.111, 0.0, 0.111, 0.222]
    """
    apart = np.abs(np.arange(HOURS)[:, None] - np.arange(HOURS))
    weights = np.maximum(0, NEAR - np.minimum(apart, HOURS - apart))
    return weights / weights.sum(axis=0)


def _lifts(events: np.ndarray, told: np.ndarray) -> np.ndarray:
    share = events.sum(axis=0) / max(1.0, events.sum())
    usual = (events.sum(axis=1, keepdims=True) + DAMPING) * share
    lifts = np.log(np.divide(events + DAMPING * share, usual, out=np.ones_like(events), where=share > 0))
    return np.where(told[:, None], lifts, np.nan).astype(np.float32)
