"""A small data set with every kind of table."""

import pytest

from common.data.dataset import Dataset
from tests.data.worlds import rich


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Dataset:
    return rich(tmp_path_factory.mktemp("world"))
