import ast
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from common.serving.store import migrations
from common.serving.store.database import REVISIONS, Database
from common.serving.store.store import Store
from common.serving.store.tables import TABLES
from common.utils.errors import UserError
from tests.conftest import ROOT

STEPS = ("migrations/r0002_words",)


def test_migrations_make_the_tables_that_are_asked(empty_store):
    with empty_store.database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), TABLES) == []


def test_the_revisions_are_those_of_the_migrations():
    (folder,) = migrations.__path__
    known = [script.revision for script in ScriptDirectory(folder, version_locations=[folder]).walk_revisions()]
    assert known[::-1] == list(REVISIONS)


def test_a_store_of_a_later_version_is_refused_and_left_alone(place):
    with Store(place) as store, store.database.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0099'"))
    for _ in range(2):
        with pytest.raises(UserError, match="was made by a later version; update"):
            Store(place)


def test_a_transaction_is_kept_as_a_whole_or_not_at_all(empty_store):
    insert = text("INSERT INTO protocols VALUES ('listen', 'a', 'b')")
    with pytest.raises(UserError), empty_store.database.transaction() as connection:
        connection.execute(insert)
        connection.execute(insert)
    assert empty_store.database.all(text("SELECT * FROM protocols")) == []
    with empty_store.database.transaction() as connection:
        connection.execute(insert)
    assert empty_store.database.one(text("SELECT data_sha256 FROM protocols")) == "a"
    assert empty_store.database.one(text("SELECT data_sha256 FROM protocols WHERE protocol = 'next'")) is None


def test_several_open_an_empty_store_at_once(place):
    made, start = [], threading.Barrier(4)

    def open_one() -> None:
        start.wait()
        database = Database(place)
        made.append(database.one(text("SELECT version_num FROM alembic_version")))
        database.close()

    threads = [threading.Thread(target=open_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert made == [REVISIONS[-1]] * 4


def test_a_migration_that_fails_leaves_what_was_there(place, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError("no more")

    monkeypatch.setattr("alembic.op.create_table", fail)
    with pytest.raises(OSError, match="no more"):
        Store(place)
    monkeypatch.undo()
    with Store(place) as store:
        store.feedback.add("me", "x", True)
        assert store.feedback.of("me") == (["x"], [])


def test_only_the_store_knows_sql():
    """No other module imports sqlite3 or holds a string that is a statement of SQL."""
    words = ("SELECT ", "INSERT INTO ", "DELETE FROM ", "CREATE TABLE", "PRAGMA ")
    knowing = set()
    for path in [*(ROOT / "common").rglob("*.py"), *ROOT.glob("*.py")]:
        source = path.read_text(encoding="utf-8")
        nodes = ast.walk(ast.parse(source))
        strings = [node.value.strip() for node in nodes if isinstance(node, ast.Constant) and type(node.value) is str]
        if "import sqlite3" in source or any(text.startswith(words) for text in strings):
            knowing.add(path.relative_to(ROOT).as_posix())
    assert knowing == {f"common/serving/store/{name}.py" for name in ("sqlite", "postgres", "database", *STEPS)}
