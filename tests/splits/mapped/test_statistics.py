"""Figures from the arrays are those from the tables."""

import numpy as np
import pandas as pd
import pytest

from common.splits.mapped.statistics import popularity, quantiles_of
from common.splits.statistics import describe, describe_split, popularity_of, quantiles
from common.splits.store import load_split


def test_a_data_set_is_described_as_its_tables_are(matrices, tables):
    found, expected = describe(matrices), describe(tables)
    assert found.pop("dataset") != expected.pop("dataset")
    assert found["with_content"] == {"genres": pytest.approx(expected["with_content"]["genres"])}
    for told in (found, expected):
        del told["with_content"], told["side_tables"]
    assert found == {key: pytest.approx(value) for key, value in expected.items()}


def test_a_split_is_described_as_its_tables_are(matrices, tables):
    found, expected = (describe_split(load_split(data, "temporal")) for data in (matrices, tables))
    assert found.pop("evaluated") == {"valid": {"users": 40, "of": 40}, "test": {"users": 39, "of": 39}}
    assert found.pop("split_sha256") != expected.pop("split_sha256")
    assert found == expected


def test_popularity_counts_every_part(matrices, tables):
    for found, expected in zip(popularity_of(matrices), popularity_of(tables), strict=True):
        assert sorted(found) == sorted(expected)
    assert popularity(matrices.matrix)[0].sum() == len(tables.tables.interactions)


def test_quantiles_of_counts_are_those_of_the_values():
    values = np.random.default_rng(0).integers(1, 50, 997)
    assert quantiles_of(*np.unique(values, return_counts=True)) == pytest.approx(quantiles(pd.Series(values)))
