"""Paired differences of runs to the first."""

import numpy as np
import pandas as pd
import pytest

from common.evaluation.statistics import bootstrap_interval
from common.experiments.run import PartResults
from common.reporting.comparison import compare, flat


def made_up(label, values) -> PartResults:
    """Results of which a metric of each user is known, and their mean."""
    results = PartResults(None, "test")  # type: ignore[arg-type]
    per_user = pd.DataFrame({"user_id": [f"u{i:03}" for i in range(len(values))], "m": values})
    record = {"model": label, "preset": "tuned", "seed": 0, "m": float(np.nanmean(values))}
    results.__dict__.update(per_user=per_user, metrics=record)
    return results


def test_differences_are_paired_user_by_user():
    rng = np.random.default_rng(0)
    base = rng.random(200)
    better = base + 0.01 + 0.001 * rng.standard_normal(200)  # far below the spread between users
    rows = compare([made_up("a", base), made_up("b", better)], "m").iloc[1]
    assert (rows["low"], rows["high"]) == bootstrap_interval(better - base)
    assert rows["difference"] == pytest.approx((better - base).mean())
    assert rows["significant"]
    assert rows["users"] == 200
    assert rows["higher"] == 200


def test_users_without_a_value_in_both_are_left_out():
    rows = compare([made_up("a", [0.0, np.nan, 1.0]), made_up("b", [0.5, 1.0, 1.5])], "m").iloc[1]
    assert (rows["users"], rows["difference"]) == (2, 0.5)


def test_two_equal_runs_do_not_differ():
    row = compare([made_up("a", [0.2, 0.4]), made_up("b", [0.2, 0.4])], "m").iloc[1]
    assert (row["difference"], row["low"], row["high"], row["p"]) == (0, 0, 0, 1)
    assert not row["excludes_zero"]
    assert not row["significant"]


def test_more_comparisons_need_stronger_evidence():
    rng = np.random.default_rng(3)
    base = rng.random(60)
    noise = rng.standard_normal(60)
    weak = base + 0.24 * noise.std() + noise - noise.mean()
    alone = compare([made_up("a", base), made_up("b", weak)], "m").iloc[1]
    assert alone["significant"] == alone["excludes_zero"]
    others = [made_up(f"c{i}", base + rng.standard_normal(60)) for i in range(30)]
    among = compare([made_up("a", base), made_up("b", weak), *others], "m").iloc[1]
    assert among["p"] == alone["p"]
    assert among["p_holm"] > alone["p_holm"]


def test_a_metric_of_all_lists_together_has_a_difference_and_no_interval():
    first, second = made_up("a", [0.1, 0.2]), made_up("b", [0.1, 0.2])
    first.metrics["coverage"], second.metrics["coverage"] = 0.5, 0.75
    row = compare([first, second], "coverage").iloc[1]
    assert row["difference"] == 0.25
    assert np.isnan(row["low"])
    assert not row["significant"]


def test_nested_settings_have_dotted_names():
    assert flat({"a": {"b": {"c": 1}}, "d": [1]}) == {"a.b.c": 1, "d": [1]}
