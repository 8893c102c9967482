from typing import ClassVar

import numpy as np

from common.models.baselines import Popularity, Random, Trending
from tests.models.contract_tests import N_USERS, ContractTests


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
