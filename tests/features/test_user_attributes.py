"""Friends and demographics of any users, also of those whom no model was fitted on."""

from typing import Any

import numpy as np
import pytest

from common.features.user_attributes import user_attributes
from common.splits.train_view import load_train_view
from tests.data.worlds import dataset, pairs, rich


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return rich(tmp_path_factory.mktemp("world"))


@pytest.mark.parametrize("protocol", ["listen", "newcomer"])
def test_friends_are_those_of_the_train_view(world, protocol):
    train: Any = load_train_view(world, protocol, "select")
    everybody = world.tables.users["user_id"].to_numpy(object)
    found = user_attributes(world, train, everybody)
    social, known = world.tables.social, train.users["user_id"].tolist()
    for row, user in enumerate(everybody):
        friends = set(social.loc[social["user_id"] == user, "friend_id"])
        assert {known[code] for code in found.friends[row]} == friends & set(known)
    assert found.users["age"].tolist() == world.tables.users["age"].tolist()


def test_rows_are_taken_in_order_and_strangers_have_gaps(world):
    train = load_train_view(world, "listen", "select")
    found = user_attributes(world, train, np.array(["u03", "nobody", "u01"], object))
    ages = world.tables.users.set_index("user_id")["age"]
    taken = found.take(np.array([2, 1]))
    assert taken.users["age"].iloc[0] == ages["u01"]
    assert np.isnan(taken.users["age"].iloc[1])
    assert len(taken.friends[1]) == 0


def test_data_without_friends_gives_nobody_any(tmp_path):
    data = dataset(tmp_path, pairs(a="p q r s t u", b="p q r s t v"))
    found = user_attributes(data, load_train_view(data, "listen", "select"), np.array(["a", "b"], object))
    assert [len(friends) for friends in found.friends] == [0, 0]
