import numpy as np
import pandas as pd
import pytest

from common.evaluation.curves import curves, diversity, precision_and_recall, score_calibration


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


def test_diversity_is_by_the_first_space_that_all_rows_have():
    both = {f"ils_{space}_{k}": value for space, value in (("tag", 0.5), ("audio", 0.25)) for k in (5, 10, 20)}
    assert diversity({"a": both})[0] == "tag"
    alone = {f"ils_audio_{k}": 0.25 for k in (5, 10, 20)}
    space, found = diversity({"a": both, "b": alone})
    assert space == "audio"
    assert found["a"].to_dict() == {5: 0.75, 10: 0.75, 20: 0.75}
    assert diversity({"a": both, "b": {"ndcg_10": 0.1}}) == ("", {})


def test_scores_that_are_log_odds_are_as_right_as_they_say():
    rng = np.random.default_rng(0)
    odds = rng.normal(-4, 1.5, 200_000)
    relevant = rng.random(len(odds)) < 1 / (1 + np.exp(-odds))
    table = score_calibration(odds[relevant], odds[~relevant])
    assert len(table) == 10
    assert table["found"].to_numpy() == pytest.approx(table["expected"].to_numpy(), rel=0.15)
    assert (table["expected"].diff().dropna() > 0).all()


def test_scores_of_another_shape_are_wrong_in_the_heads_of_the_lists():
    rng = np.random.default_rng(0)
    odds = rng.normal(-4, 1.5, 200_000)
    relevant = rng.random(len(odds)) < 1 / (1 + np.exp(-odds))
    table = score_calibration(np.exp(odds)[relevant], np.exp(odds)[~relevant])
    assert table["found"].iloc[-1] < 0.7 * table["expected"].iloc[-1], "a score that grows too steeply promises more"


@pytest.mark.parametrize(("held_out", "others"), [([1.0], [1.0, 1.0]), ([], [1.0, 2.0]), ([1.0, 2.0], [])])
def test_scores_that_tell_nothing_apart_have_no_curve(held_out, others):
    assert score_calibration(np.array(held_out), np.array(others)).empty


def test_scores_that_tell_everything_apart_end_in_a_finite_curve():
    table = score_calibration(np.arange(10.0, 20.0), np.arange(10.0))
    assert np.isfinite(table.to_numpy()).all()
    assert table["found"].iloc[-1] == pytest.approx(1.0)
