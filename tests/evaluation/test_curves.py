import numpy as np
import pandas as pd
import pytest

from common.evaluation.curves import curves, precision_and_recall


def test_curves_by_hand():
    targets = pd.DataFrame({"user_id": ["a", "a", "b"], "rank": [1, 3, 2]})
    found = curves(targets)
    assert found["Recall@k"][:3].tolist() == [0.25, 0.75, 1.0]  # means of (1/2, 0), (1/2, 1), (1, 1)
    second = 1 / np.log2(3)
    at_two = (1 / (1 + second) + second) / 2  # user a: rank 1 of two hidden; user b: rank 2 of one
    assert found["NDCG@k"][1] == pytest.approx(at_two)


def test_newcomers_have_a_curve_over_all_numbers_of_given_items():
    targets = pd.DataFrame({"user_id": ["a", "a"], "given": [0, 5], "rank": [1, 7]})
    assert curves(targets)["Recall@k"][0] == 0.5


def test_precision_falls_and_recall_rises_with_the_length_of_the_list():
    targets = pd.DataFrame({"user_id": ["a", "a", "b"], "rank": [1, 3, 2]})
    precision, recall = precision_and_recall(targets)
    assert precision[:3].tolist() == pytest.approx([1 / 2, 1 / 2, 1 / 2])  # means of (1, 0), (1/2, 1/2), (2/3, 1/3)
    assert precision[99] == pytest.approx(0.015)
    np.testing.assert_array_equal(recall, curves(targets)["Recall@k"])
