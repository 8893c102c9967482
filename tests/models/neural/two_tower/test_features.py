"""Features of items and users."""

import dataclasses

import numpy as np
import pandas as pd
from scipy import sparse

from common.models.neural.two_tower.features import (
    evened,
    item_features,
    ngrams,
    one_hot,
    reduced,
    standardised,
    user_features,
)
from common.models.neural.two_tower.model import TwoTower, TwoTowerSettings
from tests.models.contract_tests import N_ITEMS, N_USERS
from tests.models.neural.two_tower.test_model import SMALL


def test_standardised_by_hand():
    given = np.array([[1.0, 7.0, 1.0], [3.0, 7.0, np.inf], [np.nan, 7.0, 5.0]])
    np.testing.assert_allclose(standardised(given), [[-1, 0, -1], [1, 0, 0], [0, 0, 1]])
    assert (evened(np.array([[np.nan, 4.0], [2.0, 4.0]])) == [[0, 0], [2, 0]]).all()


def test_features_of_items_are_finite_whatever_is_missing(train):
    poor = train.items.copy()
    poor["release_year"] = [np.nan, 1999.0] * (N_ITEMS // 2)
    poor.loc[::3, ["danceability", "genres", "name"]] = [np.nan, None, None]
    poor["energy"] = 0.5
    found = item_features(dataclasses.replace(train, items=poor), tags=4, names=4)
    assert found.shape[0] == N_ITEMS
    assert np.isfinite(found).all()
    few = poor.assign(name=["Kiss", "Abba", *[None] * (N_ITEMS - 2)])
    assert np.isfinite(item_features(dataclasses.replace(train, items=few), 0, 4)).all()
    bare = dataclasses.replace(train, items=train.items[["item_id"]], item_tags=None)
    assert np.isfinite(item_features(bare, 4, 4)).all()
    model = TwoTower(TwoTowerSettings(**SMALL | {"epochs": 3}), seed=0).fit(dataclasses.replace(bare, social=None))
    assert np.isfinite(model.score(np.arange(N_USERS))).all()


def test_few_listeners_are_alike_in_every_feature(train):
    """Items of one listener and of none, otherwise alike, have the same features."""
    rows = train.interactions[~train.interactions["item"].isin([0, 1])]
    single = pd.concat([rows, train.interactions[train.interactions["item"] == 1].head(1)]).sort_values("user")
    items = train.items.copy()
    for column in items.columns.drop(["item_id"]):
        items.loc[1, column] = items.loc[0, column]
    alike = dataclasses.replace(train, items=items, interactions=single.reset_index(drop=True), item_tags=None)
    assert alike.counts[:2].tolist() == [0, 1]
    found = item_features(alike, 4, 4)
    np.testing.assert_array_equal(found[0], found[1])


def test_names_that_share_letters_are_alike():
    names = pd.Series(["Kiss Kiss", "Kiss Kisses", "Kiss", "Бумбокс", "Бумбо", "Бум", None])
    found = ngrams(names)[0].toarray()
    similarity = found @ found.T
    assert similarity[0, 1] > 0.5 > 0.1 > abs(similarity[0, 3])
    assert not found[6].any()


def test_features_of_people_by_hand(train):
    """A user with one friend is told the mean features of what the friend has."""
    users = train.users.assign(age=[31.0, 39.0, np.nan, *[20.0] * (N_USERS - 3)], country=["x", "y"] * (N_USERS // 2))
    pairs = pd.DataFrame({"user": [0, 5], "friend": [5, 0]}, dtype=np.int32)
    items = np.random.default_rng(0).normal(size=(N_ITEMS, 3)).astype(np.float32)
    found = user_features(dataclasses.replace(train, users=users, social=pairs), items)
    np.testing.assert_allclose(found[0, :3], items[train.histories[5]].mean(axis=0), rtol=1e-5)
    assert not found[1, :3].any()
    assert found[:, 4:].shape == (N_USERS, 2 + 2)
    np.testing.assert_array_equal(found[:4, 4:], [[0, 1, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0], [1, 0, 0, 1]])
    assert one_hot(pd.Series(["b", None, "a"])).tolist() == [[0, 1], [0, 0], [1, 0]]


def test_sparse_matrices_are_reduced_to_their_main_directions():
    rng = np.random.default_rng(0)
    low = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 30))
    found = reduced(sparse.csr_array(low), 3)
    np.testing.assert_allclose(found @ found.T, low @ low.T, rtol=1e-6, atol=1e-6)
    assert reduced(sparse.csr_array(low), 50).shape == (40, 30)
    assert reduced(sparse.csr_array(low[:6]), 20).shape == (6, 5), "no more than there are items"
