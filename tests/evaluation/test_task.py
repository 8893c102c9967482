"""A task opens what is asked for and nothing else."""

import pandas as pd
import pytest

from common.evaluation.task import Task
from common.splits.store import load_split


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
