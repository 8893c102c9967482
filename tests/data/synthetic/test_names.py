"""Names of generated artists and tracks: distinct, whatever their number."""

import numpy as np
import pytest

from common.data.synthetic.names import ADJECTIVES, ARTISTS, NOUNS, TITLES, unique_names


@pytest.mark.parametrize("count", [0, 1, 500])
def test_names_are_distinct_and_follow_the_seed(count):
    names = unique_names(TITLES, count, np.random.default_rng(0))
    assert len(set(names)) == len(names) == count
    assert (unique_names(TITLES, count, np.random.default_rng(0)) == names).all()
    assert count < 2 or (unique_names(TITLES, count, np.random.default_rng(1)) != names).any()


def test_where_the_words_are_used_up_names_are_numbered():
    size = len(ADJECTIVES) * len(NOUNS)
    names = unique_names(["{a} {n}"], 2 * size, np.random.default_rng(0))
    assert len(set(names)) == 2 * size
    assert sum(", No. 2" in name for name in names) == size


def test_no_pattern_leaves_a_gap():
    assert all("{" not in name for name in unique_names(ARTISTS, 200, np.random.default_rng(0)))
