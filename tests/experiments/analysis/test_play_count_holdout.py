"""A stratified holdout of visible pairs, and how well plays are predicted in each of its groups."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.evaluation.play_counts import mean_plays
from common.experiments.analysis import play_count_holdout as study
from common.models.neural.listnet.model import HybridListNet, HybridListNetSettings
from common.splits.train_view import load_train_view


def test_the_holdout_is_taken_out_of_train_and_each_pair_is_in_one_group(small_data):
    train = load_train_view(small_data, "listen", "select")
    split = study.plays_split(train)
    kept = set(zip(split.left.interactions["user"], split.left.interactions["item"], strict=True))
    held = set(zip(split.users.tolist(), split.items.tolist(), strict=True))
    assert not kept & held
    assert len(kept) + len(held) == len(train.interactions)
    groups = split.groups()
    left = split.left.histories.lengths
    assert (left[split.users[groups["new users"]]] == 0).all()
    assert ((left[split.users[groups["cold users"]]] > 0) & (left[split.users[groups["cold users"]]] < 5)).all()
    assert (split.left.counts[split.items[groups["new items"]]] == 0).all()
    assert (left[split.users[groups["warm users"]]] >= 5).all()
    assert all(groups[name].any() for name in groups)
    disjoint = [groups[name] for name in ("warm users", "cold users", "new users", "new items")]
    assert (np.sum(disjoint, axis=0) == 1).all(), "each pair is in one group"
    true = {(u, i): w for u, i, w in train.interactions[["user", "item", "weight"]].itertuples(index=False)}
    expected = [np.log1p(true[u, i]) for u, i in zip(split.users, split.items, strict=True)]
    np.testing.assert_allclose(split.log_plays, expected, rtol=1e-5)
    again = study.plays_split(train)
    np.testing.assert_array_equal(again.items, split.items)


def test_the_holdout_is_stratified(small_data):
    """The stratified part has as many of the busy and of the popular as the whole."""
    train = load_train_view(small_data, "listen", "select")
    split, history = study.plays_split(train), train.histories
    users = np.repeat(np.arange(train.n_users), history.lengths)
    for of_all, of_part in (
        (history.lengths[users], history.lengths[split.users[split.stratified]]),
        (train.counts[history.items], train.counts[split.items[split.stratified]]),
    ):
        edge = np.median(of_all)
        assert abs((of_all > edge).mean() - (of_part > edge).mean()) < 0.12


def test_no_split_of_few_pairs_fails(small_data):
    train = load_train_view(small_data, "listen", "select")
    for n in (1, 7, 77):
        few = replace(train, interactions=train.interactions.head(n))
        for seed in range(10):
            split = study.plays_split(few, seed)
            assert len(split.left.interactions) + len(split.users) == n


def test_figures_of_groups_by_hand():
    pairs = pd.DataFrame(
        {
            "user": [0, 0, 1, 1],
            "item": [0, 1, 2, 3],
            "log_plays": [1.0, 3.0, 2.0, 4.0],
            "predicted": [2.0, 3.0, 2.0, 3.0],
            "reference": [2.5, 2.5, 2.5, 2.5],
            "all": [True] * 4,
            "new users": [True, True, False, False],
            "new items": [True, False, False, False],
        }
    )
    table: Any = study.by_group(pairs, ["all", "new users", "new items"]).set_index("group")
    assert table.index.tolist() == ["all", "new users"], "one pair is not enough"
    assert table.loc["all", "r2"] == pytest.approx(1 - 2 / 5)
    assert table.loc["all", "reference_r2"] == pytest.approx(0.0)
    assert table.loc["all", "mae"] == pytest.approx(0.5)
    assert table.loc["all", "ndcg"] == pytest.approx(1.0)
    assert table.loc["new users", ["pairs", "users"]].tolist() == [2, 1]


def test_new_users_are_predicted_by_what_is_known_of_items(small_data):
    train = load_train_view(small_data, "listen", "select")
    split = study.plays_split(train)
    model = HybridListNet(HybridListNetSettings(top=20, width=4, hidden=(8,), epochs=2, learning_rate=0.01))
    pairs = study.predict(model.fit(split.left), split)
    assert np.isfinite(pairs["predicted"]).all()
    np.testing.assert_allclose(pairs["reference"], mean_plays(split.left, split.users, split.items))
    new = pairs["new users"]
    apart = (pairs["predicted"] - pairs["reference"]).abs()
    assert apart[new].mean() < 0.1, "by the means alone, since how much they play cannot be known"
    assert apart[~new].mean() > 2 * apart[new].mean()
    assert not model.ranker.users.ids[1:][split.left.histories.lengths == 0].any(), "nobody without history has an id"
