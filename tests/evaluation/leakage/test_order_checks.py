import numpy as np

from common.evaluation.leakage.order_checks import follows, place_within


def test_an_order_follows_another_either_way_and_ids_go_by_number():
    ids = np.array([f"{n}" for n in range(90, 102)], object)
    assert follows(ids, np.arange(12)) == 1.0, "as text, 100 would stand before 90"
    assert follows(ids, -np.arange(12)) == -1.0
    shuffled = np.random.default_rng(0).permutation(400)
    assert abs(follows(np.arange(400), shuffled)) < 0.2


def test_few_or_constant_values_say_nothing():
    assert np.isnan(follows(np.arange(5), np.arange(5)))
    assert np.isnan(follows(np.arange(20), np.ones(20)))


def test_places_run_from_first_to_last_of_each_user():
    assert place_within(np.array([3, 4, 3, 3, 4, 5])).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0, 0.5]
