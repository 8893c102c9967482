"""Item kNN: the contract, and neighbours by the formula."""

import re
import tracemalloc
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from common.models.knn.item_knn import ItemKNN, shrunk_cosines
from common.utils import memory
from common.utils.errors import UserError
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

    @pytest.mark.parametrize("room", [1, 80 * 100, 80 * 1000])
    def test_nor_does_the_memory_for_them(self, train, fitted, monkeypatch, room):
        monkeypatch.setattr("common.models.knn.item_knn.block_bytes", lambda: room)
        again = self.make().fit(train)
        for name, array in fitted.arrays().items():
            np.testing.assert_array_equal(again.arrays()[name], array)

    def test_a_user_of_very_many_items_takes_no_more_memory_than_a_block(self, monkeypatch):
        n_items, room = 1500, 4 * 10**6
        everything = sparse.csr_array(np.ones((1, n_items)))
        monkeypatch.setattr("common.models.knn.item_knn.block_bytes", lambda: room)
        tracemalloc.start()
        similarity = shrunk_cosines(everything, keep=3)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (np.diff(similarity.indptr) == 3).all()
        assert peak < 3 * room < 80 * n_items**2 / 10

    def test_neighbours_that_take_hours_are_announced(self, train, monkeypatch, caplog):
        self.make().fit(train)
        assert caplog.text == ""
        monkeypatch.setattr("common.models.knn.item_knn.MANY_PAIRS", 100)
        monkeypatch.setattr("common.models.knn.item_knn.SECONDS_PER_PAIR", 3600.0)
        self.make().fit(train)
        assert re.search(
            r"neighbours: 0 billion pairs, \d+\.0 hours; leave out users of most items, or use als", caplog.text
        )

    def test_neighbours_that_do_not_fit_are_refused_before_they_are_found(self, train, monkeypatch):
        monkeypatch.setattr("common.models.knn.item_knn.shrunk_cosines", lambda *_: pytest.fail("it began"))
        memory.use("100MB")
        many = replace(train, items=pd.DataFrame({"item_id": np.arange(10**6).astype(str)}))
        sentence = r"item_knn needs about 24 GB .* may take 100 MB; lower --item-knn\.neighbours, or allow more"
        with pytest.raises(UserError, match=sentence):
            self.make(neighbours=1000).fit(many)

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
