"""What is held out is gone from every table, is asked for once, and looks like what the protocol hides."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.data.dataset import Dataset, load_dataset
from common.splits.cross_fitting import FOLDS, folds, scheme_of, without
from common.splits.mapped.visible import StoredInteractions
from common.splits.protocols import N_GIVEN, draw_split
from common.splits.request_time import hour_of_week
from common.splits.train_view import TrainView, load_train_view, make_train_view
from tests.data.matrix_folders import events, write_matrix_folder
from tests.data.worlds import dataset, rich


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Dataset:
    return rich(tmp_path_factory.mktemp("world"))


def seen_by(world: Dataset, protocol: str) -> TrainView:
    return make_train_view(world, draw_split(world, protocol), protocol, "select")


def pairs_of(users: Any, items: Any) -> set[tuple[int, int]]:
    return set(zip(np.asarray(users).tolist(), np.asarray(items).tolist(), strict=True))


def visible_pairs(train: TrainView) -> set[tuple[int, int]]:
    return pairs_of(train.interactions["user"], train.interactions["item"])


@pytest.mark.parametrize("protocol", ["listen", "next", "next-shuffled", "temporal", "newcomer"])
def test_what_is_held_out_is_gone_from_every_table(world, protocol):
    train = seen_by(world, protocol)
    everything = visible_pairs(train)
    for fold in folds(train, seed=3):
        left = visible_pairs(fold.train)
        assert left < everything
        gone = everything - left
        assert fold.train.user_item_tags is not None
        assert not gone & pairs_of(fold.train.user_item_tags["user"], fold.train.user_item_tags["item"])
        people = fold.query.users if scheme_of(protocol) != "users" else None
        if people is not None:
            asked = {(int(people[row]), int(item)) for row, item in zip(fold.rows, fold.items, strict=True)}
            assert asked <= gone
        assert (np.diff(fold.rows) >= 0).all()
        assert fold.labels.any()
        for row in range(len(fold.query)):
            assert not set(fold.query.given[row]) & set(fold.items[fold.rows == row]), "the answer is not given"
        assert (fold.train.n_users, fold.train.n_items) == (train.n_users, train.n_items)
        assert fold.train.catalogue_sha256 == train.catalogue_sha256


def test_every_pair_of_listen_is_held_out_once_and_evenly(world):
    train = seen_by(world, "listen")
    held = [
        (int(fold.query.users[row]), int(item))
        for fold in folds(train, 0)
        for row, item in zip(fold.rows, fold.items, strict=True)
    ]
    assert len(held) == len(set(held)) == len(train.interactions)
    for fold in folds(train, 0):
        share = np.bincount(fold.rows) / train.histories.lengths[fold.query.users]
        assert share.min() > 0.1
        assert share.max() < 0.3


def test_weights_belong_to_their_pairs(world):
    train = seen_by(world, "listen")
    plays = {(u, i): w for u, i, w in train.interactions[["user", "item", "weight"]].itertuples(index=False)}
    for fold in folds(train, 0):
        for row, item, weight in zip(fold.rows, fold.items, fold.log_weights, strict=True):
            assert weight == pytest.approx(np.log1p(plays[int(fold.query.users[row]), int(item)]))


def test_fold_f_of_next_hides_the_last_f_events_and_asks_for_the_first_of_these(world):
    train: Any = seen_by(world, "next")
    fold: Any
    for f, fold in enumerate(folds(train, 0)):
        for row, user in enumerate(fold.query.users):
            history = train.histories[user]
            np.testing.assert_array_equal(fold.query.given[row], history[: len(history) - f - 1])
            mine = fold.rows == row
            assert set(fold.items[mine]) == set(history[len(history) - f - 1 :])
            assert fold.items[mine][fold.labels[mine]].tolist() == [history[len(history) - f - 1]]
            assert fold.query.hours[row] == hour_of_week(train.histories.take([user]).timestamps[-f - 1])
    assert all(fold.query.hours is None for fold in folds(seen_by(world, "listen"), 0)), "no event is the next one"


def test_newcomers_of_a_fold_are_strangers_to_it(world):
    train = seen_by(world, "newcomer")
    asked = 0
    for fold in folds(train, 0):
        assert (fold.query.users == -1).all()
        assert set(fold.query.given.lengths) <= set(N_GIVEN)
        asked += len(fold.query)
        strangers = np.flatnonzero(train.histories.lengths > 0)[
            fold.train.histories.lengths[train.histories.lengths > 0] == 0
        ]
        assert len(strangers) == len(fold.query)
        for table, column in (("social", "user"), ("social", "friend"), ("user_item_tags", "user")):
            assert not getattr(fold.train, table)[column].isin(strangers).any(), table
    assert asked == train.n_users


def test_tags_of_items_lose_what_the_held_out_gave_them_and_nothing_else(world):
    train = seen_by(world, "listen")
    assert train.item_tags is not None
    assert train.user_item_tags is not None
    gone = np.zeros(len(train.interactions), bool)
    gone[::7] = True
    left = without(train, gone)
    assert left.item_tags is not None
    keys = ["item", "tag"]
    removed = train.interactions[gone][["user", "item"]].merge(train.user_item_tags, on=["user", "item"])
    before = train.item_tags.set_index(keys)["weight"]
    expected = before.sub(removed.groupby(keys).size(), fill_value=0)
    pd.testing.assert_series_equal(left.item_tags.set_index(keys)["weight"], expected[expected > 0], check_names=False)
    assert "from the catalogue" in set(left.item_tags["tag"])


def test_data_without_tags_or_friends_are_held_out_alike(world):
    for protocol in ("listen", "newcomer"):
        poor = dataclasses.replace(seen_by(world, protocol), user_item_tags=None, item_tags=None, social=None)
        assert len(list(folds(poor, 0))) == FOLDS


def test_the_seed_decides(world):
    train = seen_by(world, "listen")
    first, again, other = (next(folds(train, seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.items, again.items)
    assert len(first.items) != len(other.items) or (first.items != other.items).any()


def test_folds_of_matrices_are_those_of_tables_and_make_no_table(tmp_path, monkeypatch):
    same = events()
    data = load_dataset(str(write_matrix_folder(tmp_path / "logs", same)), tmp_path / "data")
    tables = dataset(tmp_path / "tables", same.interactions, items=same.items, users=same.users)
    mapped, plain = (load_train_view(of, "temporal", "select") for of in (data, tables))
    monkeypatch.setattr(StoredInteractions, "frame", None)
    for found, expected in zip(folds(mapped, 0), folds(plain, 0), strict=True):
        for name in ("rows", "items", "log_weights", "labels"):
            assert np.array_equal(getattr(found, name), getattr(expected, name)), name
        for name in ("indptr", "items", "weights", "timestamps"):
            ours, theirs = (getattr(fold.train.histories, name) for fold in (found, expected))
            assert np.array_equal(ours, theirs), name
        assert found.train.matrix.nnz == len(found.train.interactions) < len(mapped.interactions)
