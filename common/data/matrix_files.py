"""A prepared folder of matrix form: users x items as arrays that are mapped, not read; `python -m common prepare`.

    users.parquet  items.parquet                       a row per code, those of train first
    matrices/<part>/{indptr,indices,data,first}.npy    part: train, valid, test

A matrix has a row for each user up to the last one of its part, and a column for each item. A user's items stand in the
order of their first play in the part, so that indices are not sorted.
"""

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from common.data.manifest import FORMAT, SHAPE
from common.data.tables import AUDIO_FEATURES, Tables
from common.utils.errors import UserError
from common.utils.io import read_json, read_parquet
from common.utils.manifests import fault
from common.utils.memory import require

MATRIX = "matrix"
"""What `form` says in the manifest of such a folder."""
PARTS = ("train", "valid", "test")
KINDS = {"indptr": np.int64, "indices": np.int32, "data": np.float32, "first": np.int64}
"""The arrays of a matrix and what they hold."""
USERS = ("user_id", "age", "gender", "country")
ITEMS = (
    *("item_id", "name", "artist", "album", "genres", "release_year", "duration_ms", "explicit", "time_signature"),
    *("group_id", *AUDIO_FEATURES),
)
"""Columns of the tables that models know; the others (counts of train) are for people."""
RENAMED = {"track_group_id": "group_id"}
ROW_BYTES = 120
"""Memory that an interaction takes in a table of ids, with one copy of it."""
REMEDY = "prepare the logs again: python -m common prepare"
SMALLER = "read the arrays under matrices/ instead (docs/data-format.md)"
"""What to do where a table of all interactions does not fit."""


class Matrix(NamedTuple):
    """One part, users x items, as in the module's head: int64 (users + 1,), int32, float32 and int64 (pairs,).

    data: plays in this part; first: seconds of the first play in this part.
    """

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray
    first: np.ndarray

    @property
    def n_pairs(self) -> int:
        """Number of (user, item) pairs."""
        return len(self.indices)

    @property
    def n_users(self) -> int:
        """Number of users, those without a pair included."""
        return len(self.indptr) - 1

    def places(self, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of the pairs of some users, in their order: rows 0..len(users) and places in the arrays, int64 each."""
        lengths = self.indptr[users + 1] - self.indptr[users]
        rows = np.repeat(np.arange(len(users)), lengths)
        start = np.repeat(self.indptr[users] - (np.cumsum(lengths) - lengths), lengths)
        return rows, start + np.arange(len(rows))

    def blocks(self, pairs: int) -> Iterator[slice]:
        """Consecutive users who have about so many pairs together; one who has more stands alone."""
        return blocks_of(self.indptr, pairs)


def blocks_of(indptr: np.ndarray, most: int) -> Iterator[slice]:
    """Ranges of rows of about `most` entries together, at least one row each; indptr: where the rows begin."""
    start, rows = 0, len(indptr) - 1
    while start < rows:
        end = int(np.searchsorted(indptr, indptr[start] + most, side="right")) - 1
        end = min(max(end, start + 1), rows)
        yield slice(start, end)
        start = end


class MatrixFiles:
    """The arrays and tables of a folder of matrix form, each opened when first used."""

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder, self.notes = folder, manifest["notes"]
        self._parts: dict[str, Matrix] = {}

    @property
    def repeats(self) -> bool:
        """Whether valid and test hold pairs that the user had before, too (`prepare --repeats keep`)."""
        return self.notes.get("repeats") == "keep"

    @cached_property
    def users(self) -> pd.DataFrame:
        """user_id and what is known of each user, a row per code."""
        return self._table("users", "user_id", USERS)

    @cached_property
    def items(self) -> pd.DataFrame:
        """item_id and what is known of each item, a row per code; the work of a track is its `group_id`."""
        return self._table("items", "item_id", ITEMS)

    def _table(self, name: str, key: str, known: tuple[str, ...]) -> pd.DataFrame:
        import pyarrow.parquet as pq

        path = self.folder / f"{name}.parquet"
        there = {RENAMED.get(column, column): column for column in pq.read_schema(path).names}
        frame = read_parquet(path, [there[column] for column in known if column in there]).rename(columns=RENAMED)
        if key not in frame or not frame[key].is_unique:
            raise UserError(f"{path}: {key} is not there, or holds an id twice; {REMEDY}")
        return frame

    def part(self, name: str) -> Matrix:
        """The matrix of train, valid or test, mapped, with a row for every user."""
        if name not in self._parts:
            found = open_matrix(self.folder / "matrices" / name)
            lacking = len(self.users) - found.n_users
            if lacking < 0:
                raise UserError(f"{self.folder / 'matrices' / name} has more rows than users.parquet; {REMEDY}")
            indptr = np.pad(found.indptr, (0, lacking), "edge") if lacking else found.indptr
            self._parts[name] = found._replace(indptr=indptr)
        return self._parts[name]

    def rows(self, *names: str, users: np.ndarray | None = None) -> pd.DataFrame:
        """The pairs of some parts, of all or of some users (codes, rising), as one table: user_id, item_id
        (categoricals), weight, timestamp; each part's pairs by user and time. Refused where the table is too large."""
        if users is None:
            require("a table of all interactions", ROW_BYTES * sum(self.part(name).n_pairs for name in names), SMALLER)
            users = np.arange(len(self.users))
        return pd.concat([self._rows(self.part(name), users) for name in names], ignore_index=True)

    def _rows(self, part: Matrix, users: np.ndarray) -> pd.DataFrame:
        rows, places = part.places(users)
        columns = {"user_id": self.user_ids(users[rows]), "item_id": self.item_ids(part.indices[places])}
        return pd.DataFrame(columns | {"weight": part.data[places].astype(np.float64), "timestamp": part.first[places]})

    def user_ids(self, codes: np.ndarray) -> pd.Categorical:
        """Ids of user codes, categories sorted."""
        return _named(codes, *self._sorted_users)

    def item_ids(self, codes: np.ndarray) -> pd.Categorical:
        """Ids of item codes, categories sorted."""
        return _named(codes, *self._sorted_items)

    @cached_property
    def _sorted_users(self) -> tuple[pd.Index, np.ndarray]:
        return _sorted(self.users["user_id"])

    @cached_property
    def _sorted_items(self) -> tuple[pd.Index, np.ndarray]:
        return _sorted(self.items["item_id"])

    def tables(self, users: np.ndarray | None = None) -> Tables:
        """The prepared tables with string ids, one row per pair, of all users or of some; refused where too large."""
        rows = self.rows(*PARTS, users=users)
        if self.repeats:
            together = rows.groupby(["user_id", "item_id"], observed=True, as_index=False)
            rows = together.agg({"weight": "sum", "timestamp": "min"})
        return Tables(rows, self.items, self.users)

    def some_users(self, pairs: int) -> np.ndarray:
        """Codes of users, rising, int64, drawn until they have about so many pairs together; all if all have fewer."""
        lengths = np.sum([np.diff(self.part(name).indptr) for name in PARTS], axis=0)
        order = np.random.default_rng(0).permutation(len(self.users))
        return np.sort(order[: max(1, int(np.searchsorted(np.cumsum(lengths[order]), pairs, side="right")))])


def _sorted(ids: pd.Series) -> tuple[pd.Index, np.ndarray]:
    """Ids sorted, and the place of each code among them, int64 (codes,)."""
    order = np.argsort(ids.to_numpy(object))
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return pd.Index(ids.iloc[order]), places


def _named(codes: np.ndarray, ids: pd.Index, places: np.ndarray) -> pd.Categorical:
    return pd.Categorical.from_codes(places[codes], ids)


def open_matrix(folder: Path) -> Matrix:
    """The four arrays of a matrix, mapped. Raises a UserError where one is missing, damaged, or of another length."""
    arrays = []
    for name, kind in KINDS.items():
        path = folder / f"{name}.npy"
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise UserError(f"{path} is missing or no array; {REMEDY}") from error
        if array.dtype != kind or array.ndim != 1:
            raise UserError(f"{path} holds {array.dtype} {array.shape}, not {np.dtype(kind)} in one row; {REMEDY}")
        arrays.append(array.view(np.ndarray))
    matrix = Matrix(*arrays)
    pairs = {len(array) for array in arrays[1:]}
    if not len(matrix.indptr) or pairs != {int(matrix.indptr[-1])}:
        raise UserError(f"{folder}: indptr, indices, data and first are not of one matrix; {REMEDY}")
    return matrix


def is_matrix_folder(folder: Path) -> bool:
    """Whether a folder says that it is a prepared one of matrix form."""
    try:
        found = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("form") == MATRIX


def read_matrix_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder of matrix form. Raises a UserError for one whose files are not as they were written."""
    path = folder / "manifest.json"
    manifest = read_json(path)
    if manifest.get("format") != FORMAT:
        raise UserError(f"{path} was written by another version; {REMEDY}")
    if wrong := [key for key, kind in SHAPE.items() if not isinstance(manifest.get(key), kind)]:
        raise UserError(f"{path}: {wrong[0]} is missing or of another kind; {REMEDY}")
    for name, entry in manifest["files"].items():
        if what := fault(folder / name, entry):
            raise UserError(f"{folder / name} {what}; {REMEDY}")
    return manifest
