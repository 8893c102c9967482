"""The tables that features are made from."""

import numpy as np

from common.models.two_stage.feature_inputs import FeatureTables, feature_tables
from tests.models.two_stage.tiny_world import tiny


def test_tables_are_packed_without_loss():
    train = tiny("next")
    tables = feature_tables(train)
    again = FeatureTables.unpack(tables.pack())
    assert again.arrays.keys() == tables.arrays.keys()
    for name, array in tables.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
    for name, matrix in tables.matrices.items():
        np.testing.assert_array_equal(again.matrices[name].toarray(), matrix.toarray())
