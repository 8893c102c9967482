import sqlite3
import time

import pytest
from sqlalchemy import text

from common.serving.store.sqlite import VERSION
from common.serving.store.store import Store
from common.utils.errors import UserError


def test_a_locked_library_is_waited_for_then_named(file_store):
    other = sqlite3.connect(file_store.database.place.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    start = time.perf_counter()
    with pytest.raises(UserError, match="in use by another process"):
        file_store.feedback.add("me", "x", True)
    assert time.perf_counter() - start >= 0.15
    other.execute("ROLLBACK")
    other.close()
    file_store.feedback.add("me", "x", True)


def test_a_library_that_cannot_be_written_to_is_still_read(file_store):
    with file_store.database.engine.connect() as connection:  # the only one of the pool
        connection.execute(text("PRAGMA query_only = 1"))
    assert file_store.data.popularity("listen", "2031-01-01")
    with pytest.raises(UserError, match="cannot be written"):
        file_store.feedback.add("me", "x", True)


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
    with pytest.raises(UserError, match=r"library\.sqlite is another program's file; move it away"):
        Store(path)
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        Store(tmp_path / "file" / "library.sqlite")
    (tmp_path / "library.sqlite").mkdir()
    with pytest.raises(UserError, match="cannot be opened"):
        Store(tmp_path / "library.sqlite")


def test_a_transaction_is_on_disk_when_it_returns(file_store):
    assert file_store.database.one(text("PRAGMA synchronous")) == 2, "full"
    assert file_store.database.one(text("PRAGMA journal_mode")) == "wal"
    assert file_store.database.one(text("PRAGMA user_version")) == VERSION
