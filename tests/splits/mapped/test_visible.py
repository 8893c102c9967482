"""A train view of matrices is the one of tables, with its arrays left where they are."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.splits.mapped import visible as module
from common.splits.mapped.visible import StoredInteractions, some_rows, visible
from common.splits.train_view import load_train_view
from common.utils.errors import UserError


@pytest.mark.parametrize("phase", ["select", "final"])
def test_codes_arrays_and_tables_are_those_of_tables(matrices, tables, phase):
    views: list[Any] = [load_train_view(data, "temporal", phase) for data in (matrices, tables)]
    found, expected = views
    for name in ("indptr", "items", "weights", "timestamps"):
        of_matrix, of_table = getattr(found.histories, name), getattr(expected.histories, name)
        assert of_matrix.dtype == of_table.dtype
        assert np.array_equal(of_matrix, of_table)
    assert np.array_equal(found.counts, expected.counts)
    assert found.catalogue_sha256 == expected.catalogue_sha256
    assert found.users["user_id"].tolist() == expected.users["user_id"].tolist()
    ours, theirs = (view.items.astype({"item_id": object}) for view in (found, expected))
    pd.testing.assert_frame_equal(ours, theirs[list(ours)], check_dtype=False)
    pd.testing.assert_frame_equal(found.interactions.frame(), expected.interactions, check_dtype=False)
    assert (found.matrix.toarray() == expected.matrix.toarray()).all()


def test_arrays_are_mapped_and_read_only(matrices):
    for phase in ("select", "final"):
        histories = load_train_view(matrices, "temporal", phase).histories
        assert isinstance(histories.items.base, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            histories.weights[0] = 2


def test_users_without_visible_pairs_have_no_code(tmp_path):
    from common.data.matrix_files import Matrix

    arrays = (np.arange(3, dtype=kind) for kind in (np.int32, np.float32, np.int64))
    users, histories = visible(Matrix(np.array([0, 0, 2, 2, 3, 3]), *arrays), 9)
    assert users.tolist() == [1, 3]
    assert [history.tolist() for history in (histories[0], histories[1])] == [[0, 1], [2]]


def test_the_table_is_made_only_when_asked_for_and_refused_where_too_large(matrices, monkeypatch):
    train: Any = load_train_view(matrices, "temporal", "select")
    monkeypatch.setattr(module, "ROW_BYTES", 10**12)
    assert len(train.interactions) == len(train.histories.items)
    assert "timestamp" in train.interactions
    assert "rating" not in train.interactions
    with pytest.raises(UserError, match=r"a table of all interactions needs about .*; read the arrays"):
        train.interactions["user"]
    monkeypatch.undo()
    rows = StoredInteractions(train.histories)
    assert rows[["user", "item"]].drop_duplicates().shape == (len(rows), 2)
    assert rows.groupby("user").size().tolist() == train.histories.lengths.tolist()


def test_some_rows_are_rows_of_the_table_in_their_order(matrices):
    train: Any = load_train_view(matrices, "temporal", "select")
    whole = train.interactions.frame()
    pd.testing.assert_frame_equal(some_rows(train.stored, len(whole)), whole)
    some = some_rows(train.stored, 100)
    assert 50 < len(some) <= 100
    both = some.merge(whole.reset_index(), on=list(whole))
    assert len(both) == len(some) and both["index"].is_monotonic_increasing
