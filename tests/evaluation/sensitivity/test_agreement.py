import numpy as np
import pytest

from common.evaluation.sensitivity.agreement import flips, kendall_tau


def test_pairs_that_change_places_are_found_with_how_sure_they_are():
    users = np.arange(50) % 5
    first = {"a": 0.5 + 0.01 * users, "b": 0.4 + 0.01 * users, "c": 0.1 * users}
    second = {"a": 0.1 * users, "b": 0.2 + 0.1 * users, "c": np.full(50, np.nan)}
    [flip] = flips(first, second)
    assert (flip.better, flip.worse, flip.sure) == ("a", "b", True)
    assert flip.first.mean == pytest.approx(0.1)
    assert (flip.second.low, flip.second.high) == (pytest.approx(-0.2), pytest.approx(-0.2))
    noise = np.where(users == 0, 1.0, -0.24)
    [unsure] = flips({"a": noise, "b": np.zeros(50)}, {"a": -np.ones(50), "b": np.zeros(50)})
    assert not unsure.sure
    assert not unsure.first.sure
    assert unsure.second.sure


def test_kendalls_tau_of_three_models_by_hand():
    first = {"a": 0.1, "b": 0.2, "c": 0.3}
    assert kendall_tau(first, first) == pytest.approx(1)
    assert kendall_tau(first, {"a": 3, "b": 2, "c": 1}) == pytest.approx(-1)
    assert kendall_tau(first, {"a": 1, "b": 3, "c": 2}) == pytest.approx(1 / 3)
    assert np.isnan(kendall_tau(first, {"a": 1.0}))
