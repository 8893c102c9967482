"""A split's hash: the same for the same draw."""

import numpy as np
import pytest

from common.splits.protocols import PROTOCOLS, draw_split
from tests.data.worlds import dataset, rich_tables
from tests.splits.drawn import as_pairs, hash_of


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_draw_does_not_depend_on_the_order_of_rows(tmp_path, protocol):
    tables = rich_tables()
    rows = tables.interactions
    # `next` breaks ties by file order and by nothing else, so times must differ there.
    rows["timestamp"] = np.random.default_rng(3).permutation(len(rows)) if protocol == "next" else rows["timestamp"]
    mixed = rows.sample(frac=1, random_state=5, ignore_index=True)
    first, second = (
        draw_split(dataset(tmp_path / name, frame), protocol) for name, frame in [("a", rows), ("b", mixed)]
    )
    assert hash_of(first) == hash_of(second)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_same_seed_gives_the_same_split_and_another_seed_another(world, protocol):
    again, other = draw_split(world, protocol), draw_split(world, protocol, 1)
    assert hash_of(draw_split(world, protocol)) == hash_of(again) != hash_of(other)
    fixed = protocol in ("next", "temporal")  # only the negatives are drawn there
    assert (as_pairs(again.test) == as_pairs(other.test)) is fixed
