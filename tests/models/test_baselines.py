from typing import ClassVar

import numpy as np
import pytest

from common.models.baselines import Popularity, Random, Trending, TrendingSettings
from common.utils.errors import UserError
from tests.data.worlds import pairs
from tests.models.contract_tests import N_USERS, ContractTests
from tests.models.knn.worlds import seen_in_full


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


def test_trending_halves_with_the_half_life(tmp_path):
    day = 86_400
    rows = pairs(a=f"old@0 new@{10 * day} once@{10 * day}", b=f"old@0 new@{10 * day} mid@{5 * day}", c=f"mid@{5 * day}")
    train = seen_in_full(tmp_path, rows)
    model = Trending(TrendingSettings(half_life_days=5.0)).fit(train)
    scores = dict(zip(train.items["item_id"], model.score(np.array([0]))[0], strict=True))
    assert scores == {"new": 2.0, "mid": 1.0, "old": 0.5, "once": 0.0}  # one listener counts like none


def test_trending_refuses_data_without_times(tmp_path):
    with pytest.raises(UserError, match="needs times"):
        Trending().fit(seen_in_full(tmp_path, pairs(a="x y", b="x")))
