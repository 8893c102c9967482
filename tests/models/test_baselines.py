import importlib
import pkgutil
from typing import ClassVar

import numpy as np
import pytest

import tests.models
from common.models.baselines import Popularity, Random, Trending
from common.models.knn.base import shrunk_cosines
from common.models.knn.content_knn import ContentKNN, TagKNN
from common.models.knn.hybrid_knn import HybridKNN
from common.models.knn.item_knn import ItemKNN, ItemKNNSettings
from common.models.knn.user_knn import UserKNN
from common.models.registry import MODELS
from tests.models.contract_tests import BLOCK, N_USERS, ContractTests


class TestRandom(ContractTests):
    kind = Random
    personalised = False
    similarity = False

    def test_chance_is_uniform_and_depends_on_seed_and_user(self, train, fitted):
        scores = fitted.score(np.arange(N_USERS))
        assert 0.47 < scores.mean() < 0.53
        assert len(np.unique(scores)) > 0.99 * scores.size
        assert not np.array_equal(self.make(seed=1).fit(train).score(np.arange(N_USERS)), scores)
        assert not np.array_equal(*fitted.fold_in([[], []]))


class TestPopularity(ContractTests):
    kind = Popularity
    personalised = False
    similarity = False

    def test_scores_are_the_visible_listeners(self, train, fitted):
        assert (fitted.score(np.array([0, 5])) == train.counts).all()
        assert (fitted.fold_in([[], [3]]) == train.counts).all()


class TestTrending(ContractTests):
    kind = Trending
    personalised = False
    similarity = False
    other_settings: ClassVar = {"half_life_days": 1.0}


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


class TestContentKNN(ContractTests):
    kind = ContentKNN
    folds_as_it_scores = True
    other_settings: ClassVar = {"neighbours": 2, "power": 3.0, "popularity": 0.5, "history": "log"}


class TestTagKNN(ContractTests):
    kind = TagKNN
    folds_as_it_scores = True
    other_settings: ClassVar = {"neighbours": 2, "power": 3.0, "popularity": 0.5, "history": "log", "shrinkage": 5.0}


class TestUserKNN(ContractTests):
    kind = UserKNN
    other_settings: ClassVar = {"neighbours": 2, "shrinkage": 5.0, "power": 2.0, "rarity": 0.8, "weighting": "log"}


class TestHybridKNN(ContractTests):
    kind = HybridKNN
    other_settings: ClassVar = {
        **{"collaborative_items": 1.0, "collaborative_users": 0.0, "tags": 1.0, "audio": 1.0, "popularity": 1.0},
        "item_knn": ItemKNNSettings(neighbours=2),
    }


def test_every_model_keeps_the_contract():
    for module in pkgutil.walk_packages(tests.models.__path__, "tests.models."):
        importlib.import_module(module.name)
    tests_of = [*ContractTests.__subclasses__()]
    tests_of += [test for family in tests_of for test in family.__subclasses__()]
    tested = {test.kind for test in tests_of if hasattr(test, "kind")}
    missing = {name for name, kind in MODELS.items() if kind not in tested}
    assert not missing, f"add a subclass of ContractTests for {missing}"
