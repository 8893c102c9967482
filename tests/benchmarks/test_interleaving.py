from scipy.stats import binom

from benchmarks.interleaving import NOISES, study


def test_the_better_ranker_is_found_as_often_as_theory_says():
    found = study(NOISES["clear"], shown=50, experiments=120, pilot=6000)
    assert found.as_expected
    assert found.power > 0.5
    assert found.a_better > 40
    assert found.b_better == 0


def test_between_equals_the_test_errs_no_more_often_than_its_level():
    found = study(NOISES["none"], shown=50, experiments=120, pilot=6000)
    assert found.a_better + found.b_better <= binom.ppf(0.999, 120, 0.05)
    assert abs(found.win - found.lose) < 0.04
