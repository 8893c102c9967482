"""How much more than usual items are played at some time, by hand."""

import numpy as np
import pandas as pd

from common.models.two_stage.hour_tables import DAMPING, hour_tables, nearness
from tests.models.two_stage.tiny_world import tiny

HOUR = 3_600


def test_lifts_by_hand():
    """Four events on Thursday, 1970-01-01: three at midnight, two of them of item 0, and one of item 0 at noon."""
    rows = pd.DataFrame({"user": [0, 1, 2, 1], "item": [0, 0, 1, 1], "weight": 1.0, "timestamp": [0, 12 * HOUR, 0, 0]})
    made = hour_tables(tiny("next", interactions=rows.astype({"user": np.int32, "item": np.int32})))
    hours, weekdays = made["hour_lift"], made["weekday_lift"]
    assert (hours.shape, weekdays.shape) == ((5, 24), (5, 7))
    at_midnight, p = 1 / 3, 3 / 4 / 3
    np.testing.assert_allclose(hours[0, 0], np.log((at_midnight + DAMPING * p) / ((2 + DAMPING) * p)), rtol=1e-5)
    np.testing.assert_allclose(hours[1, 12], np.log((0 + DAMPING / 12) / ((2 + DAMPING) / 12)), rtol=1e-5)
    assert hours[0, 12] > 0 > hours[0, 0] > hours[1, 12]
    assert hours[1, 0] > 0, "item 1 is played at midnight alone"
    assert (hours[:2, 6] == 0).all(), "nobody plays anything then, which says nothing"
    assert np.isnan(hours[2:]).all(), "no listener is visible"
    assert (weekdays[:2] == 0).all(), "everything is played on Thursday"


def test_the_clock_is_a_circle():
    weights = nearness()
    np.testing.assert_allclose(weights.sum(axis=0), 1)
    assert weights[23, 0] == weights[1, 0] > weights[2, 0] > weights[3, 0] == 0
