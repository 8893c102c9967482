"""The generated data set in its usual size, made once."""

import pytest

from common.data.synthetic.generator import generate
from common.data.synthetic.settings import SyntheticSettings
from common.data.tables import Tables


@pytest.fixture(scope="session")
def tables() -> Tables:
    return generate(SyntheticSettings())
