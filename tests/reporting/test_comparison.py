from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.evaluation.statistics import bootstrap_interval
from common.reporting.comparison import compare


def invented(label, values) -> Any:
    """Results of a run with one metric, m."""
    by_user = pd.DataFrame({"m": values}, index=[f"u{i}" for i in range(len(values))])
    return SimpleNamespace(label=label, metrics={"m": float(np.nanmean(values))}, by_user=by_user)


def test_differences_are_paired_user_by_user():
    rng = np.random.default_rng(0)
    base = rng.random(200)
    better = base + 0.01 + 0.001 * rng.standard_normal(200)  # far below the spread between users
    rows = compare([invented("a", base), invented("b", better)], "m").iloc[1]
    assert (rows["low"], rows["high"]) == bootstrap_interval(better - base)
    assert rows["difference"] == pytest.approx((better - base).mean())
    assert rows["significant"]
    assert rows["users"] == 200
    assert rows["higher"] == 200


def test_users_without_a_value_in_both_are_left_out():
    rows = compare([invented("a", [0.0, np.nan, 1.0]), invented("b", [0.5, 1.0, 1.5])], "m").iloc[1]
    assert (rows["users"], rows["difference"]) == (2, 0.5)


def test_two_equal_runs_do_not_differ():
    row = compare([invented("a", [0.2, 0.4]), invented("b", [0.2, 0.4])], "m").iloc[1]
    assert (row["difference"], row["low"], row["high"], row["p"]) == (0, 0, 0, 1)
    assert not row["excludes_zero"]
    assert not row["significant"]


def test_more_comparisons_need_stronger_evidence():
    rng = np.random.default_rng(3)
    base = rng.random(60)
    noise = rng.standard_normal(60)
    weak = base + 0.24 * noise.std() + noise - noise.mean()
    alone = compare([invented("a", base), invented("b", weak)], "m").iloc[1]
    assert alone["significant"] == alone["excludes_zero"]
    others = [invented(f"c{i}", base + rng.standard_normal(60)) for i in range(30)]
    among = compare([invented("a", base), invented("b", weak), *others], "m").iloc[1]
    assert among["p"] == alone["p"]
    assert among["p_holm"] > alone["p_holm"]
