"""From ids and names to codes, and from top lists back to tables."""

import numpy as np
import pytest

from common.models.external_ids import checked_view, item_table, to_query
from common.splits.histories import Histories
from common.utils.errors import UserError
from tests.models.contract_tests import N_USERS, block_visible


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return block_visible(tmp_path_factory.mktemp("blocks"))


def test_users_become_codes_with_the_histories_they_have(train):
    ids, query = to_query(train, ["u07", "u00"], None)
    assert (ids.tolist(), query.users.tolist()) == (["u07", "u00"], [7, 0])
    np.testing.assert_array_equal(query.given[0], train.histories[7])
    assert len(to_query(train, None, None)[1]) == N_USERS


def test_new_histories_are_numbered_and_have_no_code(train):
    ids, query = to_query(train, None, [["i05", "SONG i02"], []])
    assert (ids.tolist(), query.users.tolist()) == (["0", "1"], [-1, -1])
    assert query.given[0].tolist() == [5, 2]
    given = Histories.from_lists([[3]], train.n_items)
    assert to_query(train, None, given)[1].given is given


def test_a_table_ends_where_a_list_ends(train):
    items, scores = np.array([[4, -1], [2, 0]]), np.array([[0.5, np.nan], [2.0, 1.0]])
    table = item_table(train, np.array(["a", "b"], object), items, scores)
    assert table["user_id"].tolist() == ["a", "b", "b"]
    assert table["rank"].tolist() == [1, 1, 2]
    assert table["item_id"].tolist() == ["i04", "i02", "i00"]
    assert table["score"].tolist() == [0.5, 2.0, 1.0]


def test_what_is_no_train_view_is_refused(train):
    assert checked_view(train) is train
    with pytest.raises(UserError, match="list is no train view"):
        checked_view([])
