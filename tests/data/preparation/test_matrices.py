from typing import Any

import numpy as np
import pytest
from scipy import sparse

from common.data.matrix_files import blocks_of, open_matrix
from common.data.preparation import matrices
from common.data.preparation.matrices import MatrixWriter, export_npz


def write(folder, rows, n_blocks=2):
    """A matrix of rows, each a list of (item, plays, first)."""
    entries = np.array([entry for row in rows for entry in row]).reshape(-1, 3)
    writer = MatrixWriter(folder, len(entries))
    for block in np.array_split(entries, n_blocks):
        writer.add(*block.T)
    writer.close(np.array([len(row) for row in rows]))
    return open_matrix(folder)


TRAIN = [[(2, 1, 5), (0, 4, 6)], [], [(1, 2, 7)]]
TEST = [[(1, 1, 8), (0, 3, 9)], [(3, 1, 9)], [], [(0, 2, 9)]]


def test_a_matrix_is_mapped_as_it_was_written(tmp_path):
    found = write(tmp_path / "train", TRAIN)
    assert [array.tolist() for array in found] == [[0, 2, 2, 3], [2, 0, 1], [1, 4, 2], [5, 6, 7]]
    assert isinstance(found.indices.base, np.memmap)


def test_an_empty_matrix(tmp_path):
    found = write(tmp_path / "train", [[], []])
    assert [array.tolist() for array in found] == [[0, 0, 0], [], [], []]


@pytest.mark.parametrize("block", [1, 2, 100])
def test_exports_are_sums_over_all_rows_and_items(tmp_path, monkeypatch, block):
    monkeypatch.setattr(matrices, "BLOCK", block)
    monkeypatch.setattr(matrices, "BLOCK", block)
    found = [write(tmp_path / "train", TRAIN), write(tmp_path / "test", TEST)]
    assert export_npz(tmp_path / "all.npz", found, (4, 5)) == 6
    whole: Any = sparse.load_npz(tmp_path / "all.npz")
    assert whole.toarray().tolist() == [[7, 1, 1, 0, 0], [0, 0, 0, 1, 0], [0, 2, 0, 0, 0], [2, 0, 0, 0, 0]]
    assert whole.has_canonical_format
    assert (whole.dtype, whole.indices.dtype) == (np.float32, np.int32)
    assert {path.name for path in tmp_path.iterdir()} == {"train", "test", "all.npz"}


def test_an_export_without_entries(tmp_path):
    assert export_npz(tmp_path / "a.npz", [write(tmp_path / "train", [[], []])], (3, 2)) == 0
    assert sparse.load_npz(tmp_path / "a.npz").toarray().tolist() == [[0, 0]] * 3


@pytest.mark.parametrize(
    ("lengths", "most", "expected"),
    [([2, 2, 2], 4, [(0, 2), (2, 3)]), ([9, 1, 1], 4, [(0, 1), (1, 3)]), ([0, 0], 4, [(0, 2)]), ([], 4, [])],
)
def test_blocks_hold_whole_rows(lengths, most, expected):
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(int)
    assert [(rows.start, rows.stop) for rows in blocks_of(indptr, most)] == expected


def test_a_failed_export_leaves_nothing(tmp_path, monkeypatch):
    found = [write(tmp_path / "train", TRAIN)]

    def fail(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(Exception, match="No space left on device"):
        export_npz(tmp_path / "a.npz", found, (3, 3))
    assert {path.name for path in tmp_path.iterdir()} == {"train"}
