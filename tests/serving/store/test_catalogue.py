import numpy as np
import pytest
from sqlalchemy import func, select, text

from common.serving.store.catalogue import Sources, rows_of, top_tags
from common.serving.store.tables import interactions, popularity
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
    kept = store.database.one(select(func.count()).select_from(interactions))
    assert kept == len(train.interactions) < len(small_data.tables.interactions)


def test_look_ups_go_through_an_index(store):
    plans = {
        "SELECT user_id FROM users WHERE protocol = 'listen' AND user_id = 'y'": ("user_ids", "user_ids"),
        "SELECT item FROM interactions WHERE protocol = 'listen' AND item = 1": ("listeners", "listeners"),
        "SELECT item FROM interactions WHERE protocol = 'listen' AND \"user\" = 1": (
            "PRIMARY KEY",
            "interactions_pkey",
        ),
        "SELECT item FROM words WHERE protocol = 'listen' AND word BETWEEN 'a' AND 'b'": ("PRIMARY KEY", "words_pkey"),
        "SELECT item_id FROM feedback WHERE listener = 'x'": ("sqlite_autoindex_feedback", "feedback_listener"),
        "SELECT id FROM clicks WHERE session = 'x' AND item_id = 'y'": ("clicks_of", "clicks_of"),
        "SELECT id FROM impressions WHERE request_id = 'x'": ("sqlite_autoindex_impressions", "impressions_request"),
        "SELECT id FROM impressions WHERE protocol = 'listen' AND experiment = 'y'": (
            "impressions_of",
            "impressions_of",
        ),
    }
    is_file = store.database.engine.dialect.name == "sqlite"
    with store.database.transaction() as connection:
        if not is_file:  # the tables are so small that reading all of them would be as good
            connection.execute(text("SET LOCAL enable_seqscan TO off; SET LOCAL enable_bitmapscan TO off"))
        for query, (index, of_server) in plans.items():
            explain = "EXPLAIN QUERY PLAN" if is_file else "EXPLAIN"
            plan = str(connection.execute(text(f"{explain} {query}")).all())
            assert ("SEARCH" if is_file else "Index") in plan
            assert (index if is_file else of_server) in plan


def test_names_are_found_without_case_and_accents(empty_store):
    search = empty_store.data.search
    names = ["Björk", "Sigur Rós", "椎名林檎", 'a "quoted" name', "Rosalía", "x" * 5000]
    rows = [(n, f"i{n}", name, "", "", "", f"w{n}") for n, name in enumerate(names)]
    fans = [(user, n, 4, 1.0, None) for n, user in enumerate(range(3))]
    empty_store.data.build("listen", SOURCES, {"items": rows, "interactions": fans})
    assert search("listen", ["BJORK"]) == [0]
    assert search("listen", ["sig", "ros"]) == [1]
    assert search("listen", ["椎名"]) == [2]
    assert search("listen", ['"quoted']) == [3]
    assert search("listen", ["x" * 5000]) == [5]
    assert search("listen", ["ros"]) == [1, 4], "nothing is counted yet"
    assert len(empty_store.data.catalogue("listen")) == 6
    assert search("listen", ["ros"]) == [4, 1], "the best known first"
    assert search("listen", ["ros"], most=1) == [4]
    assert search("next", ["bjork"]) == []
    assert search("listen", []) == []
    for nasty in ('" OR name:x', "x* NOT y", "'); DROP TABLE items;--"):
        assert search("listen", [nasty]) == []
    assert len(empty_store.data.catalogue("listen")) == 6


def test_popularity_is_counted_once_a_day_and_counts_likes(store, train):
    item_id = train.items["item_id"][3]
    before = dict(store.data.popularity("listen", "2030-01-01"))
    store.feedback.add("a", item_id, True)
    store.feedback.add("b", item_id, True)
    store.feedback.add("c", item_id, False)
    assert dict(store.data.popularity("listen", "2030-01-01")) == before
    after = dict(store.data.popularity("listen", "2030-01-02"))
    assert after[3] == before.get(3, 0) + 2
    assert store.database.all(select(popularity.c.day).distinct()) == [("2030-01-02",)]


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
