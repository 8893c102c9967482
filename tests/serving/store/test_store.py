import sqlite3

import pytest

from common.serving.store.catalogue import CatalogueTables
from common.serving.store.store import Store, open_store
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


def test_it_closes_its_file(tmp_path):
    with Store(tmp_path / "library.sqlite") as store:
        assert store.feedback.of("me") == ([], [])
    with pytest.raises(sqlite3.ProgrammingError):
        store.database.connection.execute("SELECT 1")
