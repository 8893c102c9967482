"""Candidates of cheap sources."""

import numpy as np

from common.models.two_stage.candidates import (
    largest,
)
from common.splits.histories import Query
from tests.models.two_stage.tiny_world import generator_of, tiny


def test_the_largest_are_found_whatever_the_size_and_the_ties():
    rng = np.random.default_rng(0)
    for n in (5, 40, 3000):
        for kinds in (3, 10**6):
            scores = rng.integers(0, kinds, (30, n)).astype(np.float32)
            for k in (1, 4, 100):
                wanted = np.zeros(scores.shape, bool)
                np.put_along_axis(wanted, np.argsort(-scores, axis=1, kind="stable")[:, :k], True, axis=1)
                np.testing.assert_array_equal(largest(scores, k), wanted)
    lonely = np.zeros((2, 3000), np.float32)
    lonely[:, 1] = 1  # the sample misses it, so that its bound is 0 for all
    assert largest(lonely, 1)[:, 1].all()


def test_blocks_are_as_large_as_memory_allows(monkeypatch):
    train = tiny()
    generator = generator_of(train)
    assert [len(rows) for rows in generator.blocks(Query(np.arange(3), train.histories))] == [3]
    monkeypatch.setattr("common.models.two_stage.candidates.BLOCK_BYTES", 1)
    assert [len(rows) for rows in generator.blocks(Query(np.arange(3), train.histories))] == [1, 1, 1]
