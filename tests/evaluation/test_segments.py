from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.evaluation.segments import history_groups, named_groups, popularity_fifths, segments, target_groups
from common.splits.train_view import load_train_view


def test_groups_cover_all_and_are_named_by_their_reach():
    values = np.array([5, 1, 2, 3, 4, 6, 0])
    groups = named_groups(values, values > 0, "history of")
    assert list(groups) == ["history of 1–2", "history of 3–4", "history of 5–6"]
    assert np.sum(list(groups.values()), axis=0).tolist() == [1, 1, 1, 1, 1, 1, 0]
    assert list(named_groups(np.full(9, 7), np.ones(9, bool), "history of")) == ["history of 7"]
    assert named_groups(values, np.zeros(7, bool), "") == {}


def test_items_without_a_listener_are_apart_and_a_core_hides_small_counts():
    assert list(target_groups(np.array([0, 1, 2, 2, 9]), floor=1)) == ["no listener", "2", "9"]
    assert next(iter(target_groups(np.array([3, 5, 6, 90]), floor=5))) == "up to 5"
    assert "no listener" not in target_groups(np.array([4, 5, 6]), floor=1)


def test_results_by_group_are_means_over_the_groups_and_seeds(small_data):
    train = load_train_view(small_data, "listen", "final")
    users = train.users["user_id"].tolist()
    lengths = train.histories.lengths
    seeds: list[Any] = []
    for seed in (0, 1):
        per_user = pd.DataFrame({"user_id": users, "ndcg_10": lengths + 2.0 * seed})
        ranks = np.array([1, 20, 21, 100]) if seed else np.array([20, 21, 30, 1])
        targets = pd.DataFrame({"rank": ranks, "listeners": [0, 2, 50, 7]})
        seeds.append(SimpleNamespace(per_user=per_user, targets=targets))
    found = segments({"model": seeds}, train)
    found_share = np.array([1.0, 0.5, 0.0, 0.5])
    row = found["rows"]["model"]
    assert sum(found["history"].values()) == len(users)
    for group, of in history_groups(pd.Index(users), train).items():
        assert row[group] == pytest.approx(lengths[of].mean() + 1)
    assert found["target"] == {"no listener": 1, "2": 1, "7": 1, "50": 1} or sum(found["target"].values()) == 4
    assert sum(found["popularity"].values()) == 4
    assert next(iter(found["popularity"])).startswith("rarest fifth, to ")
    assert {group: row[group] for group in found["popularity"]} == pytest.approx(
        {
            group: found_share[of].mean()
            for group, of in popularity_fifths(np.array([0, 2, 50, 7]), train.counts).items()
        }
    )
    assert row["no listener"] == 1.0, "found by both seeds"
    assert row["2"] == 0.5, "by one of two"


def test_popularity_fifths_hold_a_fifth_of_the_interactions_each():
    counts = np.array([1] * 100 + [10] * 10 + [50, 50, 100, 100])
    fifths = popularity_fifths(counts, counts)
    assert [int(counts[of].sum()) for of in fifths.values()] == [100, 100, 100, 200]
    names = ["rarest fifth, to 9", "second fifth, from 10", "third fifth, from 50", "fourth fifth, from 100"]
    assert list(fifths) == names
    assert popularity_fifths(np.array([0, 1]), np.array([0, 0])) == {}
