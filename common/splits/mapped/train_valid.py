"""Train and valid of a folder of matrix form as one matrix, which models of phase `final` are fitted on.

It is merged once, some users at a time, and kept beside the split.
"""

import logging
from pathlib import Path

import numpy as np

from common.data.matrix_files import KINDS, Matrix, open_matrix
from common.data.preparation.matrices import MatrixWriter
from common.utils.errors import UserError
from common.utils.io import free_bytes, read_json, write_json
from common.utils.manifests import entries, fault
from common.utils.memory import block_bytes, readable
from common.utils.temporary import swapped_in

NAME, NOTE = "train_valid", "made.json"
PAIR_BYTES = 200
"""Memory that a pair takes while it is merged."""
log = logging.getLogger(__name__)


def train_valid(train: Matrix, valid: Matrix, folder: Path, data_sha256: str, n_items: int) -> Matrix:
    """Each user's pairs of train, then those of valid, mapped; made in `folder` first where they are missing.

    A pair of both keeps its place and time in train, and its plays are added up.
    """
    if not _is_there(folder / NAME, data_sha256):
        log.info("train and valid are merged into %s", folder / NAME)
        with swapped_in(folder) as fresh:
            _merge(train, valid, fresh / NAME, n_items)
            files = entries(fresh / NAME, (f"{name}.npy" for name in KINDS))
            write_json(fresh / NAME / NOTE, {"data_sha256": data_sha256, "files": files})
    return open_matrix(folder / NAME)


def _is_there(folder: Path, data_sha256: str) -> bool:
    """Whether the matrices lie in a folder as they were made from these data."""
    try:
        note = read_json(folder / NOTE)
        made = note["data_sha256"] == data_sha256 and set(note["files"]) == {f"{name}.npy" for name in KINDS}
        return made and not any(fault(folder / name, entry) for name, entry in note["files"].items())
    except (UserError, KeyError, TypeError):
        return False


def _merge(train: Matrix, valid: Matrix, folder: Path, n_items: int) -> None:
    """Some users at a time, read from the mapped parts and written, not mapped: a full disk is an error then."""
    blocks = list(train.blocks(max(1, block_bytes() // PAIR_BYTES)))
    added = [np.bincount(_new(train, valid, of, n_items)[0], minlength=_n(of)) for of in blocks]
    lengths = np.diff(train.indptr) + (np.concatenate(added) if added else 0)
    _check_disk(folder.parent, int(lengths.sum()), len(lengths) + 1)
    writer = MatrixWriter(folder, int(lengths.sum()))
    try:
        for of in blocks:
            starts = np.concatenate([[0], np.cumsum(lengths[of])])[:-1]
            merged = _merged(train, valid, of, n_items, starts)
            writer.add(merged["indices"], merged["data"], merged["first"])
        writer.close(lengths)
    finally:
        writer.abandon()


def _check_disk(folder: Path, pairs: int, users: int) -> None:
    needed = sum(np.dtype(kind).itemsize for kind in KINDS.values()) * pairs + 8 * users
    if needed > (free := free_bytes(folder)):
        raise UserError(
            f"{folder}: train and valid as one matrix take {readable(needed)} and the disk has {readable(free)} "
            "left; free some space, or stop before test with --phase select"
        )


def _n(users: slice) -> int:
    return users.stop - users.start


def _rows(matrix: Matrix, users: slice) -> tuple[np.ndarray, slice]:
    """Of the pairs of consecutive users: rows 0.. of the users, int64, and where they lie in the arrays."""
    rows = np.repeat(np.arange(_n(users)), np.diff(matrix.indptr[users.start : users.stop + 1]))
    return rows, slice(int(matrix.indptr[users.start]), int(matrix.indptr[users.stop]))


def _new(train: Matrix, valid: Matrix, users: slice, n_items: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the users' pairs in valid: rows of the new ones, which are new, bool (pairs,), and where the others stand
    among the users' pairs in train, int64."""
    (known_rows, known), (rows, own) = _rows(train, users), _rows(valid, users)
    keys, known_keys = rows * n_items + valid.indices[own], known_rows * n_items + train.indices[known]
    order = np.argsort(known_keys, kind="stable")
    place = np.searchsorted(known_keys, keys, sorter=order)
    there = order[np.minimum(place, len(order) - 1)] if len(order) else np.zeros(len(keys), np.int64)
    is_new = known_keys[there] != keys if len(order) else np.ones(len(keys), bool)
    return rows[is_new], is_new, there[~is_new]


def _merged(train: Matrix, valid: Matrix, users: slice, n_items: int, starts: np.ndarray) -> dict[str, np.ndarray]:
    """The merged pairs of consecutive users, whose own begin at `starts`."""
    (known_rows, known), (_, own) = _rows(train, users), _rows(valid, users)
    new_rows, is_new, there = _new(train, valid, users, n_items)
    lengths = np.bincount(known_rows, minlength=_n(users))
    at = starts[known_rows] + _within(known_rows)
    at_new = (starts + lengths)[new_rows] + _within(new_rows)
    merged = {name: np.empty(len(at) + len(at_new), kind) for name, kind in KINDS.items() if name != "indptr"}
    for name, values in merged.items():
        values[at], values[at_new] = getattr(train, name)[known], getattr(valid, name)[own][is_new]
    merged["data"][at[there]] += valid.data[own][~is_new]
    return merged


def _within(rows: np.ndarray) -> np.ndarray:
    """Place of each element among those of its row, for rising rows.

    >>> _within(np.array([0, 0, 3]))
    array([0, 1, 0])
    """
    return np.arange(len(rows)) - np.searchsorted(rows, rows)
