"""The registry describes every metric, and no label of it stands anywhere else in the code."""

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.evaluation import metric_suite, registry
from common.evaluation.registry import CORE, METRICS, PAGE, TABLE, TERMINAL, Metric, describe, label, shown
from common.evaluation.task import Task
from common.models.baselines import Popularity
from common.reporting.leaderboard import short_table
from common.reporting.results_json import metrics_table
from common.splits.protocols import N_GIVEN

ROOT = Path(__file__).resolve().parents[2]
MADE = {"interval", "against"}
"""Columns of the leaderboard that are no metric."""


@pytest.mark.parametrize("protocol", ["listen", "newcomer"])
def test_every_key_that_is_measured_is_described(small_data, protocol):
    test = Task(small_data, protocol).test
    evaluation = test.evaluate(Popularity().fit(test.train))
    measured = {**evaluation.metrics, **evaluation.costs}
    assert len(measured) > 90
    for key in measured:
        assert describe(key).name in key


def test_every_key_that_a_view_shows_is_described():
    given = [f"ndcg_10_given{number}" for number in N_GIVEN]
    for key in {*TABLE, *TERMINAL, *given, *(key for keys in PAGE.values() for key in keys)} - MADE:
        assert describe(key)
    for metric in CORE.values():
        for name in metric.names:
            assert describe(f"{name}_10").cutoffs == (10,)


@pytest.mark.parametrize(
    "key", ["ndcg", "ndcg_7", "hr_100", "nonsense_10", "hr_10_seen_sampled99", "fit_seconds_10", ""]
)
def test_no_other_key_is_described(key):
    with pytest.raises(KeyError):
        describe(key)
    assert label(key) == key


def test_keys_of_data_sets_that_are_measured_deeper_are_described():
    assert [label(key) for key in ("ndcg_50", "recall_50", "coverage_100")] == ["NDCG@50", "Recall@50", "Cover@100"]


def test_labels_tell_keys_apart():
    keys = [f"{m.name}_{k}{s}" for m in METRICS for k in m.cutoffs for s in ("", "_sampled99", "_seen", "_unseen_bare")]
    keys += [metric.name for metric in METRICS if not metric.cutoffs]
    assert len({label(key) for key in keys}) == len(keys)


def literals(path: Path) -> list[str]:
    """Strings of a module, docstrings and other text that stands alone left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in alone]
    return [node.value for node in found if isinstance(node.value, str)]


def test_each_label_stands_once_in_the_code():
    named = {text.format(k=k) for m in METRICS for text in (m.label, m.title) if "@" in text for k in m.cutoffs}
    assert "NDCG@10" in named and "Recall@20" in named
    own = ROOT / "common" / "evaluation" / "registry.py"
    below = {*ROOT.glob("common/training/*.py"), *ROOT.glob("common/plots/*.py")}  # they know no metric
    for path in {*ROOT.glob("common/**/*.py"), *ROOT.glob("[0-9]_*.py")} - below - {own}:
        again = named & {text.removeprefix("val ").removesuffix(" s99") for text in literals(path)}
        assert not again, f"{path.relative_to(ROOT)}: {again}; take registry.label"
    assert literals(own).count("NDCG@{k}") == 1


def test_a_metric_is_added_by_a_function_its_line_in_the_suite_and_its_line_here(small_data, monkeypatch):
    """Places of the first hit, as somebody might add it."""

    def first_hit(hits: np.ndarray, k: int) -> np.ndarray:
        found = hits[:, :k]
        return np.where(found.any(axis=1), found.argmax(axis=1) + 1.0, np.nan)

    def with_first_hit(hits: np.ndarray, n_relevant: np.ndarray) -> dict[str, np.ndarray]:
        return accuracy(hits, n_relevant) | {f"first_hit_{k}": first_hit(hits, k) for k in (5, 10, 20)}

    accuracy = metric_suite.accuracy
    monkeypatch.setattr(metric_suite, "accuracy", with_first_hit)
    monkeypatch.setattr(registry, "METRICS", (*METRICS, Metric("first_hit", "First@{k}", "accuracy", -1, ".1f")))
    valid = Task(small_data, "listen").valid
    evaluation = valid.evaluate(Popularity().fit(valid.train))
    value = evaluation.metrics["first_hit_10"]
    assert 1 <= value <= 10
    assert evaluation.per_user["first_hit_10"].mean() == value
    rows = pd.DataFrame([{"model": "popularity", "preset": "tuned", "valid_ndcg_10": 0.1, "first_hit_10": value}])
    header, cells = short_table(rows, registry.labels(["first_hit_10"]))
    assert header[-1] == "First@10" and cells[0][-1] == shown("first_hit_10", value) == f"{value:.1f}"
    monkeypatch.setattr("common.reporting.results_json.METRICS", registry.METRICS)
    assert "| `first_hit_k` | First@k | accuracy | less | 5, 10, 20 |" in metrics_table()
