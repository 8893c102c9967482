"""Train and valid as one matrix: each user's pairs in order, made once, made again after damage."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.data.matrix_files import KINDS, Matrix
from common.splits.mapped import train_valid as merging
from common.splits.mapped.train_valid import train_valid
from common.utils.errors import UserError


def matrix(*of_users: list[tuple[int, float, int]]) -> Matrix:
    """Of each user (item, plays, first) in order."""
    rows = [row for user in of_users for row in user]
    indptr = np.cumsum([0, *map(len, of_users)])
    columns: list[Any] = list(zip(*rows, strict=True))
    return Matrix(*(np.array(of, kind) for of, kind in zip([indptr, *columns], KINDS.values(), strict=True)))


def rows_of(found: Matrix) -> list[list[tuple[int, float, int]]]:
    columns = (found.indices.tolist(), found.data.tolist(), found.first.tolist())
    rows = list(zip(*columns, strict=True))
    return [rows[start:end] for start, end in zip(found.indptr, found.indptr[1:], strict=False)]


TRAIN = matrix([(3, 1.0, 10), (1, 2.0, 11)], [], [(2, 1.0, 5)], [])
VALID = matrix([(0, 1.0, 20)], [(4, 1.0, 21)], [], [])


@pytest.mark.parametrize("room", [1, 400, 10**9])
def test_pairs_of_train_come_first_whatever_a_block_holds(tmp_path, monkeypatch, room):
    monkeypatch.setattr(merging, "block_bytes", lambda: room)
    found = train_valid(TRAIN, VALID, tmp_path, "data", 5)
    assert rows_of(found) == [[(3, 1.0, 10), (1, 2.0, 11), (0, 1.0, 20)], [(4, 1.0, 21)], [(2, 1.0, 5)], []]
    assert isinstance(found.indices.base, np.memmap)


def test_a_pair_of_both_keeps_its_place_and_adds_up(tmp_path):
    again = matrix([(1, 5.0, 20), (0, 1.0, 21), (3, 1.0, 22)], [], [(2, 7.0, 9)], [])
    found = train_valid(TRAIN, again, tmp_path, "data", 5)
    assert rows_of(found) == [[(3, 2.0, 10), (1, 7.0, 11), (0, 1.0, 21)], [], [(2, 8.0, 5)], []]


def made_at(folder: Path) -> int:
    return (folder / "train_valid" / "indices.npy").stat().st_mtime_ns


def test_it_is_made_once_and_again_where_data_or_files_are_others(tmp_path):
    train_valid(TRAIN, VALID, tmp_path, "data", 5)
    first = made_at(tmp_path)
    train_valid(TRAIN, VALID, tmp_path, "data", 5)
    assert made_at(tmp_path) == first
    train_valid(TRAIN, VALID, tmp_path, "other data", 5)
    second = made_at(tmp_path)
    assert second != first
    (tmp_path / "train_valid" / "data.npy").write_bytes(b"half a file")
    found = train_valid(TRAIN, VALID, tmp_path, "other data", 5)
    assert found.data.tolist() == [1.0, 2.0, 1.0, 1.0, 1.0]
    assert [path.name for path in tmp_path.iterdir()] == ["train_valid"]


def test_too_small_a_disk_is_told_before(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 7})())
    with pytest.raises(UserError, match=r"train and valid as one matrix take .* and the disk has .* left; free some"):
        train_valid(TRAIN, VALID, tmp_path, "data", 5)
    assert list(tmp_path.iterdir()) == []
