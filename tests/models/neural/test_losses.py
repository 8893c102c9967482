"""Losses over a catalogue."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from common.models.neural import losses


@pytest.fixture
def some() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    hidden, vectors = torch.randn(50, 6), torch.randn(30, 6)
    return hidden.requires_grad_(), vectors.requires_grad_(), torch.randint(0, 30, (50,))


def test_full_softmax_is_cross_entropy_in_value_and_gradients(some, monkeypatch):
    hidden, vectors, targets = some
    expected = functional.cross_entropy(hidden @ vectors.T, targets, reduction="sum")
    gradients = torch.autograd.grad(expected * 0.7, (hidden, vectors))
    for size in (1, 2**20):  # chunks of 16 rows, and one of all
        monkeypatch.setitem(losses.CHUNK_BYTES, "cpu", size)
        found = losses.full_softmax(hidden, vectors, targets)
        torch.testing.assert_close(found, expected)
        for one, other in zip(torch.autograd.grad(found * 0.7, (hidden, vectors)), gradients, strict=True):
            torch.testing.assert_close(one, other)


def test_full_softmax_stands_large_scores_and_half_precision(some):
    hidden, vectors, targets = some
    large = functional.cross_entropy(200 * hidden @ vectors.T, targets, reduction="sum")
    torch.testing.assert_close(losses.full_softmax(200 * hidden, vectors, targets), large)
    expected = losses.full_softmax(hidden, vectors, targets)
    slopes = torch.autograd.grad(losses.full_softmax(hidden, vectors, targets), (hidden, vectors))
    with torch.autocast("cpu", torch.float16):
        in_float16 = torch.autograd.grad(losses.full_softmax(hidden, vectors, targets), (hidden, vectors))
    for one, other in zip(in_float16, slopes, strict=True):
        torch.testing.assert_close(one, other, rtol=0.02, atol=0.01)
    with torch.autocast("cpu", torch.bfloat16):
        found = losses.full_softmax(hidden, vectors, targets)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.0)
    found.backward()
    assert hidden.grad is not None
    assert hidden.grad.isfinite().all()


def test_no_tokens_cost_nothing(some):
    hidden, vectors, targets = some
    loss = losses.full_softmax(hidden[:0], vectors, targets[:0])
    loss.backward()
    assert loss.item() == 0
    assert vectors.grad is not None
    assert not vectors.grad.any()


def test_sampled_softmax_by_hand():
    hidden, vectors = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [2.0, 5.0], [3.0, 1.0]])
    negatives, chances = torch.tensor([1, 0, 2]), torch.tensor([0.5, 0.3, 0.2])
    expected = losses.log_draws(negatives, chances)
    np.testing.assert_allclose(expected, np.log([0.9, 1.5, 0.6]), rtol=1e-6)
    targets = torch.tensor([0])
    found = losses.sampled_softmax(hidden, vectors[targets], vectors[negatives], targets, negatives, expected)
    # scores 1 (target), 2 and 3; the target among the negatives is left out
    total = np.exp(1) + np.exp(2) / 0.9 + np.exp(3) / 0.6
    assert float(found) == pytest.approx(np.log(total) - 1)


def test_sampled_softmax_nears_the_full_one(some):
    hidden, vectors, targets = some
    chances = torch.softmax(torch.randn(30), 0)
    negatives = torch.multinomial(chances, 200_000, replacement=True)
    expected = losses.log_draws(negatives, chances)
    found = losses.sampled_softmax(hidden, vectors[targets], vectors[negatives], targets, negatives, expected)
    torch.testing.assert_close(found, losses.full_softmax(hidden, vectors, targets), rtol=0.01, atol=0.0)


def plain_sampled_softmax(hidden, own, others, targets, negatives, log_expected):
    """The formula as it stands, each step with gradients of its own."""
    positive = (hidden * own).sum(1, keepdim=True)
    scores = (hidden @ others.T - log_expected).masked_fill(negatives[None] == targets[:, None], -torch.inf)
    logits = torch.cat([positive, scores], 1)
    return functional.cross_entropy(logits, torch.zeros_like(targets), reduction="sum")


@pytest.mark.parametrize("tokens", [50, 1, 0])
def test_sampled_softmax_is_its_formula_in_value_and_gradients(some, tokens):
    hidden, vectors, targets = (*(part.detach().requires_grad_() for part in some[:2]), some[2])
    hidden, targets = hidden[:tokens], targets[:tokens]
    negatives = torch.randint(0, 30, (40,))  # some twice, some a token's target
    log_expected = torch.randn(40)
    found = {}
    for loss in (losses.sampled_softmax, plain_sampled_softmax):
        total = loss(hidden, vectors[targets], vectors[negatives], targets, negatives, log_expected)
        found[loss] = [total.detach(), *torch.autograd.grad(0.7 * total, (hidden, vectors))]
    for one, other in zip(*found.values(), strict=True):
        torch.testing.assert_close(one, other)
    rows, columns = losses.accidental_hits(targets, negatives)
    hits = torch.zeros(tokens, 40, dtype=torch.bool)
    hits[rows, columns] = True
    assert torch.equal(hits, negatives[None] == targets[:, None])


def test_sampled_softmax_in_half_precision_is_near(some):
    hidden, vectors, targets = some
    negatives, log_expected = torch.randint(0, 30, (40,)), torch.randn(40)
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            given = (hidden, vectors[targets], vectors[negatives], targets, negatives, log_expected)
            found.append(losses.sampled_softmax(*given))
    assert found[1].dtype == torch.float32
    torch.testing.assert_close(found[1], found[0], rtol=0.02, atol=0.0)


def test_generalised_bce_by_hand(some):
    hidden, vectors, targets = (
        torch.tensor([[1.0]]),
        torch.tensor([[0.5], [-1.0], [2.0], [0.0], [3.0]]),
        torch.tensor([0]),
    )
    negatives = torch.tensor([1, 2, 0])

    def found(calibration: float) -> float:
        own, others = vectors[targets], vectors[negatives]
        return float(losses.generalised_bce(hidden, own, others, targets, negatives, 5, calibration))

    def sigmoid(x: float) -> float:
        return 1 / (1 + np.exp(-x))

    others = np.log(1 - sigmoid(-1.0)) + np.log(1 - sigmoid(2.0))  # the target among the negatives is left out
    assert found(0.0) == pytest.approx(-np.log(sigmoid(0.5)) - others, rel=1e-5)  # plain BCE
    assert found(1.0) == pytest.approx(-0.75 * np.log(sigmoid(0.5)) - others, rel=1e-5)  # rate 3 of 4 items
    assert found(0.5) == pytest.approx(-0.875 * np.log(sigmoid(0.5)) - others, rel=1e-5)
