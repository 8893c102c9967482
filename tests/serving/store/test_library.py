import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from common.serving.store.library import APPLICATION, VERSION, Sources, Store, open_store, rows_of, top_tags
from common.splits.train_view import load_train_view
from common.utils.errors import UserError
from tests.conftest import ROOT

SOURCES = Sources("data", "split")


@pytest.fixture(scope="module")
def train(small_data):
    return load_train_view(small_data, "listen", "final")


@pytest.fixture
def library(tmp_path, train):
    with Store(tmp_path / "library.sqlite", patience=0.2) as made:
        made.build("listen", SOURCES, rows_of(train))
        yield made


def test_it_gives_back_what_the_phase_shows(library, train):
    catalogue = library.catalogue("listen")
    assert catalogue.item_ids.tolist() == train.items["item_id"].tolist()
    assert catalogue.names.tolist() == train.items["name"].tolist()
    assert catalogue.listeners.tolist() == train.counts.tolist()
    assert library.user_ids("listen") == train.users["user_id"].tolist()
    for user in (0, train.n_users - 1):
        assert library.user("listen", train.users["user_id"][user]) == user
        own = library.history("listen", user, train.n_items)
        np.testing.assert_array_equal(own.items, train.histories[user])
        expected = train.histories.take(np.array([user]))
        np.testing.assert_allclose(own.weights, expected.weights)
        np.testing.assert_array_equal(own.timestamps, expected.timestamps)
    assert library.user("listen", "nobody") is None
    assert len(library.history("listen", 999, train.n_items).items) == 0


def test_top_tags_are_the_most_given(train):
    item = int(train.item_tags["item"].iloc[0])
    own = train.item_tags[train.item_tags["item"] == item]
    most = own.loc[own["weight"].idxmax()]
    first = top_tags(train)[item].split("|")[0]
    assert own.set_index("tag")["weight"][first] == most["weight"]


def test_hidden_pairs_are_not_in_it(library, small_data, train):
    kept = library.connection.execute("SELECT count(*) FROM interactions").fetchone()[0]
    assert kept == len(train.interactions) < len(small_data.tables.interactions)


def test_look_ups_go_through_an_index(library):
    plans = {
        "SELECT user FROM users WHERE protocol = ? AND user_id = ?": "user_ids",
        "SELECT user FROM interactions WHERE protocol = ? AND item = ?": "listeners",
        "SELECT item FROM interactions WHERE protocol = ? AND user = ?": "PRIMARY KEY",
    }
    for query, index in plans.items():
        plan = str(library.connection.execute(f"EXPLAIN QUERY PLAN {query}", ("listen", 1)).fetchall())
        assert "SEARCH" in plan
        assert index in plan


def test_names_are_found_without_case_and_accents(tmp_path):
    with Store(tmp_path / "l.sqlite") as library:
        names = ["Björk", "Sigur Rós", "椎名林檎", 'a "quoted" name']
        rows = [(n, f"i{n}", name, "", "", "", f"w{n}") for n, name in enumerate(names)]
        library.build("listen", SOURCES, {"items": rows})
        assert library.search("listen", ["BJORK"]) == [0]
        assert library.search("listen", ["sig", "ros"]) == [1]
        assert library.search("listen", ["椎名"]) == [2]
        assert library.search("listen", ['"quoted']) == [3]
        assert library.search("next", ["bjork"]) == []
        assert library.search("listen", []) == []
        for nasty in ('" OR name:x', "x* NOT y", "'); DROP TABLE items;--"):
            assert library.search("listen", [nasty]) == []
        assert len(library.catalogue("listen")) == 4


def test_popularity_is_counted_once_a_day_and_counts_likes(library, train):
    item_id = train.items["item_id"][3]
    before = dict(library.popularity("listen", "2030-01-01"))
    library.say("a", item_id, True)
    library.say("b", item_id, True)
    library.say("c", item_id, False)
    assert dict(library.popularity("listen", "2030-01-01")) == before
    after = dict(library.popularity("listen", "2030-01-02"))
    assert after[3] == before.get(3, 0) + 2
    days = library.connection.execute("SELECT DISTINCT day FROM popularity").fetchall()
    assert days == [("2030-01-02",)]


def test_the_last_word_on_an_item_counts_and_can_be_taken_back(library):
    library.say("me", "x", True)
    library.say("me", "y", True)
    library.say("me", "x", False)
    library.say("you", "x", True)
    assert library.said("me") == (["y"], ["x"])
    assert library.unsay("me", "x") == 1
    assert library.said("me") == (["y"], [])
    assert library.unsay("me") == 1
    assert library.said("me") == ([], [])
    assert library.said("you") == (["x"], [])


def test_values_are_bound_and_never_read_as_sql(library):
    name = "Robert'); DROP TABLE items;--"
    library.say(name, name, True)
    assert library.said(name) == ([name], [])
    assert library.user("listen", name) is None
    assert len(library.catalogue("listen")) > 0


def test_building_again_replaces_rows_and_keeps_feedback(library, train):
    library.say("me", "x", True)
    library.build("listen", Sources("other", "split"), rows_of(train))
    assert library.holds("listen", Sources("other", "split"))
    assert not library.holds("listen", SOURCES)
    assert len(library.catalogue("listen")) == train.n_items
    assert library.said("me") == (["x"], [])


def test_a_build_that_fails_leaves_what_was_there(library, train):
    rows = rows_of(train)
    broken = rows | {"users": [(0, "a"), (0, "twice")]}
    with pytest.raises(UserError):
        library.build("listen", Sources("new", "split"), broken)
    assert library.holds("listen", SOURCES)
    assert len(library.catalogue("listen")) == train.n_items


def test_it_is_built_on_first_use_and_again_when_the_data_change(small_data_dir, small_data, tmp_path, monkeypatch):
    arguments = ("synthetic", "listen", small_data_dir, tmp_path)
    from tests.conftest import SMALL

    open_store(*arguments, SMALL).close()
    made = []
    monkeypatch.setattr(Store, "build", lambda *_: made.append(1))
    open_store(*arguments, SMALL).close()
    assert not made, "it was there"
    with sqlite3.connect(tmp_path / small_data.name / "library.sqlite") as connection:
        connection.execute("UPDATE protocols SET data_sha256 = 'old'")
    connection.close()
    open_store(*arguments, SMALL).close()
    assert made, "made from older data"


def likes(path: Path, listener: str, count: int) -> None:
    """What one of several processes does."""
    with Store(path, patience=30) as library:
        for n in range(count):
            library.say(listener, f"{listener}-{n}", True)


def test_four_processes_that_write_lose_no_like(library):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=likes, args=(library.path, f"p{n}", 25)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    for n in range(4):
        assert library.said(f"p{n}")[0] == [f"p{n}-{like}" for like in range(25)]


KILLED = """
import sys
from pathlib import Path
from common.library import Library
library = Library(Path(sys.argv[1]))
for n in range(100000):
    library.say("me", str(n), True)
    print(n, flush=True)
"""


def test_what_was_said_survives_a_kill(library):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(library.path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(20):
        last = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    rest = process.stdout.read().split()
    process.stdout.close()
    process.wait()
    last = int(rest[-1]) if rest else last
    kept = library.said("me")[0]
    assert len(kept) >= last + 1, "every like that was confirmed is there"
    assert kept == [str(n) for n in range(len(kept))]
    assert library.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_locked_library_is_waited_for_then_named(library):
    other = sqlite3.connect(library.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    start = time.perf_counter()
    with pytest.raises(UserError, match="in use by another process"):
        library.say("me", "x", True)
    assert time.perf_counter() - start >= 0.15
    other.execute("ROLLBACK")
    other.close()
    library.say("me", "x", True)


def test_a_library_that_cannot_be_written_to_is_still_read(library, train):
    library.connection.execute("PRAGMA query_only = 1")
    assert library.popularity("listen", "2031-01-01")
    with pytest.raises(UserError, match="cannot be written"):
        library.say("me", "x", True)


@pytest.mark.parametrize("content", [b"this is no database " * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_damaged_library_is_named(tmp_path, content):
    path = tmp_path / "library.sqlite"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"library\.sqlite is damaged"):
        Store(path)


def test_a_library_of_a_later_version_is_refused(tmp_path):
    path = tmp_path / "library.sqlite"
    Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(UserError, match="later version"):
        Store(path)


@pytest.mark.parametrize(
    "made",
    [
        "CREATE TABLE items (x)",  # some other program's, which has an `items`, too
        "CREATE TABLE items (x); PRAGMA user_version = 1",
        "CREATE TABLE feedback (x); PRAGMA application_id = 77; PRAGMA user_version = 2",
    ],
)
def test_somebody_elses_file_is_refused_and_left_alone(tmp_path, made):
    path = tmp_path / "library.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(made)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"library\.sqlite is no library of likes; move it away"):
        Store(path)
    assert path.read_bytes() == before


def test_a_library_of_an_earlier_version_is_brought_up_to_date_with_its_likes(library, train):
    library.say("me", "x", True)
    library.connection.execute("PRAGMA application_id = 0")  # the first version did not sign its files
    library.connection.execute("PRAGMA user_version = 1")
    for _ in range(2):
        with Store(library.path) as again:
            assert again.said("me") == (["x"], [])
            assert len(again.catalogue("listen")) == train.n_items
            assert again.connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
            assert again.connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        Store(tmp_path / "file" / "library.sqlite")
    (tmp_path / "library.sqlite").mkdir()
    with pytest.raises(UserError, match="cannot be opened"):
        Store(tmp_path / "library.sqlite")
