"""Listeners of each item, as the local model counts them."""

import pytest

from common.models.on_spark.popularity import listeners
from tests.spark import needs_spark, on_threads

pytestmark = [pytest.mark.thorough, needs_spark]


def test_listeners_are_counted():
    with on_threads() as spark:
        pairs = spark.createDataFrame([(0, 5), (1, 5), (1, 7)], "user int, item int")
        assert {row.item: row.listeners for row in listeners(pairs).collect()} == {5: 2, 7: 1}
