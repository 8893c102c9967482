import ast
import sqlite3
import time

import pytest

from common.serving.store.schema import APPLICATION, VERSION
from common.serving.store.store import Store
from common.utils.errors import UserError
from tests.conftest import ROOT


def test_a_locked_library_is_waited_for_then_named(store):
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    start = time.perf_counter()
    with pytest.raises(UserError, match="in use by another process"):
        store.feedback.add("me", "x", True)
    assert time.perf_counter() - start >= 0.15
    other.execute("ROLLBACK")
    other.close()
    store.feedback.add("me", "x", True)


def test_a_library_that_cannot_be_written_to_is_still_read(store, train):
    store.database.connection.execute("PRAGMA query_only = 1")
    assert store.data.popularity("listen", "2031-01-01")
    with pytest.raises(UserError, match="cannot be written"):
        store.feedback.add("me", "x", True)


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


@pytest.mark.parametrize("version", [1, 2])
def test_a_library_of_an_earlier_version_is_brought_up_to_date_with_its_likes(store, train, version):
    store.feedback.add("me", "x", True)
    for table in ("impressions", "impression_items", "clicks"):  # since version 3
        store.database.connection.execute(f"DROP TABLE {table}")
    if version == 1:  # the first version did not sign its files
        store.database.connection.execute("PRAGMA application_id = 0")
    store.database.connection.execute(f"PRAGMA user_version = {version}")
    for number in range(2):
        with Store(store.path) as again:
            assert again.feedback.of("me") == (["x"], [])
            assert len(again.data.catalogue("listen")) == train.n_items
            assert again.database.connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
            assert again.database.connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
            again.impressions.add_impression(f"r{number}", "listen", ("als", "ease"), [("x", "als")])
            assert again.impressions.experiments("listen") == {("als", "ease"): number + 1}


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        Store(tmp_path / "file" / "library.sqlite")
    (tmp_path / "library.sqlite").mkdir()
    with pytest.raises(UserError, match="cannot be opened"):
        Store(tmp_path / "library.sqlite")


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
    assert knowing == {f"common/serving/store/{name}.py" for name in ("schema", "catalogue", "feedback", "impressions")}
