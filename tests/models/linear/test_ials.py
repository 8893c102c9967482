from dataclasses import replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, sparse

from common.models.linear import ials
from common.models.linear.ials import IALS, loss, rank_shares, tag_users
from common.splits.histories import Histories
from tests.models.contract_tests import QUICK, ContractTests

QUICK["ials"] = {"factors": 16, "regularisation": 5.0}


def without(train, user: int, item: int):
    """The train view without one pair."""
    rows = train.interactions
    return replace(train, interactions=rows[(rows["user"] != user) | (rows["item"] != item)].reset_index(drop=True))


class TestIALS(ContractTests):
    kind = IALS
    folds_as_it_scores = True
    other_settings: ClassVar = {
        **{"factors": 8, "rounds": 2, "regularisation": 20.0, "frequency": 0.3, "shift": 1.0, "user_share": 2.0},
        **{"alpha": 3.0, "lowest": 0.9, "power": 0.7, "tag_weight": 0.0, "discount": 0.5},
    }

    def test_every_round_lowers_the_loss(self, fitted):
        losses = fitted.curves["train/loss"]
        assert len(losses) == fitted.settings.rounds
        assert losses == sorted(losses, reverse=True)

    def test_the_contributions_of_a_history_sum_to_the_score(self, fitted, train):
        history = train.histories.take([3])
        items = [0, 5, 40]
        for item, why in zip(items, fitted.explain_list(history, items), strict=True):
            assert why.contributions.sum() == pytest.approx(fitted.score(np.array([3]))[0, item], rel=1e-4, abs=1e-5)

    def test_an_item_of_one_listener_is_as_one_of_none(self, train):
        user, item = (int(train.interactions[column].iloc[0]) for column in ("user", "item"))
        others = train.interactions["item"] != item
        alone = replace(
            train, interactions=train.interactions[others | (train.interactions["user"] == user)].reset_index(drop=True)
        )
        assert alone.counts[item] == 1
        nobody = without(alone, user, item)
        assert nobody.counts[item] == 0
        for weight in (2.0, 0.0):
            one, other = self.make(tag_weight=weight).fit(alone), self.make(tag_weight=weight).fit(nobody)
            np.testing.assert_array_equal(one.score(self.everybody), other.score(self.everybody))
            assert one.item_factors[item].any() == bool(weight)

    def test_tags_reach_an_item_that_nobody_has(self, train):
        item = 5
        hidden = replace(
            train, interactions=train.interactions[train.interactions["item"] != item].reset_index(drop=True)
        )
        assert hidden.item_tags is not None
        with_tags = self.make().fit(hidden)
        same_block = with_tags.score(np.array([0]))[0]
        assert same_block[item] > same_block[24:].max()
        nothing_known = replace(hidden, item_tags=hidden.item_tags[hidden.item_tags["item"] != item])
        assert not self.make().fit(nothing_known).item_factors[item].any()

    def test_without_tags_it_needs_no_table_of_them(self, train):
        bare = replace(train, item_tags=None, user_item_tags=None)
        np.testing.assert_array_equal(
            self.make().fit(bare).score(self.everybody), self.make(tag_weight=0.0).fit(train).score(self.everybody)
        )


def test_ranks_of_plays_share_ties():
    matrix = sparse.csr_array(np.array([[3.0, 1.0, 3.0, 7.0], [0.0, 2.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]]))
    # 1 is first, the two 3s share places 2 and 3, 7 is fourth; of four. Two equal ones share 1.5 of 2.
    np.testing.assert_allclose(rank_shares(matrix), [2.5 / 4, 1 / 4, 2.5 / 4, 1.0, 1.5 / 2, 1.5 / 2])


def test_weights_have_the_mean_alpha_and_rise_with_plays():
    histories = Histories.from_lists([[0, 1, 2], [1, 2, 3]], 4)
    histories.weights[:] = [10, 500, 90, 1, 1, 1]
    model = IALS(alpha=6.0, lowest=0.2, power=1.0)
    model.fitted, model.constants = np.ones(4, bool), np.ones(2)
    model.constants[0] = model._ranks(histories).data.mean()
    weights = model.weights(histories).toarray()
    assert weights[weights > 0].mean() == pytest.approx(6.0)
    assert weights[0, 0] < weights[0, 2] < weights[0, 1]
    assert len(set(weights[1, 1:].round(12))) == 1


def test_regularisation_follows_the_formula():
    model = IALS(regularisation=10.0, shift=2.0, frequency=0.5, user_share=0.3)
    model.constants = np.array([1.0, 4.0])
    np.testing.assert_allclose(model._user_regularisation(np.array([0, 1, 16])), [1.5, 1.5, 6.0])
    # n' = (1 + 9) / 4 = 2.5 of listeners alone; the second item has five tags besides
    found = model._item_regularisation(np.array([1, 8]), np.array([1, 3]))
    np.testing.assert_allclose(found, [10 * (3 / 4.5) ** 0.5, 10 * (10 / 4.5) ** 0.5])


def formula(
    weights: np.ndarray, users: np.ndarray, items: np.ndarray, of_users: np.ndarray, of_items: np.ndarray
) -> float:
    """The loss of the module's head, term by term."""
    predicted = users @ items.T
    squares = np.where(weights > 0, (1 + weights) * (1 - predicted) ** 2, predicted**2)
    return float(squares.sum() + of_users @ (users**2).sum(1) + of_items @ (items**2).sum(1))


def test_the_loss_is_that_of_the_formula():
    rng = np.random.default_rng(0)
    users = rng.normal(size=(4, 3))
    weights = rng.uniform(1, 5, (4, 5)) * (rng.random((4, 5)) < 0.5)
    of_users, of_items = rng.random(4), rng.random(5)
    held = sparse.csr_array(weights)
    items = ials.Ridge(users).solve(sparse.csr_array(held.T.tocsr()), of_items)
    expected = formula(weights, users, items, of_users, of_items)
    assert loss(held, users, items, of_users) == pytest.approx(expected, rel=1e-12)


def test_a_fit_comes_to_rest_where_the_loss_has_no_slope():
    rng = np.random.default_rng(3)
    weights = sparse.csr_array(rng.uniform(1, 5, (8, 6)) * (rng.random((8, 6)) < 0.5))
    of_users, of_items = rng.uniform(1, 2, 8), rng.uniform(1, 2, 6)
    model = IALS(factors=2, rounds=200)
    items = model._alternate(weights, of_users, of_items, context=ials.FitContext()).astype(float)
    users = ials.Ridge(items).solve(weights, of_users)

    def at(flat: np.ndarray) -> float:
        return formula(weights.toarray(), flat[:16].reshape(8, 2), flat[16:].reshape(6, 2), of_users, of_items)

    slope = optimize.approx_fprime(np.concatenate([users.ravel(), items.ravel()]), at, 1e-6)
    assert np.abs(slope).max() < 1e-2


def test_tags_of_three_items_are_users(train_of_tags):
    found = tag_users(train_of_tags, 2.0).toarray()
    # "rock" has three items, given once, three times and seven times; "odd" has two and is none
    np.testing.assert_allclose(found, [[2 * 1.0, 2 * 2.0, 2 * 3.0, 0.0]])
    assert tag_users(train_of_tags, 0.0).shape == (0, 4)


@pytest.fixture
def train_of_tags():
    from types import SimpleNamespace

    tags = pd.DataFrame({"item": [0, 1, 2, 0, 3], "tag": ["rock"] * 3 + ["odd"] * 2, "weight": [1, 3, 7, 1, 1]})
    return SimpleNamespace(item_tags=tags, n_items=4)
