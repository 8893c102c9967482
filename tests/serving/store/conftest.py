import pytest

from common.serving.store.catalogue import Sources, rows_of
from common.serving.store.store import Store
from common.splits.train_view import load_train_view

SOURCES = Sources("data", "split")


@pytest.fixture(scope="module")
def train(small_data):
    return load_train_view(small_data, "listen", "final")


@pytest.fixture
def store(tmp_path, train):
    with Store(tmp_path / "library.sqlite", patience=0.2) as made:
        made.data.build("listen", SOURCES, rows_of(train))
        yield made
