"""Sparse matrices against their dense definitions."""

import numpy as np
import pytest
from scipy import sparse

from common.utils.arrays import gini_of, keep_largest, pack_csr, random_places, sums_of_rows, unpack_csr, weigh

RNG = np.random.default_rng(0)


def plays() -> sparse.csr_array:
    return sparse.csr_array(RNG.poisson(1.0, (5, 7)).astype(np.float32))


@pytest.mark.parametrize("k", [1, 3, 10])
def test_the_k_largest_are_kept_and_ties_go_to_the_lower_column(k):
    dense = RNG.integers(-1, 4, (30, 12)).astype(float)
    kept = keep_largest(sparse.csr_array(dense), k).toarray()
    for row, result in zip(dense, kept, strict=True):
        order = [c for c in np.lexsort((np.arange(12), -row)) if row[c] > 0][:k]
        expected = np.zeros(12)
        expected[order] = row[order]
        np.testing.assert_array_equal(result, expected)


def test_gini_is_half_the_relative_mean_absolute_difference():
    x = np.random.default_rng(0).poisson(2.0, 300)
    by_definition = np.abs(x[:, None] - x[None, :]).mean() / (2 * x.mean())
    assert gini_of(x) == pytest.approx(by_definition, rel=1e-12)


def test_gini_does_not_depend_on_the_unit():
    x = np.random.default_rng(1).random(50)
    assert gini_of(x) == pytest.approx(gini_of(1000 * x))


@pytest.mark.parametrize("rows", [1, 3])
def test_sums_of_rows_are_the_matrix_product(rows):
    weights, matrix = sparse.csr_array(RNG.poisson(1.0, (rows, 5)).astype(float)), plays().astype(float)
    np.testing.assert_allclose(sums_of_rows(weights, matrix), weights.toarray() @ matrix.toarray())


@pytest.mark.parametrize("weighting", ["binary", "log", "idf"])
def test_weights_by_definition_and_the_matrix_untouched(weighting):
    matrix = plays()
    before, dense = matrix.data.copy(), matrix.toarray()
    lengths = np.maximum((dense > 0).sum(axis=1, keepdims=True), 1)
    expected = {"binary": 1.0, "log": np.log1p(dense), "idf": np.log(dense.shape[1] / lengths)}[weighting]
    np.testing.assert_allclose(weigh(matrix, weighting).toarray(), np.where(dense > 0, expected, 0))
    np.testing.assert_array_equal(matrix.data, before)


def test_a_packed_matrix_comes_back():
    matrix = plays()
    back = unpack_csr("plays", pack_csr("plays", matrix), columns=7)
    assert back.shape == matrix.shape
    np.testing.assert_array_equal(back.toarray(), matrix.toarray())


def test_random_places_count_each_group_and_every_order_comes():
    groups = np.array([5, 0, 5, 2, 5, 0])
    drawn = [random_places(groups, np.random.default_rng(seed)) for seed in range(60)]
    for places in drawn:
        for group in (0, 2, 5):
            assert sorted(places[groups == group]) == list(range((groups == group).sum()))
    assert len({tuple(places[groups == 5]) for places in drawn}) == 6
