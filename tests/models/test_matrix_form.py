"""Models on a folder of matrix form: what they find on tables of the same events, and nothing that is held out."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.data.dataset import Dataset, load_dataset
from common.evaluation.play_counts import mean_plays
from common.evaluation.task import Task
from common.models.neural.listnet import inputs
from common.models.registry import MODELS
from common.splits.mapped.visible import StoredInteractions, some_rows
from common.splits.train_view import TrainView
from tests.data.matrix_folders import events, with_newcomers, with_repeats, write_matrix_folder
from tests.data.worlds import dataset
from tests.models.contract_tests import make

COMPARED: dict[str, dict[str, Any]] = {
    **{name: {} for name in ("popularity", "trending", "als", "item_knn")},
    **{name: {"epochs": 1, "width": 8} for name in ("sasrec", "two_tower")},
    "forest": {"trees": 5, "top": 10},
    "hist_gradient": {"iterations": 5, "top": 10},
    "hybrid_listnet": {"epochs": 1, "width": 4, "hidden": (8,), "words": 4, "top": 10},
}
"""Models that read the matrix, and settings that make them quick."""


LEARN_FROM_FOLDS = ("hist_gradient", "hybrid_listnet")
"""Models that learn from the same lists as the forest: they are tried for leaks with tables alone."""


def fitted(name: str, train: TrainView) -> Any:
    return make(MODELS[name], **COMPARED[name]).fit(train)


@pytest.fixture(scope="module")
def matrices(tmp_path_factory) -> Dataset:
    return written(tmp_path_factory.mktemp("matrices"))


@pytest.fixture(autouse=True)
def no_table_of_all_interactions(monkeypatch):
    """No model, and no evaluation, may ask for a table of all interactions."""

    def refuse(_self: StoredInteractions) -> None:
        raise AssertionError("a table of all interactions was made")

    monkeypatch.setattr(StoredInteractions, "frame", refuse)


def written(folder: Path, tables=None, repeats: bool = False) -> Dataset:
    return load_dataset(str(write_matrix_folder(folder / "logs", tables or events(), repeats)), folder / "data")


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> Dataset:
    same = events()
    return dataset(tmp_path_factory.mktemp("tables"), same.interactions, items=same.items, users=same.users)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.thorough] * (name == "hist_gradient")) for name in COMPARED]
)
def test_metrics_are_those_on_tables(matrices, tables, name):
    found: list[Any] = []
    for data in (matrices, tables):
        task = Task(data, "temporal")
        found.append(task.test.evaluate(fitted(name, task.train_valid)))
    assert found[0].metrics == found[1].metrics
    targets = [of.targets.astype({"user_id": object, "item_id": object}) for of in found]
    pd.testing.assert_frame_equal(*targets)


def test_plays_are_learned_as_from_a_table(tmp_path):
    same = events()
    same.interactions["weight"] = np.random.default_rng(0).integers(1, 50, len(same.interactions)).astype(float)
    mapped = Task(written(tmp_path, same), "temporal").train
    assert mapped.stored is not None
    table = replace(mapped, stored=None, interactions=some_rows(mapped.stored, len(mapped.stored.items)))
    users = np.arange(mapped.n_users)
    assert mean_plays(mapped, users, users).tolist() == mean_plays(table, users, users).tolist()
    found, expected = (make(MODELS["forest"], trees=3, top=10).fit(train) for train in (mapped, table))
    assert found.predict_plays(users, users).tolist() == expected.predict_plays(users, users).tolist()
    assert np.array_equal(found.score(users), expected.score(users))


def test_of_many_interactions_some_are_preprocessed(matrices, monkeypatch):
    train = Task(matrices, "temporal").train
    monkeypatch.setattr(inputs, "MOST_ROWS", 300)
    rows = inputs.with_everything(train)
    assert 200 < len(rows) - max(train.n_items, train.n_users) <= 300
    assert rows[["user", "item"]].nunique().tolist() == [train.n_users, train.n_items]


def permuted(part_from: float) -> Any:
    """The events with those after a share of them in time given to other users."""
    tables, rng = events(), np.random.default_rng(3)
    rows = tables.interactions.copy()
    after = rows["timestamp"] >= np.sort(rows["timestamp"])[int(part_from * len(rows))]
    rows.loc[after, "user_id"] = rng.permutation(rows.loc[after, "user_id"].to_numpy(object))
    assert (rows["user_id"] != tables.interactions["user_id"]).sum() > 50
    return replace(tables, interactions=rows)


@pytest.mark.parametrize(("phase", "share"), [("train", 0.8), ("train_valid", 0.9)])
def test_held_out_pairs_that_change_hands_change_no_list(tmp_path, matrices, phase, share):
    other = written(tmp_path, permuted(share))
    assert other.sha256 != matrices.sha256
    for name in COMPARED.keys() - set(LEARN_FROM_FOLDS):
        lists = [fitted(name, getattr(Task(data, "temporal"), phase)).recommend(k=20) for data in (matrices, other)]
        assert lists[0].equals(lists[1]), name


def test_repeats_are_reported_apart_from_discovery(tmp_path):
    data = written(tmp_path, with_repeats(events()), repeats=True)
    task = Task(data, "temporal")
    model = fitted("popularity", task.train_valid)
    found = task.test.evaluate(model)
    asked = task.test.holdout.repeats
    assert asked is not None
    assert found.metrics["n_targets"] == len(found.targets) < len(asked.target_rows)
    assert found.metrics["n_targets_repeats"] == len(asked.target_rows)
    assert 0 < found.metrics["n_targets_known"] <= len(asked.target_rows)
    scores, top = model.score(asked.codes), 0
    for row, user_scores in enumerate(scores):
        best = np.lexsort((task.test.places, -user_scores))[:10]
        top += bool(np.isin(best, asked.target_items[asked.target_rows == row]).any())
    assert found.metrics["hr_10_repeats"] == pytest.approx(top / len(scores))
    assert not [key for key in map(str, found.per_user) if "repeats" in key]


def test_data_without_repeats_have_no_such_metrics(matrices):
    task = Task(matrices, "temporal")
    found = task.valid.evaluate(fitted("popularity", task.train))
    assert not [key for key in found.metrics if "repeats" in key or "known" in key]


@pytest.mark.parametrize("name", ["popularity", "item_knn"])
def test_users_and_items_that_train_lacks_are_reported_apart_as_on_tables(tmp_path, name):
    same = with_newcomers(events())
    found: list[Any] = []
    for data in (
        written(tmp_path / "a", same),
        dataset(tmp_path / "b", same.interactions, items=same.items, users=same.users),
    ):
        task = Task(data, "temporal")
        evaluation = task.test.evaluate(fitted(name, task.train_valid))
        found.append(evaluation)
    one, other = found
    assert one.metrics["n_unseen_users"] == 2
    assert {key for key in one.metrics if "sampled99" not in key} == {
        key for key in other.metrics if "sampled99" not in key
    }
    for key, value in other.metrics.items():
        if "sampled99" not in key:  # drawn in the order of codes
            assert one.metrics[key] == pytest.approx(value), key
    columns = ["user_id", "item_id", "rank"]
    tables = [evaluation.targets[columns].astype({"user_id": str, "item_id": str}) for evaluation in found]
    assert sorted(map(tuple, tables[0].to_numpy())) == sorted(map(tuple, tables[1].to_numpy()))
