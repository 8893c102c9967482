"""Interaction matrices as plain arrays on disk, written in blocks: they can be mapped, and exported for SciPy."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from scipy import sparse

from common.data.matrix_files import KINDS, Matrix, blocks_of
from common.utils.io import atomic

BLOCK = 4_000_000
"""Entries that are held at once."""


class MatrixWriter:
    """Writes the arrays of a matrix whose number of pairs is known, block after block.

    Written and not mapped: a full disk is an error then, and not the end of the process.
    """

    def __init__(self, folder: Path, pairs: int) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._files = [_begin(folder / f"{name}.npy", KINDS[name], pairs) for name in ("indices", "data", "first")]

    def add(self, items: np.ndarray, plays: np.ndarray, first: np.ndarray) -> None:
        """The next entries, in order."""
        for file, name, values in zip(self._files, ("indices", "data", "first"), (items, plays, first), strict=True):
            file.write(np.ascontiguousarray(values, KINDS[name]).data)

    def close(self, lengths: np.ndarray) -> None:
        """Write where rows begin, of their lengths int64 (users,)."""
        self.abandon()
        np.save(self.folder / "indptr.npy", np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    def abandon(self) -> None:
        """Close the files as they are."""
        for file in self._files:
            file.close()


def _begin(path: Path, kind: Any, length: int) -> BinaryIO:
    """A file that is to hold an array of one dimension, open behind its header."""
    file = path.open("wb")
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(kind)), "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(file, header)
    return file


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
    kind = np.dtype(np.int32 if max(int(indptr[-1]), *shape) < 2**31 else np.int64)
    counts = np.zeros(shape[0] + 1, np.int64)
    scratch = [path.with_name(f".{path.stem}-{name}") for name in ("indices", "data")]
    try:
        with scratch[0].open("wb") as indices, scratch[1].open("wb") as data:
            for rows in blocks_of(indptr, BLOCK):
                block = _sum([_block(matrix, rows, shape[1]) for matrix in matrices])
                indices.write(block.indices.astype(kind, copy=False).data)
                data.write(block.data.astype(np.float32, copy=False).data)
                counts[rows.start + 1 : rows.stop + 1] = np.diff(block.indptr)
        about = {"indptr": np.cumsum(counts).astype(kind), "format": np.array(b"csr"), "shape": np.array(shape)}
        with atomic(path) as temporary:
            arrays = {"indices": _mapped(scratch[0], kind), "data": _mapped(scratch[1], np.dtype(np.float32))}
            np.savez(temporary, allow_pickle=False, **arrays, **about, _is_array=np.array(True))
    finally:
        for file in scratch:
            file.unlink(missing_ok=True)
    return int(counts.sum())


def _sum(blocks: Sequence[sparse.csr_array]) -> sparse.csr_array:
    total = sum(blocks[1:], blocks[0])
    total.sort_indices()
    return total


def _mapped(path: Path, kind: np.dtype) -> np.ndarray:
    """The values in a file of nothing else."""
    return np.memmap(path, kind, "r") if path.stat().st_size else np.empty(0, kind)
