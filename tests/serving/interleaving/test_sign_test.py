import numpy as np
import pytest
from scipy.stats import binomtest

from common.serving.interleaving.sign_test import power, power_with_ties, share_interval, sign_test


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (5, 5), (9, 1), (1, 9), (40, 61), (700, 640)])
def test_p_is_that_of_the_exact_binomial_test(wins, losses):
    p = binomtest(wins, wins + losses, 0.5).pvalue if wins + losses else 1.0
    assert sign_test(wins, losses) == pytest.approx(p, abs=1e-12)
    assert sign_test(wins, losses) == sign_test(losses, wins)


def test_the_interval_holds_the_share_and_narrows():
    low, high = share_interval(30, 70)
    assert low < 0.3 < high
    wider = share_interval(3, 7)
    assert wider[0] < low < high < wider[1]
    assert share_interval(0, 0) == (0.0, 1.0)


def test_power_is_the_share_of_samples_that_are_rejected():
    wins = np.random.default_rng(0).binomial(80, 0.62, 4000)
    rejected = np.mean([sign_test(int(n), 80 - int(n)) <= 0.05 for n in wins])
    assert abs(rejected - power(80, 0.62)) < 4 * np.sqrt(0.25 / 4000)


@pytest.mark.parametrize("decided", [0, 5, 6, 20, 101])
def test_without_a_preference_power_is_alpha_at_most(decided):
    assert power(decided, 0.5) <= 0.05
    assert power_with_ties(decided, 0.2, 0.2) <= 0.05


def test_ties_weaken_the_test():
    assert power_with_ties(100, 0.3, 0.1) < power(100, 0.75)
    assert power_with_ties(100, 0, 0) == 0
