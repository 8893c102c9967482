"""A task opens what is asked for and nothing else."""

import pandas as pd
import pytest

from common.evaluation.statistics import paired_differences
from common.evaluation.task import Task, compare, evaluate, split
from common.models.base import Recommender
from common.models.baselines import Popularity
from common.models.knn.item_knn import ItemKNN
from common.models.linear.als import ALS
from common.splits.store import load_split
from common.utils.errors import UserError


def pairs_of(train) -> set[tuple[str, str]]:
    users, items = train.users["user_id"].to_numpy(), train.items["item_id"].to_numpy()
    rows = train.interactions
    return set(zip(users[rows["user"]], items[rows["item"]], strict=True))


def held_out(evaluator) -> set[tuple[str, str]]:
    holdout, items = evaluator.holdout, evaluator.train.items["item_id"].to_numpy()
    return set(zip(holdout.users[holdout.target_rows], items[holdout.target_items], strict=True))


def as_pairs(part: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(part["user_id"].astype(str), part["item_id"].astype(str), strict=True))


def test_the_four_parts_of_a_task(small_data):
    task, split = Task(small_data, "listen"), load_split(small_data, "listen")
    assert pairs_of(task.train) == as_pairs(split.train)
    assert pairs_of(task.train_valid) == as_pairs(split.train) | as_pairs(split.valid)
    assert held_out(task.valid) == as_pairs(split.valid)
    assert held_out(task.test) == as_pairs(split.test)
    assert (task.valid.holdout.part, task.test.holdout.part) == ("valid", "test")
    assert task.valid.train is task.train
    assert task.test.train is task.train_valid is task.train_valid


def test_test_is_opened_only_when_it_is_asked_for(small_data, monkeypatch):
    parts = []

    def noted(train, holdout):
        parts.append(holdout.part)

    monkeypatch.setattr("common.evaluation.task.Evaluator", noted)
    task = Task(small_data, "listen-s1")
    assert task.train.phase == "select" and task.valid is None and task.train_valid.phase == "final"
    assert parts == ["valid"]
    assert task.test is None and parts == ["valid", "test"]


def test_a_newcomer_is_evaluated_once_for_each_number_of_given_items(small_data):
    valid = Task(small_data, "newcomer").valid
    assert valid.n_given is not None
    assert len(valid.users) == len(valid.n_given) == len(set(valid.users)) * len(set(valid.n_given))
    assert (valid.given.lengths <= valid.n_given).all()
    assert (valid.query.users == -1).all()


def test_an_unknown_protocol_is_refused(small_data):
    with pytest.raises(Exception, match="lisen"):
        _ = Task(small_data, "lisen").train


# Models on a part of a task


@pytest.fixture(scope="module")
def task(small_data) -> Task:
    return split(small_data, "listen")


@pytest.fixture(scope="module")
def als(task) -> Recommender:
    return ALS(factors=8, regularisation=1.0).fit(task.train)


def test_evaluate_is_that_of_the_part(task, als):
    found, expected = evaluate(als, task.valid), task.valid.evaluate(als)
    assert found.metrics == expected.metrics
    assert 0 < found.metrics["ndcg_10"] < 1
    assert (found.part, len(found.per_user)) == ("valid", int(found.metrics["n_users"]))
    assert evaluate(ALS(factors=8).refit(task.train_valid), task.test).part == "test"


def test_compare_pairs_the_users_and_corrects_for_the_number_of_models(task, als):
    popularity, item_knn = Popularity().fit(task.train), ItemKNN().fit(task.train)
    table = compare([als, popularity, item_knn], task.valid, metric="recall_20")
    assert list(table) == ["model", "value", "difference", "low", "high", "p"]
    assert table["model"].tolist() == ["als", "popularity", "item_knn"]
    values = [task.valid.evaluate(model).per_user["recall_20"].to_numpy() for model in (als, popularity, item_knn)]
    assert table["value"].tolist() == pytest.approx([value.mean() for value in values])
    for row, expected in zip((1, 2), paired_differences([value - values[0] for value in values[1:]]), strict=True):
        for column, key in {"difference": "difference", "low": "low", "high": "high", "p": "p_holm"}.items():
            assert table[column][row] == pytest.approx(expected[key])
    assert table.loc[0, ["difference", "low", "high", "p"]].isna().all()


def test_compare_names_two_of_a_kind_and_takes_names_of_its_own(task, als):
    other = ALS(factors=4).fit(task.train)
    assert compare([als, other], task.valid)["model"].tolist() == ["als", "als 2"]
    table = compare({"8 factors": als, "4 factors": other}, task.valid, "coverage_10")
    assert table["model"].tolist() == ["8 factors", "4 factors"]
    assert table["difference"][1] == table["value"][1] - table["value"][0]
    assert table[["low", "high", "p"]].isna().all(axis=None), "coverage is of all lists together"


def test_newcomers_are_paired_over_the_numbers_of_given_items(small_data):
    task = split(small_data, "newcomer")
    models = [Popularity().fit(task.train), ItemKNN().fit(task.train)]
    of_users = [task.valid.evaluate(model).per_user.groupby("user_id", observed=True)["ndcg_10"] for model in models]
    difference = of_users[1].mean() - of_users[0].mean()
    assert compare(models, task.valid)["difference"][1] == pytest.approx(difference.mean())


def test_models_of_different_splits_are_not_compared(task, als):
    other = split(task.data, seed=1)
    with pytest.raises(UserError, match=r"als was fitted on train of .* / listen-s1, but valid belongs to train"):
        compare([als, ALS(factors=8).fit(other.train)], task.valid)
