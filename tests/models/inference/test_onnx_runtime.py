"""Histories as graphs take them, and what is said where the libraries are missing."""

import builtins

import numpy as np
import pytest

from common.models.inference.onnx_graph import onnx
from common.models.inference.onnx_runtime import AT_ONCE, in_blocks, padded, runtime
from common.splits.histories import Histories
from common.utils.errors import UserError

HISTORIES = Histories.from_lists([[3, 1, 2], [], [4]], 5)


def test_histories_stand_at_the_right():
    assert padded(HISTORIES).tolist() == [[3, 1, 2], [-1, -1, -1], [-1, -1, 4]]
    assert padded(HISTORIES, most=2).tolist() == [[1, 2], [-1, -1], [-1, 4]]
    assert padded(Histories.from_lists([[]], 5)).tolist() == [[-1]]


def test_blocks_are_put_together_in_order():
    many = Histories.from_lists([[row % 5] for row in range(AT_ONCE + 3)], 5)
    found = in_blocks(many, None, lambda cells, rows: np.stack([cells[:, 0], rows % 5], axis=1))
    assert len(found) == AT_ONCE + 3
    assert (found[:, 0] == found[:, 1]).all()


def test_what_is_missing_is_told_with_the_remedy(monkeypatch):
    found = builtins.__import__

    def without(name, *more):
        if name.startswith("onnx"):
            raise ImportError(name)
        return found(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    for library in (onnx, runtime):
        with pytest.raises(UserError, match=r"install it: python -m pip install -r requirements-export\.txt"):
            library()
