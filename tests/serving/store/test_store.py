import sqlite3
from pathlib import Path

import pytest

from common.serving.store.catalogue import CatalogueTables
from common.serving.store.sqlite import SQLiteFile
from common.serving.store.store import Store, open_store, place_of
from common.utils.errors import UserError
from tests.conftest import SMALL


def test_it_is_built_on_first_use_and_again_when_the_data_change(small_data_dir, small_data, tmp_path, monkeypatch):
    arguments = ("synthetic", "listen", small_data_dir, tmp_path)
    open_store(*arguments, SMALL).close()
    made = []
    monkeypatch.setattr(CatalogueTables, "build", lambda *_: made.append(1))
    open_store(*arguments, SMALL).close()
    assert not made, "it was there"
    with sqlite3.connect(tmp_path / small_data.name / "library.sqlite") as connection:
        connection.execute("UPDATE protocols SET data_sha256 = 'old'")
    connection.close()
    open_store(*arguments, SMALL).close()
    assert made, "made from older data"


def test_a_server_keeps_data_sets_apart(small_data_dir, small_data, tmp_path, postgres_server):
    url = postgres_server.url()
    with open_store("synthetic", "listen", small_data_dir, tmp_path, SMALL, url) as store:
        store.feedback.add("me", "x", True)
        assert len(store.data.catalogue("listen")) == len(small_data.tables.items)
    with Store(place_of(url, tmp_path, "another")) as other:
        assert other.feedback.of("me") == ([], [])
        assert len(other.data.catalogue("listen")) == 0
    with Store(place_of(url, tmp_path, small_data.name)) as again:
        assert again.feedback.of("me") == (["x"], [])
    assert not any(tmp_path.iterdir()), "no file is made"


def test_without_an_address_it_is_a_file(tmp_path):
    assert place_of("", tmp_path, "toy") == SQLiteFile(tmp_path / "toy/library.sqlite")
    with pytest.raises(UserError, match="--store"):
        place_of("library.sqlite", tmp_path, "toy")


def test_it_closes_its_file(tmp_path):
    path = tmp_path / "library.sqlite"

    def is_open() -> bool:
        return any(one.is_symlink() and one.resolve() == path for one in Path("/proc/self/fd").iterdir())

    with Store(path) as store:
        assert store.feedback.of("me") == ([], [])
        assert is_open()
    assert not is_open()
