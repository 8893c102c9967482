"""Nothing but a row of whole numbers comes to the driver."""

from types import SimpleNamespace

import pytest

from common.cluster.counts import counts


def frame(*rows):
    found = [SimpleNamespace(asDict=lambda row=row: row) for row in rows]
    return SimpleNamespace(limit=lambda most: SimpleNamespace(collect=lambda: found[:most]))


def test_counts_and_empty_sums():
    assert counts(frame({"rows": 3, "plays": None})) == {"rows": 3, "plays": 0}


@pytest.mark.parametrize("rows", [[{"rows": 1}, {"rows": 2}], [{"user_id": "anna"}], [{"ndcg": 0.5}], []])
def test_anything_else_is_refused(rows):
    with pytest.raises(AssertionError):
        counts(frame(*rows))
