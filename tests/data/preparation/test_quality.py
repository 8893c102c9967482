import numpy as np
import pytest

from common.data.preparation.quality import long_tail


def test_equal_items_have_no_tail():
    found = long_tail(np.full(200, 3))
    assert found["gini"] == pytest.approx(0)
    assert found["top_share"] == {"0.01": pytest.approx(2 / 200), "0.1": pytest.approx(20 / 200)}


def test_one_item_may_hold_everything():
    found = long_tail(np.array([0, 7, 0, 0]))
    assert found["gini"] == pytest.approx(3 / 4)
    assert found["curve"] == {"items": [1, 2, 3, 4], "share_of_plays": [1.0, 1.0, 1.0, 1.0]}


def test_by_hand():
    assert long_tail(np.array([4, 9, 3]))["gini"] == pytest.approx(2 * (3 + 8 + 27) / (3 * 16) - 4 / 3)


def test_no_items():
    assert long_tail(np.empty(0, np.int64)) == {
        "top_share": {"0.01": 0.0, "0.1": 0.0},
        "gini": 0.0,
        "curve": {"items": [], "share_of_plays": []},
    }
