"""Interaction matrices as plain arrays on disk, written in blocks: they can be mapped, and exported for SciPy."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from common.utils.io import atomic

KINDS = {"indptr": np.int64, "indices": np.int32, "data": np.float32, "first": np.int64}
"""The arrays of a matrix: where each user's row begins, items, plays, and seconds of the first play."""
BLOCK = 4_000_000
"""Entries that are held at once."""


class Matrix(NamedTuple):
    """A matrix of users x items in rows of users; within a row the items stand in the order of `first`.

    Shapes: indptr int64 (users + 1,), indices int32, data float32 and first int64 (pairs,), mapped from disk.
    """

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray
    first: np.ndarray


class MatrixWriter:
    """Writes the arrays of a matrix whose number of pairs is known, block after block."""

    def __init__(self, folder: Path, pairs: int) -> None:
        folder.mkdir(parents=True)
        self.folder, self.at = folder, 0
        self._arrays: dict[str, Any] = {
            name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", KINDS[name], (pairs,)) if pairs else None
            for name in ("indices", "data", "first")
        }
        if not pairs:
            for name in self._arrays:
                np.save(folder / f"{name}.npy", np.empty(0, KINDS[name]))

    def add(self, items: np.ndarray, plays: np.ndarray, first: np.ndarray) -> None:
        """The next entries, in order."""
        place = slice(self.at, self.at + len(items))
        for name, values in (("indices", items), ("data", plays), ("first", first)):
            if len(items):
                self._arrays[name][place] = values
        self.at += len(items)

    def close(self, lengths: np.ndarray) -> None:
        """Write where rows begin, of their lengths int64 (users,)."""
        for array in self._arrays.values():
            if array is not None:
                array.flush()
        self._arrays = {}
        np.save(self.folder / "indptr.npy", np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))


def open_matrix(folder: Path) -> Matrix:
    """The arrays of a folder, mapped: nothing is read before it is used."""
    return Matrix(*(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in Matrix._fields))


def blocks_of(indptr: np.ndarray, most: int = BLOCK) -> Iterator[slice]:
    """Ranges of rows of about `most` entries, at least one row each."""
    start, rows = 0, len(indptr) - 1
    while start < rows:
        end = int(np.searchsorted(indptr, indptr[start] + most, side="right")) - 1
        end = min(max(end, start + 1), rows)
        yield slice(start, end)
        start = end


def _block(matrix: Matrix, rows: slice, n_items: int) -> sparse.csr_array:
    """Some rows, those that the matrix lacks empty, indices sorted."""
    indptr = np.minimum(np.arange(rows.start, rows.stop + 1), len(matrix.indptr) - 1)
    starts = np.asarray(matrix.indptr[indptr])
    part = slice(starts[0], starts[-1])
    arrays = np.array(matrix.data[part]), np.array(matrix.indices[part]), starts - starts[0]
    block = sparse.csr_array(arrays, shape=(rows.stop - rows.start, n_items))
    block.sort_indices()
    return block


def export_npz(path: Path, matrices: Sequence[Matrix], shape: tuple[int, int]) -> int:
    """Write the sum of some matrices as `scipy.sparse.load_npz` reads it, in blocks; returns its number of entries."""
    lengths = sum(np.pad(np.diff(matrix.indptr), (0, shape[0] + 1 - len(matrix.indptr))) for matrix in matrices)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    entries = int(indptr[-1])
    kind = np.int32 if max(entries, *shape) < 2**31 else np.int64
    counts = np.zeros(shape[0] + 1, np.int64)
    scratch = [path.with_name(f".{path.stem}-{name}.npy") for name in ("indices", "data")]
    try:
        indices, data = (
            np.lib.format.open_memmap(file, "w+", dtype, (max(entries, 1),))
            for file, dtype in zip(scratch, (kind, np.float32), strict=True)
        )
        at = 0
        for rows in blocks_of(indptr):
            block = sum(
                (_block(matrix, rows, shape[1]) for matrix in matrices[1:]), _block(matrices[0], rows, shape[1])
            )
            block.sort_indices()
            indices[at : at + block.nnz], data[at : at + block.nnz] = block.indices, block.data
            counts[rows.start + 1 : rows.stop + 1] = np.diff(block.indptr)
            at += block.nnz
        with atomic(path) as temporary:
            np.savez(
                temporary,
                allow_pickle=False,
                **{"indices": indices[:at], "indptr": np.cumsum(counts).astype(kind), "format": np.array(b"csr")},
                **{"shape": np.array(shape), "data": data[:at], "_is_array": np.array(True)},
            )
        del indices, data
    finally:
        for file in scratch:
            file.unlink(missing_ok=True)
    return at
