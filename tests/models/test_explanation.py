"""Explanations: the score is the sum of its parts, and the strongest come first."""

import numpy as np

from common.models.explanation import Explanation

WHY = Explanation({"average": 0.5, "als": -0.2, "tags": 0.1}, np.array([7, 8, 9]), np.array([0.1, 0.4, -0.2]))


def test_parts_sum_to_the_score():
    assert WHY.score == 0.5 - 0.2 + 0.1


def test_the_strongest_items_are_those_that_add_most():
    assert WHY.strongest(5) == [(8, 0.4), (7, 0.1), (9, -0.2)]
    assert WHY.strongest(0) == []


def test_the_strongest_parts_move_the_score_most_in_either_direction():
    assert WHY.strongest_parts(1) == [("als", -0.2)]
    assert WHY.strongest_parts(9) == [("als", -0.2), ("tags", 0.1)], "the average moves nothing"
