"""ListNet by hand, its gradients against finite differences, and what a price on similarity does."""

import math

import numpy as np
import pytest
import torch

from common.models.neural.listnet.loss import (
    EnhancedListNetLoss,
    expected_similarity,
    log_softmax_of_lists,
    squared_errors,
    target_distribution,
)

LISTS = torch.tensor([0, 0, 0, 1, 1])
SCORES = torch.tensor([1.0, 0.0, -1.0, 2.0, 2.0])
WANTED = torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0])
E1 = math.exp(1) + 1 + math.exp(-1)


def test_each_list_has_a_distribution_of_its_own():
    chances = log_softmax_of_lists(SCORES, LISTS, 2).exp()
    np.testing.assert_allclose(chances, [math.e / E1, 1 / E1, 1 / math.e / E1, 0.5, 0.5], rtol=1e-6)
    changed = SCORES.clone()
    changed[4] = 50.0
    np.testing.assert_array_equal(
        log_softmax_of_lists(changed, LISTS, 2)[:3], log_softmax_of_lists(SCORES, LISTS, 2)[:3]
    )


def test_large_scores_do_not_overflow():
    chances = log_softmax_of_lists(torch.tensor([1e4, 0.0, -1e4]), torch.tensor([0, 0, 0]), 1)
    np.testing.assert_allclose(chances, [0.0, -1e4, -2e4])


def test_the_target_by_hand():
    np.testing.assert_allclose(target_distribution(WANTED, LISTS, 2, 0.0), [0.5, 0, 0.5, 0, 1])
    warm = target_distribution(WANTED, LISTS, 2, 1.0)
    e = math.e
    np.testing.assert_allclose(
        warm, [e / (2 * e + 1), 1 / (2 * e + 1), e / (2 * e + 1), 1 / (1 + e), e / (1 + e)], rtol=1e-6
    )
    np.testing.assert_allclose(target_distribution(WANTED, LISTS, 2, 0.01), [0.5, 0, 0.5, 0, 1], atol=1e-6)


def test_the_loss_by_hand():
    """Cross-entropy: list 0 wants its first and last alike, list 1 its second."""
    wanted = -0.5 * (math.log(math.e / E1) + math.log(1 / math.e / E1)) - math.log(0.5)
    assert float(EnhancedListNetLoss()(SCORES, WANTED, LISTS, 2)) == pytest.approx(wanted, rel=1e-6)
    cooler = EnhancedListNetLoss(temperature=0.5)(SCORES / 2, WANTED, LISTS, 2)
    assert float(cooler) == pytest.approx(wanted, rel=1e-6)


def test_the_expected_similarity_by_hand():
    """Chances 0.2, 0.3, 0.5; the first two alike, the third at right angles: 2 * 0.2 * 0.3 of the pairs of different
    items, which are 1 - 0.04 - 0.09 - 0.25 of all."""
    chances, lists = torch.tensor([0.2, 0.3, 0.5]), torch.tensor([0, 0, 0])
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    found = expected_similarity(chances, vectors, lists, 1)
    assert float(found[0]) == pytest.approx(0.12 / 0.62, rel=1e-5)
    without = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    assert float(expected_similarity(chances, without, lists, 1)[0]) == pytest.approx(1.0, rel=1e-5)
    alone = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    assert float(expected_similarity(chances, alone, lists, 1)[0]) == 0.0


def test_items_without_features_are_no_way_out():
    """Moving chances to an item of which nothing is known leaves the expected similarity of the others as it was."""
    vectors, lists = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 0.0]]), torch.tensor([0, 0, 0])
    before = expected_similarity(torch.tensor([0.4, 0.4, 0.2]), vectors, lists, 1)
    after = expected_similarity(torch.tensor([0.1, 0.1, 0.8]), vectors, lists, 1)
    assert float(before[0]) == pytest.approx(0.6, rel=1e-5)
    assert float(after[0]) == pytest.approx(0.6, rel=1e-5)


@pytest.mark.parametrize("target_temperature", [0.0, 0.7])
@pytest.mark.parametrize("ils_weight", [0.0, 2.5])
def test_gradients_agree_with_finite_differences(target_temperature, ils_weight):
    rng = np.random.default_rng(3)
    lists = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2, 2])
    scores = torch.tensor(rng.normal(size=9), requires_grad=True)
    wanted = torch.tensor([1.0, 0, 1, 0, 0, 1, 0, 1, 0], dtype=torch.float64)
    spaces = [torch.nn.functional.normalize(torch.tensor(rng.normal(size=(9, 3))), dim=1) for _ in range(2)]
    spaces[1][2] = 0.0
    loss = EnhancedListNetLoss(0.8, target_temperature, ils_weight, 1.5)
    assert torch.autograd.gradcheck(lambda s: loss(s, wanted, lists, 3, spaces), (scores,))


def test_a_price_on_similarity_lowers_it():
    """Scores alone, trained to the end: of four wanted items in two pairs of twins a higher price takes fewer twins."""
    lists, wanted = torch.zeros(4, dtype=torch.int64), torch.tensor([1.0, 1.0, 1.0, 0.0])
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    found = []
    for weight in (0.0, 1.0, 5.0):
        scores = torch.zeros(4, requires_grad=True)
        optimiser, loss = torch.optim.Adam([scores], 0.05), EnhancedListNetLoss(ils_weight=weight)
        for _ in range(300):
            optimiser.zero_grad()
            loss(scores, wanted, lists, 1, [vectors]).backward()
            optimiser.step()
        chances = log_softmax_of_lists(scores.detach(), lists, 1).exp()
        found.append(float(expected_similarity(chances, vectors, lists, 1)[0]))
    assert found[0] > found[1] + 0.01 > found[2] + 0.02


def test_errors_of_plays_are_means_over_what_each_list_knows():
    predicted, nan = torch.tensor([1.0, 2.0, 5.0, 7.0]), float("nan")
    lists = torch.tensor([0, 0, 0, 1])
    assert float(squared_errors(predicted, torch.tensor([2.0, nan, 2.0, nan]), lists, 2)) == pytest.approx(5.0)
    predicted.requires_grad_()
    squared_errors(predicted, torch.tensor([2.0, nan, 2.0, nan]), lists, 2).backward()
    assert predicted.grad is not None
    np.testing.assert_allclose(predicted.grad, [-1.0, 0.0, 3.0, 0.0])
