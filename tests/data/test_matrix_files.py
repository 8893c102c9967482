"""Prepared folders of matrix form: mapped arrays, tables for those who ask, and damage told by file."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.data import matrix_files
from common.data.dataset import load_dataset
from common.data.matrix_files import Matrix, is_matrix_folder, open_matrix
from common.utils.errors import UserError
from tests.data.matrix_folders import events, with_newcomers, with_repeats, write_matrix_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_matrix_folder(tmp_path_factory.mktemp("matrix") / "logs", events())


def files_of(folder: Path, tmp_path: Path) -> matrix_files.MatrixFiles:
    data = load_dataset(str(folder), tmp_path / "data")
    assert data.matrix is not None
    return data.matrix


def test_arrays_are_mapped_and_tables_know_what_models_know(folder, tmp_path):
    files = files_of(folder, tmp_path)
    part = files.part("train")
    assert isinstance(part.indices.base, np.memmap)
    assert not part.indices.flags.writeable
    assert part.n_users == len(files.users) == 40
    assert {"item_id", "name", "artist", "genres", "group_id"} <= set(files.items)
    assert "code" not in files.items


def test_tables_have_the_pairs_of_all_parts(folder, tmp_path):
    tables = files_of(folder, tmp_path).tables()
    columns = ["user_id", "item_id", "timestamp"]
    found, written = (
        rows[columns].astype({"user_id": str, "item_id": str}) for rows in (tables.interactions, events().interactions)
    )
    order = ["user_id", "item_id"]
    pd.testing.assert_frame_equal(
        found.sort_values(order, ignore_index=True), written.sort_values(order, ignore_index=True), check_dtype=False
    )


def test_pairs_of_several_parts_become_one_row(tmp_path):
    tables = with_repeats(events())
    found = files_of(write_matrix_folder(tmp_path / "again", tables, repeats=True), tmp_path).tables().interactions
    assert not found.duplicated(["user_id", "item_id"]).any()
    assert found["weight"].sum() == len(tables.interactions)
    first = tables.interactions.groupby(["user_id", "item_id"])["timestamp"].min()
    assert found["timestamp"].sum() == first.sum()


def test_tables_that_do_not_fit_are_refused_with_what_reads_the_matrix(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(matrix_files, "ROW_BYTES", 10**12)
    with pytest.raises(UserError, match=r"table of all interactions needs about .*; read the arrays under matrices/"):
        files_of(folder, tmp_path).tables()


def test_some_users_have_about_so_many_pairs(folder, tmp_path):
    files = files_of(folder, tmp_path)
    some = files.some_users(300)
    assert 0 < len(some) < 40
    assert (np.diff(some) > 0).all()
    assert 200 < len(files.tables(some).interactions) <= 300
    assert len(files.some_users(10**9)) == 40


def test_blocks_cover_all_users_one_of_many_pairs_alone():
    indptr = np.array([0, 2, 2, 9, 10, 11])
    arrays = (np.zeros(11, kind) for kind in (np.int32, np.float32, np.int64))
    blocks = list(Matrix(indptr, *arrays).blocks(3))
    assert [(block.start, block.stop) for block in blocks] == [(0, 2), (2, 3), (3, 5)]


def test_places_are_those_of_some_users_in_their_order():
    arrays = (np.zeros(6, kind) for kind in (np.int32, np.float32, np.int64))
    rows, places = Matrix(np.array([0, 2, 2, 6]), *arrays).places(np.array([2, 0, 1]))
    assert rows.tolist() == [0, 0, 0, 0, 1, 1]
    assert places.tolist() == [2, 3, 4, 5, 0, 1]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda f: (f / "matrices/test/data.npy").unlink(), r"data\.npy is missing; prepare the logs again"),
        (lambda f: np.save(f / "matrices/test/data.npy", np.zeros(3)), r"data\.npy has .* bytes, not the"),
        (lambda f: edit(f, format=1), "was written by another version; prepare the logs again"),
        (lambda f: edit(f, rows=None), "rows is missing or of another kind"),
    ],
)
def test_damage_is_told_by_file_and_remedy(tmp_path, damage, sentence):
    folder = write_matrix_folder(tmp_path / "logs", events())
    damage(folder)
    with pytest.raises(UserError, match=sentence):
        load_dataset(str(folder), tmp_path / "data")


def edit(folder: Path, **changes) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_arrays_that_are_not_of_one_matrix_are_refused(folder, tmp_path):
    for name in matrix_files.KINDS:
        np.save(tmp_path / f"{name}.npy", np.load(folder / "matrices/test" / f"{name}.npy"))
    np.save(tmp_path / "data.npy", np.zeros(3, np.float32))
    with pytest.raises(UserError, match="are not of one matrix"):
        open_matrix(tmp_path)
    np.save(tmp_path / "data.npy", np.zeros(3))
    with pytest.raises(UserError, match=r"data\.npy holds float64"):
        open_matrix(tmp_path)


def test_an_id_that_stands_twice_is_refused(folder, tmp_path):
    users = pd.read_parquet(folder / "users.parquet")
    pd.concat([users, users[:1]]).to_parquet(tmp_path / "users.parquet")
    with pytest.raises(UserError, match=r"users\.parquet: user_id .* holds an id twice"):
        _ = matrix_files.MatrixFiles(tmp_path, {"notes": {}}).users


def test_users_without_pairs_in_a_part_have_empty_rows_and_ids_sort_as_text(tmp_path):
    files = files_of(write_matrix_folder(tmp_path / "logs", with_newcomers(events())), tmp_path)
    assert len(np.load(tmp_path / "logs/matrices/train/indptr.npy")) == 41, "users of train alone"
    assert files.part("train").n_users == files.part("test").n_users == 42
    assert files.users["user_id"].tolist()[-2:] == ["a newcomer", "b newcomer"]
    rows = files.rows("test").sort_values("user_id")
    assert rows["user_id"].iloc[0] == "a newcomer"
    rows = files.rows("test")
    assert {"a new item"} == set(rows["item_id"][rows["user_id"] == "b newcomer"])


def test_other_folders_are_not_of_this_form(tmp_path):
    assert not is_matrix_folder(tmp_path)
    (tmp_path / "manifest.json").write_text('{"form": "tables"}')
    assert not is_matrix_folder(tmp_path)
