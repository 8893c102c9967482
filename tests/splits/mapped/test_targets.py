"""What is held out of matrices is what is held out of tables; repeats are a holdout of their own."""

from typing import Any

import numpy as np
import pytest

from common.splits.holdout import make_holdout
from common.splits.mapped import drawing
from common.splits.negatives import NOT_DRAWN
from common.splits.store import load_split
from common.splits.train_view import load_train_view


def holdout_of(data, phase, folder="temporal") -> Any:
    return make_holdout(load_split(data, folder), load_train_view(data, folder, phase))


@pytest.mark.parametrize("phase", ["select", "final"])
def test_it_is_that_of_tables(matrices, tables, phase):
    found, expected = (holdout_of(data, phase) for data in (matrices, tables))
    for name in ("users", "codes", "target_rows", "target_items", "target_weights", "negatives"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    assert np.array_equal(found.given.items, expected.given.items)
    assert (found.part, found.masked, found.repeats) == (expected.part, True, None)


def test_targets_without_negatives_are_marked(matrices, monkeypatch):
    monkeypatch.setattr(drawing, "MOST_PAIRS", 30)
    found = holdout_of(matrices, "final", "temporal-s7")
    drawn = found.negatives[:, 0] != NOT_DRAWN
    assert 0 < drawn.sum() < 30
    assert (found.negatives[~drawn] == NOT_DRAWN).all()


@pytest.mark.parametrize("phase", ["select", "final"])
def test_repeats_are_held_out_beside_what_is_new(repeated, phase):
    new = holdout_of(repeated, phase)
    whole = new.repeats
    assert not whole.masked
    assert whole.repeats is None
    part = repeated.matrix.part(new.part)
    assert len(whole.target_rows) == part.n_pairs > len(new.target_rows) > 0

    def pairs(asked):
        return set(zip(asked.users[asked.target_rows], asked.target_items, strict=True))

    def known(asked):
        return set(zip(asked.users[asked.given.rows], asked.given.items, strict=True))

    assert pairs(new) == pairs(whole) - known(whole)
    assert not pairs(new) & known(new)
