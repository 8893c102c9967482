from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.evaluation import statistics
from common.evaluation.statistics import (
    bootstrap_interval,
    holm,
    mean_over_seeds,
    paired_differences,
    paired_p,
    significance,
)
from common.reporting.leaderboard import against
from common.utils.errors import UserError


def test_an_interval_holds_the_mean_and_narrows_with_the_users():
    values = np.random.default_rng(0).random(400)
    low, high = bootstrap_interval(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1), "about that of the normal distribution"
    few = bootstrap_interval(values[:100])
    assert few[1] - few[0] > 1.5 * (high - low)


def test_p_is_the_share_of_signs_that_lie_as_far():
    assert paired_p(np.array([1.0, 1.0, 1.0])) == pytest.approx(2 / 8, abs=0.02)
    assert paired_p(np.array([3.0, 1.0, -1.0])) == pytest.approx(6 / 8, abs=0.02), "sums 5, 3, 3, 1"


def test_several_models_are_tested_as_each_alone():
    differences = np.random.default_rng(1).normal(0.1, 1, (50, 3))
    together = paired_p(differences)
    assert together.shape == (3,)
    assert [paired_p(column).item() for column in differences.T] == together.tolist()


def test_where_nothing_differs_one_in_twenty_looks_as_if_it_did():
    noise = np.random.default_rng(2).normal(size=(60, 400))
    assert 0.02 < (paired_p(noise) < 0.05).mean() < 0.09


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]
    assert holm(np.array([0.2])).tolist() == [0.2]


def test_a_drawing_is_kept_for_figures_over_equally_many_users(monkeypatch):
    values = np.random.default_rng(3).random((40, 2))
    draw, made = statistics._draws, list[int]()

    def counted(n_users, seed):
        made.append(n_users)
        return draw(n_users, seed)

    monkeypatch.setattr(statistics, "_draws", counted)
    monkeypatch.setattr(statistics, "_kept_draws", lru_cache(maxsize=1)(statistics._draws))
    kept = [bootstrap_interval(column) for column in values.T]
    assert made == [40]
    monkeypatch.setattr(statistics, "KEPT", 39)
    assert [bootstrap_interval(column) for column in values.T] == kept
    assert made == [40, 40, 40], "a large drawing is not held in memory"


def test_models_with_values_for_other_users_are_tested_together():
    rng = np.random.default_rng(4)
    models = [rng.normal(0.4, 1, 50), rng.normal(0.3, 1, 40)]
    found = paired_differences(models)
    assert [of["p"] for of in found] == [paired_p(values).item() for values in models]
    assert [of["p_holm"] for of in found] == holm(np.array([of["p"] for of in found])).tolist()
    assert [(of["low"], of["high"]) for of in found] == [bootstrap_interval(values) for values in models]
    assert paired_differences([]) == []


def per_user(values, users="abcdefgh", **columns):
    """A per-user table, as a run writes it."""
    return pd.DataFrame({"user_id": list(users), "ndcg_10": values, **columns})


def test_seeds_are_averaged_user_by_user():
    seeds = [per_user(np.arange(8.0)), per_user(np.arange(8.0)[::-1])]
    assert mean_over_seeds(seeds).tolist() == [3.5] * 8
    assert mean_over_seeds(seeds[:1]).tolist() == list(range(8))


def test_the_rungs_of_a_newcomer_are_one_person():
    table = per_user([0.0, 1.0, 0.5, 0.5], users="abab", given=[0, 0, 1, 1])
    assert mean_over_seeds([table]).to_dict() == {"a": 0.25, "b": 0.75}


def test_rows_are_compared_with_the_reference_user_by_user():
    base = np.linspace(0.1, 0.8, 8)
    rows = {
        ("als", "tuned"): [per_user(base)],
        ("better", "tuned"): [per_user(base + 0.1)],
        ("other", "tuned"): [per_user(base[::-1])],
    }
    table: Any = significance(rows)
    assert np.isnan(table.loc[("als", "tuned"), "difference"])
    better, other = table.loc[("better", "tuned")], table.loc[("other", "tuned")]
    assert (better["difference"], better["difference_low"], better["difference_high"]) == pytest.approx((0.1,) * 3)
    assert better["p"] == pytest.approx(2 * 2 / 2**8, abs=0.006), "all of one sign, twice over, and Holm's factor 2"
    assert other["difference_low"] < 0 < other["difference_high"]
    assert other["p"] > 0.5
    assert table.loc[("als", "tuned"), "ndcg_10_low"] < base.mean() < table.loc[("als", "tuned"), "ndcg_10_high"]
    assert against({"ndcg_10": 0.55, **better}).startswith("+")
    assert against({"ndcg_10": 0.45, **other}).startswith("≈")
    assert "difference" not in significance({row: rows[row] for row in [("better", "tuned")]})


def test_rows_of_different_users_are_not_compared():
    ours, theirs = per_user(np.ones(8)), per_user(np.ones(8), users="abcdefgx")
    with pytest.raises(UserError, match="different users"):
        significance({("als", "tuned"): [ours], ("b", "tuned"): [theirs]})
    with pytest.raises(UserError, match="different users"):
        mean_over_seeds([ours, theirs])
