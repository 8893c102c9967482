import numpy as np
import pytest

from common.serving.store.catalogue import Sources, rows_of, top_tags
from common.serving.store.store import Store
from common.utils.errors import UserError
from tests.serving.store.conftest import SOURCES


def test_it_gives_back_what_the_phase_shows(store, train):
    catalogue = store.data.catalogue("listen")
    assert catalogue.item_ids.tolist() == train.items["item_id"].tolist()
    assert catalogue.names.tolist() == train.items["name"].tolist()
    assert catalogue.listeners.tolist() == train.counts.tolist()
    assert store.data.user_ids("listen") == train.users["user_id"].tolist()
    for user in (0, train.n_users - 1):
        assert store.data.user("listen", train.users["user_id"][user]) == user
        own = store.data.history("listen", user, train.n_items)
        np.testing.assert_array_equal(own.items, train.histories[user])
        expected = train.histories.take(np.array([user]))
        np.testing.assert_allclose(own.weights, expected.weights)
        np.testing.assert_array_equal(own.timestamps, expected.timestamps)
    assert store.data.user("listen", "nobody") is None
    assert len(store.data.history("listen", 999, train.n_items).items) == 0


def test_top_tags_are_the_most_given(train):
    item = int(train.item_tags["item"].iloc[0])
    own = train.item_tags[train.item_tags["item"] == item]
    most = own.loc[own["weight"].idxmax()]
    first = top_tags(train)[item].split("|")[0]
    assert own.set_index("tag")["weight"][first] == most["weight"]


def test_hidden_pairs_are_not_in_it(store, small_data, train):
    kept = store.database.connection.execute("SELECT count(*) FROM interactions").fetchone()[0]
    assert kept == len(train.interactions) < len(small_data.tables.interactions)


def test_look_ups_go_through_an_index(store):
    plans = {
        "SELECT user FROM users WHERE protocol = ? AND user_id = ?": "user_ids",
        "SELECT user FROM interactions WHERE protocol = ? AND item = ?": "listeners",
        "SELECT item FROM interactions WHERE protocol = ? AND user = ?": "PRIMARY KEY",
    }
    for query, index in plans.items():
        plan = str(store.database.connection.execute(f"EXPLAIN QUERY PLAN {query}", ("listen", 1)).fetchall())
        assert "SEARCH" in plan
        assert index in plan


def test_names_are_found_without_case_and_accents(tmp_path):
    with Store(tmp_path / "l.sqlite") as store:
        names = ["Björk", "Sigur Rós", "椎名林檎", 'a "quoted" name']
        rows = [(n, f"i{n}", name, "", "", "", f"w{n}") for n, name in enumerate(names)]
        store.data.build("listen", SOURCES, {"items": rows})
        assert store.data.search("listen", ["BJORK"]) == [0]
        assert store.data.search("listen", ["sig", "ros"]) == [1]
        assert store.data.search("listen", ["椎名"]) == [2]
        assert store.data.search("listen", ['"quoted']) == [3]
        assert store.data.search("next", ["bjork"]) == []
        assert store.data.search("listen", []) == []
        for nasty in ('" OR name:x', "x* NOT y", "'); DROP TABLE items;--"):
            assert store.data.search("listen", [nasty]) == []
        assert len(store.data.catalogue("listen")) == 4


def test_popularity_is_counted_once_a_day_and_counts_likes(store, train):
    item_id = train.items["item_id"][3]
    before = dict(store.data.popularity("listen", "2030-01-01"))
    store.feedback.add("a", item_id, True)
    store.feedback.add("b", item_id, True)
    store.feedback.add("c", item_id, False)
    assert dict(store.data.popularity("listen", "2030-01-01")) == before
    after = dict(store.data.popularity("listen", "2030-01-02"))
    assert after[3] == before.get(3, 0) + 2
    days = store.database.connection.execute("SELECT DISTINCT day FROM popularity").fetchall()
    assert days == [("2030-01-02",)]


def test_building_again_replaces_rows_and_keeps_feedback(store, train):
    store.feedback.add("me", "x", True)
    store.data.build("listen", Sources("other", "split"), rows_of(train))
    assert store.data.holds("listen", Sources("other", "split"))
    assert not store.data.holds("listen", SOURCES)
    assert len(store.data.catalogue("listen")) == train.n_items
    assert store.feedback.of("me") == (["x"], [])


def test_a_build_that_fails_leaves_what_was_there(store, train):
    rows = rows_of(train)
    broken = rows | {"users": [(0, "a"), (0, "twice")]}
    with pytest.raises(UserError):
        store.data.build("listen", Sources("new", "split"), broken)
    assert store.data.holds("listen", SOURCES)
    assert len(store.data.catalogue("listen")) == train.n_items
