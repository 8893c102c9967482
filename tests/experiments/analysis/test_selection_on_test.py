"""Choosing on test: closed forms against every subset, and what the tables say."""

from itertools import combinations

import numpy as np
import pytest

from common.experiments.analysis.selection_on_test import (
    BY_SEARCH,
    BY_TEST,
    BY_VALIDATION,
    CHOICES,
    GROWTH,
    Measured,
    choices,
    expected_choice,
    growth,
)

RANDOM = np.random.default_rng(0)


def measured(n_trials: int = 6, n_users: int = 40) -> Measured:
    """Trials whose figures are noise, so that every way of choosing takes another one."""
    per_user = RANDOM.random((n_users, n_trials))
    return Measured(np.arange(1, n_trials + 1), RANDOM.random(n_trials), RANDOM.random(n_trials), per_user)


@pytest.mark.parametrize("n", [1, 2, 4, 7])
def test_the_expectation_is_the_mean_over_all_subsets(n):
    by, values = RANDOM.integers(0, 4, 7).astype(float), RANDOM.random(7)
    subsets = [np.array(subset) for subset in combinations(range(7), n)]
    drawn = [values[subset[np.argmax(by[subset])]] for subset in subsets]  # argmax takes the earliest of equal ones
    assert expected_choice(by, values, n) == pytest.approx(np.mean(drawn))


def test_the_excess_is_none_for_one_trial_and_the_whole_difference_for_all():
    found = measured()
    best, chosen = found.test.max(), found.test[np.argmax(found.valid)]
    assert found.excess(1) == pytest.approx(0, abs=1e-12)
    assert found.excess(6) == pytest.approx(best - chosen)
    assert all(found.excess(n) > -1e-12 for n in range(1, 7))


def test_each_way_of_choosing_takes_the_earliest_of_its_best():
    per_user = np.tile([0.1, 0.3, 0.2, 0.3], (5, 1))
    found = Measured(np.array([1, 2, 4, 7]), np.array([0.2, 0.1, 0.3, 0.1]), np.array([0.4, 0.1, 0.4, 0.1]), per_user)
    assert found.chosen == {BY_SEARCH: 2, BY_VALIDATION: 0, BY_TEST: 1}
    assert found.below_best(0) == pytest.approx((0.2, 0.2, 0.2))
    assert choices({"als": found}) == [
        ["als", BY_SEARCH, "4", "0.4000", "0.2000", "0.1000 [0.1000, 0.1000]"],
        ["als", BY_VALIDATION, "1", "0.4000", "0.1000", "0.2000 [0.2000, 0.2000]"],
        ["als", BY_TEST, "2", "0.1000", "0.3000", "-"],
    ]
    assert len(CHOICES) == 6


def test_the_interval_holds_the_paired_difference():
    found = measured(n_users=300)
    place = found.chosen[BY_VALIDATION]
    mean, low, high = found.below_best(place)
    assert low < mean < high
    assert mean == pytest.approx(found.test.max() - found.test[place])


def test_the_table_has_no_figure_for_more_trials_than_there_are():
    [row] = growth({"als": measured(n_trials=6)})
    assert len(row) == len(GROWTH)
    assert row[1] == "6"
    assert row[4] == "0.0000"
    assert row[7] == "-", "of 10 trials"
    assert row[8] != "-", "of all"


def test_one_trial_has_no_rank_correlation():
    assert growth({"als": measured(n_trials=1)})[0][2:4] == ["-", "-"]
