"""Friends: what a user's friends listen to, by hand."""

import dataclasses

import numpy as np
import pandas as pd

from common.models.knn.friends import Friends, friend_matrix
from tests.models.contract_tests import N_ITEMS, N_USERS, block_visible


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
