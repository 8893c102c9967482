"""What a phase is scored on, with what is given of each user and the negatives of each held-out item."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.data.ids import PAIR
from common.splits.holdout import make_holdout
from common.splits.protocols import PROTOCOLS
from common.splits.request_time import hour_of_week
from common.splits.store import load_split
from common.splits.train_view import load_train_view
from tests.data.worlds import rich


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return rich(tmp_path_factory.mktemp("world"))


def pairs_of(part: pd.DataFrame) -> set[tuple[str, str]]:
    return set(part[PAIR].itertuples(index=False, name=None))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("phase", "part"), [("select", "valid"), ("final", "test")])
def test_what_is_scored_is_the_part_that_the_phase_names(world, protocol, phase, part):
    split = load_split(world, protocol)
    train: Any = load_train_view(world, protocol, phase)
    asked: Any = make_holdout(load_split(world, protocol), train)
    items = train.items["item_id"].to_numpy(object)
    first_rung = asked.target_rows < len(np.unique(asked.users))
    found = list(zip(asked.users[asked.target_rows], items[asked.target_items], strict=True))
    assert set(found) == pairs_of(getattr(split, part))
    assert first_rung.sum() == len(getattr(split, part))
    known = asked.codes >= 0
    assert (train.users["user_id"].to_numpy(object)[asked.codes[known]] == asked.users[known]).all()
    if protocol == "newcomer":
        assert not known.any()
        lengths = asked.given.lengths.reshape(6, -1)
        assert (lengths == np.array([0, 1, 2, 5, 10, 20])[:, None]).all()
        assert (asked.n_given.reshape(6, -1) == np.array([0, 1, 2, 5, 10, 20])[:, None]).all()
    elif protocol == "random-811" and phase == "final":
        masked = set(zip(asked.users[asked.given.rows], items[asked.given.items], strict=True))
        mine = {pair for pair in pairs_of(split.train) | pairs_of(split.valid) if pair[0] in set(asked.users)}
        assert masked == mine, "valid is masked"
        shown = set(zip(asked.users[asked.known.rows], items[asked.known.items], strict=True))
        assert shown == {pair for pair in pairs_of(split.train) if pair[0] in set(asked.users)}, "and not shown"
    elif known.all():
        assert asked.known is asked.given
        for row in range(0, len(asked.users), 7):
            assert np.array_equal(asked.given[row], train.histories[asked.codes[row]])


def test_each_hidden_item_has_its_own_negatives(world):
    split, train = load_split(world, "listen"), load_train_view(world, "listen", "final")
    asked = make_holdout(split, train)
    items = train.items["item_id"].to_numpy(object)
    table = split.negatives99.astype(object).groupby(PAIR)["negative_id"].apply(set)
    for target in range(0, len(asked.target_rows), 11):
        pair = asked.users[asked.target_rows[target]], items[asked.target_items[target]]
        row = asked.negatives[target]
        assert set(items[row[row >= 0]]) == table[pair]


@pytest.mark.parametrize("protocol", ["next", "temporal"])
def test_a_list_is_asked_for_at_the_hour_of_the_first_held_out_event(world, protocol):
    asked = make_holdout(load_split(world, protocol), load_train_view(world, protocol, "final"))
    test = load_split(world, protocol).test.astype({"user_id": object})
    first = [test.loc[test["user_id"] == user, "timestamp"].min() for user in asked.users]
    assert asked.hours is not None
    np.testing.assert_array_equal(asked.hours, hour_of_week(np.array(first)))
    assert len(set(asked.hours)) > 1


def test_where_held_out_items_have_no_order_no_hour_is_told(world):
    for protocol in ("listen", "newcomer"):
        assert make_holdout(load_split(world, protocol), load_train_view(world, protocol, "final")).hours is None
