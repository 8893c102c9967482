"""Item kNN: the contract, and neighbours by the formula."""

from typing import ClassVar

import numpy as np
import pytest
from scipy import sparse

from common.models.knn.item_knn import ItemKNN, shrunk_cosines
from tests.models.contract_tests import BLOCK, ContractTests


class TestItemKNN(ContractTests):
    kind = ItemKNN
    folds_as_it_scores = True
    other_settings: ClassVar = {
        "neighbours": 2,
        "shrinkage": 5.0,
        "asymmetry": 0.9,
        "weighting": "log",
        "history": "log",
    }

    def test_each_item_keeps_at_most_so_many_neighbours(self, train):
        similarity = self.make(neighbours=3).fit(train).similarity
        assert (np.diff(similarity.indptr) == 3).all()
        assert (similarity.diagonal() == 0).all()

    @pytest.mark.parametrize(("shrinkage", "asymmetry"), [(0.0, 0.5), (7.0, 0.8)])
    def test_the_cosine_is_the_formulas(self, train, shrinkage, asymmetry):
        x = (train.histories.matrix().toarray() > 0).astype(float)
        squares = (x**2).sum(axis=0)
        expected = x.T @ x / (np.outer(squares**asymmetry, squares ** (1 - asymmetry)) + shrinkage)
        np.fill_diagonal(expected, 0)
        similarity = self.make(shrinkage=shrinkage, asymmetry=asymmetry).fit(train).similarity
        np.testing.assert_allclose(similarity.toarray(), expected, atol=1e-12)

    @pytest.mark.parametrize("block", [1, 5, 48, 1000])
    def test_the_size_of_the_blocks_worked_through_does_not_matter(self, train, block):
        matrix = train.histories.matrix()
        whole, parts = shrunk_cosines(matrix, keep=4), shrunk_cosines(matrix, keep=4, block=block)
        np.testing.assert_array_equal(whole.toarray(), parts.toarray())

    def test_a_longer_history_adds_up(self, fitted):
        one, two, both = fitted.fold_in([[1], [2], [1, 2]])
        spoken_for = (one > 0) & (two > 0)
        assert spoken_for[:BLOCK].sum() == BLOCK - 2, "all of the block but the two themselves"
        np.testing.assert_allclose((one + two)[spoken_for], both[spoken_for], rtol=1e-6)
        assert (both[BLOCK:] <= 0).all(), "other blocks have nothing in common with this one"

    def test_an_empty_history_gets_the_popular_list(self, train, fitted):
        assert (np.argsort(-fitted.fold_in([[]])[0], kind="stable") == np.argsort(-train.counts, kind="stable")).all()


def test_shrunk_cosines_by_the_formula():
    matrix = sparse.csr_array((np.random.default_rng(5).random((7, 5)) < 0.6).astype(float))
    dense = matrix.toarray()
    found = shrunk_cosines(matrix, keep=5, shrinkage=2.0, asymmetry=0.3, block=2).toarray()
    norm = (dense**2).sum(axis=0)
    expected = dense.T @ dense / (norm[:, None] ** 0.3 * norm[None, :] ** 0.7 + 2.0)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(found, expected)
