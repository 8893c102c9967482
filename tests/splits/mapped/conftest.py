"""The same events as a folder of matrix form and as tables."""

import pytest

from common.data.dataset import Dataset, load_dataset
from tests.data.matrix_folders import events, with_repeats, write_matrix_folder
from tests.data.worlds import dataset


@pytest.fixture(scope="session")
def matrices(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("matrices")
    return load_dataset(str(write_matrix_folder(folder / "logs", events())), folder / "data")


@pytest.fixture(scope="session")
def tables(tmp_path_factory) -> Dataset:
    same = events()
    return dataset(tmp_path_factory.mktemp("tables"), same.interactions, items=same.items, users=same.users)


@pytest.fixture(scope="session")
def repeated(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("repeated")
    written = write_matrix_folder(folder / "logs", with_repeats(events()), repeats=True)
    return load_dataset(str(written), folder / "data")
