"""What the tests of this folder share."""

import pytest

from tests.models.contract_tests import block_visible
from tests.models.neural.two_tower.test_model import make


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return block_visible(tmp_path_factory.mktemp("blocks"))


@pytest.fixture(scope="module")
def fitted(train):
    return make().fit(train)
