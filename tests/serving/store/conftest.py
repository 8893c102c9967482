import uuid

import pytest

from common.serving.store.catalogue import Sources, rows_of
from common.serving.store.postgres import PostgresServer
from common.serving.store.sqlite import SQLiteFile
from common.serving.store.store import Store
from common.splits.train_view import load_train_view

SOURCES = Sources("data", "split")


@pytest.fixture(scope="module")
def train(small_data):
    return load_train_view(small_data, "listen", "final")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """Where nothing is yet, in each database."""
    if request.param == "sqlite":
        return SQLiteFile(tmp_path / "library.sqlite")
    return PostgresServer.parse(request.getfixturevalue("postgres_server").url(), f'"x%s" {uuid.uuid4()}')


@pytest.fixture
def empty_store(place):
    with Store(place, patience=0.2) as made:
        yield made


@pytest.fixture
def store(empty_store, train):
    """A store with the small data, in each database."""
    empty_store.data.build("listen", SOURCES, rows_of(train))
    return empty_store


@pytest.fixture
def file_store(tmp_path, train):
    """The same in a file of SQLite."""
    with Store(tmp_path / "library.sqlite", patience=0.2) as made:
        made.data.build("listen", SOURCES, rows_of(train))
        yield made
