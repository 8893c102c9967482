"""Ids as numbers: codes, stacked tables and pairs, against their plain definitions."""

import numpy as np
import pandas as pd
import pytest

from common.data.ids import PAIR, among_pairs, codes_of, pair_keys, sorted_ids, stack

RNG = np.random.default_rng(0)


def table(rows: int, categorical: bool) -> pd.DataFrame:
    frame = pd.DataFrame(RNG.choice(list("abcdefg"), (rows, 2)), columns=PAIR)
    return frame.astype("category") if categorical else frame


@pytest.mark.parametrize("categorical", [False, True])
def test_codes_are_places_in_the_index_and_unknown_ids_have_none(categorical):
    ids = table(50, categorical)["user_id"]
    index = pd.Index(["g", "a", "c"])
    expected = [list(index).index(value) if value in index else -1 for value in ids]
    assert codes_of(ids, index).tolist() == expected
    assert codes_of(ids.iloc[:0], index).tolist() == []
    assert codes_of(pd.Series([None, "a"], dtype=object), index).tolist() == [-1, 1]


@pytest.mark.parametrize("categorical", [False, True])
def test_pairs_are_found_as_tuples_are(categorical):
    rows, pairs = table(40, categorical), table(12, False)
    known = set(pairs.itertuples(index=False, name=None))
    assert among_pairs(rows, pairs).tolist() == [pair in known for pair in rows.itertuples(index=False, name=None)]


def test_keys_tell_pairs_apart_and_nothing_else():
    rows = table(60, categorical=True)
    assert pd.Series(pair_keys(rows)).duplicated().equals(rows.duplicated())


def test_stacked_categoricals_share_their_categories_and_other_columns_stay_text():
    parts = [table(5, categorical=True), table(7, categorical=True)]
    stacked = stack(parts)
    assert stacked.astype(str).equals(pd.concat([part.astype(str) for part in parts]))
    assert isinstance(stacked["user_id"].dtype, pd.CategoricalDtype)
    mixed = stack([parts[0], parts[1].astype(str)])
    assert not isinstance(mixed["user_id"].dtype, pd.CategoricalDtype)
    assert sorted_ids(stacked["item_id"]).tolist() == sorted({*parts[0]["item_id"], *parts[1]["item_id"]})
