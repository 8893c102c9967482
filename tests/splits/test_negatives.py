"""The 99 sampled negatives: distinct, uniform and outside all that the user has."""

import numpy as np
import pytest

from common.data.ids import PAIR
from common.splits.negatives import sample_outside
from common.splits.protocols import PROTOCOLS, draw_split
from tests.data.worlds import dataset, rich_tables, sized
from tests.splits.drawn import as_pairs


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_hidden_pair_has_distinct_negatives_outside_all_that_the_user_has(tmp_path, protocol):
    data = dataset(tmp_path, rich_tables(40, 160).interactions)
    split = draw_split(data, protocol)
    hidden = as_pairs(split.valid) | as_pairs(split.test)
    owned = as_pairs(data.tables.interactions)
    assert as_pairs(split.negatives99) == hidden
    assert not split.negatives99.duplicated().any()
    assert not as_pairs(split.negatives99[["user_id", "negative_id"]].set_axis(PAIR, axis=1)) & owned
    assert split.negatives99.groupby(PAIR, observed=True).size().eq(99).all()


def test_a_small_catalogue_gives_as_many_negatives_as_there_are(tmp_path):
    split = draw_split(dataset(tmp_path, sized({"a": 10, "b": 30}, 30)), "listen")
    sizes = split.negatives99.groupby("user_id", observed=True).size()
    assert sizes.to_dict() == {"a": 20 * 3}, "b has the whole catalogue and so no negatives"


def test_negatives_are_uniform():
    n_items, rows = 300, 2000
    owned = np.arange(10)
    drawn = sample_outside(np.zeros(rows, int), owned, np.full(rows, 99), n_items, np.random.default_rng(0))
    counts = np.bincount(drawn.ravel(), minlength=n_items)
    assert counts[:10].sum() == 0
    p = 99 / 290
    chi_square = ((counts[10:] - rows * p) ** 2 / (rows * p * (1 - p))).sum()
    assert 150 < chi_square < 440, "289 degrees of freedom, six standard deviations either way"
