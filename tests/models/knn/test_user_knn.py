"""User kNN: the contract, and votes by hand; friends: what they listen to, by hand."""

import dataclasses
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from common.models.knn.user_knn import Friends, UserKNN, UserKNNSettings, friend_matrix
from tests.data.worlds import pairs
from tests.models.contract_tests import N_ITEMS, N_USERS, ContractTests, block_visible
from tests.models.knn.worlds import seen_in_full


class TestUserKNN(ContractTests):
    kind = UserKNN
    other_settings: ClassVar = {"neighbours": 2, "shrinkage": 5.0, "power": 2.0, "rarity": 0.8, "weighting": "log"}

    @pytest.mark.parametrize("room", [1, 80 * 60, 80 * 500])
    def test_the_memory_for_a_block_of_users_changes_nothing(self, train, fitted, monkeypatch, room):
        users, history = np.arange(train.n_users), train.histories.take(np.array([3]))
        score, folded = fitted.score(users), fitted.fold_in(train.histories)
        monkeypatch.setattr("common.models.knn.user_knn.block_bytes", lambda: room)
        np.testing.assert_array_equal(fitted.score(users), score)
        np.testing.assert_array_equal(fitted.fold_in(train.histories), folded)
        whole = fitted.explain_list(history, [1, 30], 3)
        monkeypatch.setattr("common.models.knn.user_knn.ITEMS_AT_ONCE", 2)
        for one, other in zip(whole, fitted.explain_list(history, [1, 30], 3), strict=True):
            np.testing.assert_allclose(one.contributions, other.contributions, rtol=1e-12)


def test_user_knn_by_hand(tmp_path):
    train = seen_in_full(tmp_path, pairs(a="p q", b="p q r", c="q s", d="t"))
    scores = UserKNN(UserKNNSettings(neighbours=2)).fit(train).score(np.array([0]))[0]
    by_item = dict(zip(train.items["item_id"], scores, strict=True))
    near_b, near_c = 2 / np.sqrt(2 * 3), 1 / 2  # cosines of a's {p, q} with {p, q, r} and {q, s}
    assert by_item["r"] == pytest.approx(near_b)
    assert by_item["s"] == pytest.approx(near_c)
    assert by_item["q"] == pytest.approx(near_b + near_c)  # nobody votes for themselves
    assert by_item["t"] <= 0
    only_nearest = UserKNN(UserKNNSettings(neighbours=1)).fit(train).score(np.array([0]))[0]
    assert dict(zip(train.items["item_id"], only_nearest, strict=True))["s"] <= 0


def test_a_score_is_the_number_of_friends_who_have_the_item(tmp_path):
    train = block_visible(tmp_path)
    social = pd.DataFrame({"user": [0, 0, 3], "friend": [1, 5, 3]}).astype(np.int32)
    model = Friends().fit(dataclasses.replace(train, social=social))
    has = train.histories.matrix().toarray() > 0
    expected = has[1].astype(int) + has[5]
    scores = model.score(np.array([0, 3]))
    np.testing.assert_array_equal(scores[0][expected > 0], expected[expected > 0])
    assert (scores[0][expected == 0] <= 0).all()
    np.testing.assert_array_equal(scores[1], model.fold_in([[1]])[0], "no user is a friend of their own")
    assert (scores[1] <= 0).all()
    again = Friends()
    again.restore(model.arrays())
    np.testing.assert_array_equal(again.score(np.arange(N_USERS)), model.score(np.arange(N_USERS)))


def test_without_friends_in_the_data_every_list_is_the_popular_one(tmp_path):
    train = dataclasses.replace(block_visible(tmp_path), social=None)
    assert friend_matrix(None, 4).nnz == 0
    scores = Friends().fit(train).score(np.arange(2))
    assert scores.shape == (2, N_ITEMS)
    np.testing.assert_array_equal(np.argsort(-scores[0], kind="stable"), train.most_popular(N_ITEMS))
