import numpy as np
import pytest
from scipy import sparse

from common.models.linear import ridge
from common.models.linear.ridge import Ridge


def drawn(lengths: list[int], n_items: int) -> sparse.csr_array:
    """Rows that hold so many items each, with weights."""
    rng = np.random.default_rng(0)
    rows = np.zeros((len(lengths), n_items))
    for row, n in zip(rows, lengths, strict=True):
        row[rng.permutation(n_items)[:n]] = rng.uniform(0.5, 9.0, n)
    return sparse.csr_array(rows)


def textbook(factors: np.ndarray, weights: np.ndarray, regularisation: float) -> np.ndarray:
    """The normal equations over all items: confidence 1 + w, preference 1 where an item is held."""
    confidence, held = 1 + weights, weights > 0
    left = factors.T @ (confidence[:, None] * factors) + regularisation * np.eye(factors.shape[1])
    return np.linalg.solve(left, factors.T @ (confidence * held))


@pytest.mark.parametrize("together", [1, 2**26])
@pytest.mark.parametrize("long", [2, 4096])
def test_solutions_are_those_of_the_normal_equations(together, long, monkeypatch):
    monkeypatch.setattr(ridge, "BLOCK_BYTES", together)
    monkeypatch.setattr(ridge, "LONG", long)
    factors = np.random.default_rng(1).normal(size=(30, 6))
    weights, regularisation = drawn([0, 3, 6, 7, 7, 20], 30), np.array([1.0, 0.5, 2.0, 3.0, 9.0, 0.1])
    found = Ridge(factors).solve(weights, regularisation)
    expected = [textbook(factors, row, own) for row, own in zip(weights.toarray(), regularisation, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert not found[0].any()


def test_single_precision_stays_single_and_close():
    factors = np.random.default_rng(1).normal(size=(40, 5)).astype(np.float32)
    weights, regularisation = drawn([2, 9, 30], 40), np.array([1.0, 2.0, 3.0])
    found = Ridge(factors).solve(weights, regularisation)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, Ridge(factors.astype(float)).solve(weights, regularisation), rtol=1e-4, atol=1e-5)


def test_a_weight_of_zero_is_that_of_any_other_pair_held():
    factors = np.random.default_rng(1).normal(size=(9, 4))
    items, w = np.array([[2, 5, 7]]), np.array([[0.0, 3.0, 1.0]])
    held = factors[items[0]]
    left = factors.T @ factors + (w[0] * held.T) @ held + 2.0 * np.eye(4)
    found = Ridge(factors).solve(sparse.csr_array((w[0], items[0], [0, 3]), (1, 9)), np.array([2.0]))
    np.testing.assert_allclose(found[0], np.linalg.solve(left, (1 + w[0]) @ held), rtol=1e-8)


def test_a_system_that_rounding_made_indefinite_is_solved_by_elimination():
    systems = np.array([[[2.0, 0.5], [0.5, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])
    right = np.array([[1.0, 3.0], [3.0, 4.0]])
    np.testing.assert_allclose(ridge._solved(systems, right), np.linalg.solve(systems, right[:, :, None])[:, :, 0])


@pytest.mark.parametrize("n", [2, 11])
def test_influences_sum_to_the_prediction(n):
    factors = np.random.default_rng(2).normal(size=(20, 4))
    weights = drawn([n], 20)
    solved = Ridge(factors)
    added = solved.influence(weights.indices, weights.data, 3.0, factors[:5])
    assert added.shape == (n, 5)
    np.testing.assert_allclose(added.sum(axis=0), factors[:5] @ solved.solve(weights, np.array([3.0]))[0])
