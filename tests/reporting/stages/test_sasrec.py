"""Accuracy by length of the history, and the attention that stage 4 draws."""

from typing import Any

import numpy as np
import pytest

from common.reporting.stages import sasrec

STAGE: Any = sasrec
"""Its figures are named and not drawn here."""


@pytest.fixture
def exp(undrawn):
    return undrawn("4_sasrec")


def test_users_of_all_rows_are_grouped_by_their_visible_history(exp):
    name, (tables,), named = STAGE.accuracy_by_length(exp, exp.all_rows())
    assert (name, named["part"]) == ("sasrec_by_length", "test")
    assert set(tables) == {"random", "popularity", "item_knn"}
    lengths = STAGE.lengths_of(exp.shown)
    assert lengths.sum() == len(exp.shown.interactions)
    for table in tables.values():
        assert table.index.is_monotonic_increasing
        assert lengths.min() <= table.index.min()
        assert table.index.max() <= lengths.max()


def test_attention_is_drawn_over_the_names_of_a_users_items(exp):
    class Network:
        def attention(self, history):
            return history.items, np.full((1, 1, len(history.items)), 1 / len(history.items))

    user = str(exp.shown.users["user_id"].iloc[2])
    name, (names, weights), named = STAGE.attention_of(exp, Network(), user)
    assert (name, named) == ("sasrec_attention", {"note": f"user {user}"})
    own = exp.shown.histories.take(np.array([2])).items
    assert names == exp.shown.names[own].tolist()
    assert weights.shape == (1, 1, len(own))
