"""A split in matrices is the one that tables of the same events give."""

import pandas as pd
import pytest

from common.splits.mapped.split import MappedSplit
from common.splits.store import load_split
from common.utils.errors import UserError


@pytest.mark.parametrize("part", ["train", "valid", "test", "negatives99"])
def test_parts_and_negatives_are_those_of_tables(matrices, tables, part):
    found, drawn = (getattr(load_split(data, "temporal"), part) for data in (matrices, tables))
    ids = dict.fromkeys(filter(lambda name: name.endswith("_id"), drawn), "str")
    pd.testing.assert_frame_equal(found.astype(ids), drawn.astype(ids))


def test_its_catalogue_and_counts_are_those_of_tables(matrices, tables):
    found, drawn = (load_split(data, "temporal") for data in (matrices, tables))
    assert isinstance(found, MappedSplit)
    assert found.catalogue().tolist() == drawn.catalogue().tolist()
    for key in ("users", "items", "rows", "protocol", "split_seed"):
        assert found.info[key] == drawn.info[key]


def test_held_out_repeats_are_no_part_of_the_tables(repeated):
    split = load_split(repeated, "temporal")
    whole = pd.concat([split.train, split.valid, split.test])
    assert not whole.duplicated(["user_id", "item_id"]).any()
    assert len(split.test) < split.info["rows"]["test"]


@pytest.mark.parametrize("protocol", ["listen", "next-s2", "newcomer"])
def test_other_protocols_are_refused(matrices, protocol):
    with pytest.raises(UserError, match="was cut in time when it was prepared; use --protocol temporal"):
        load_split(matrices, protocol)
