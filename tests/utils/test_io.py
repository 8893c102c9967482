import errno
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from common.utils.errors import UserError
from common.utils.io import (
    LOCKED_BYTE,
    atomic,
    display,
    free_bytes,
    lock,
    read_checked,
    read_json,
    read_parquet,
    sha256_file,
    strict,
    write_checked,
    write_json,
    write_parquet,
)
from common.utils.io import write_text as write


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fill_up(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_written_file_replaces_the_old_one_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "deep" / "note.txt"
    write(path, "old")
    write(path, "ný")
    assert path.read_bytes() == "ný".encode()
    assert names(path.parent) == ["note.txt"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~current_umask(), "readable like any other file"


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), UserError("no")])
def test_an_error_leaves_the_old_file_and_nothing_temporary(tmp_path, error):
    path = tmp_path / "note.txt"
    write(path, "old")
    with pytest.raises(type(error)), atomic(path) as temporary:
        temporary.write_text("half")
        assert temporary.suffix == ".txt"
        assert temporary.parent == tmp_path, "a rename must not cross disks"
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["note.txt"]


def test_a_full_disk_is_the_users_to_mend_and_costs_nothing(tmp_path, monkeypatch):
    path, table = tmp_path / "note.txt", tmp_path / "table.parquet"
    write(path, "old")
    write_parquet(table, pd.DataFrame({"x": [1]}))
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fill_up)
        with pytest.raises(UserError, match=r"cannot write .*note\.txt: No space left.*unchanged"):
            write(path, "new")
        with pytest.raises(UserError, match=r"cannot write .*table\.parquet: No space left"):
            write_parquet(table, pd.DataFrame({"x": [2]}))
    with monkeypatch.context() as full:
        full.setattr(pd.DataFrame, "to_parquet", fill_up)
        with pytest.raises(UserError, match="No space left"):
            write_parquet(table, pd.DataFrame({"x": [2]}))
    assert path.read_text() == "old"
    assert read_parquet(table)["x"].tolist() == [1]
    assert names(tmp_path) == ["note.txt", "table.parquet"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*file/note\.txt.*choose another folder"):
        write(tmp_path / "file" / "note.txt", "text")


def test_the_new_file_is_on_disk_before_it_takes_the_name(tmp_path, monkeypatch):
    steps = []
    replace = Path.replace

    def noted(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", lambda handle: steps.append("sync"))
    monkeypatch.setattr(Path, "replace", noted)
    write(tmp_path / "note.txt", "text")
    assert steps == ["sync", "rename"]


def test_json_is_strict_and_keeps_order_and_letters(tmp_path):
    path = tmp_path / "a.json"
    content = {"b": float("nan"), "a": [np.float32(0.5), np.int64(3), float("-inf")], "ü": {"x": (1, True)}, 7: None}
    write_json(path, content)
    assert read_json(path) == {"b": None, "a": [0.5, 3, None], "ü": {"x": [1, True]}, "7": None}
    text = path.read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "ü" in text
    assert text.index('"b"') < text.index('"a"')
    assert text.endswith("}\n")


def test_strict_gives_plain_python():
    values = strict([np.bool_(True), np.float64(1.5), np.int32(2), np.float32("inf"), "s"])
    assert values == [True, 1.5, 2, None, "s"]
    assert [type(value) for value in values] == [bool, float, int, type(None), str]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\xff", b"[1, 2"])
def test_broken_json_is_named(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.json is not valid JSON.*; delete it"):
        read_json(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*a\.json"):
        read_json(tmp_path / "a.json")
    with pytest.raises(UserError, match=r"a\.parquet is missing; run"):
        read_parquet(tmp_path / "a.parquet")


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"noise" * 50, None])
def test_a_broken_table_is_named(tmp_path, damage):
    path = tmp_path / "a.parquet"
    write_parquet(path, pd.DataFrame({"x": range(1000)}))
    path.write_bytes(path.read_bytes()[:-60] if damage is None else damage)
    with pytest.raises(UserError, match=r"a\.parquet is not a readable parquet file; delete it"):
        read_parquet(path)


def test_a_table_is_written_without_its_index(tmp_path):
    frame = pd.DataFrame({"x": ["ä", None], "n": [1, 2]}, index=[5, 9])
    write_parquet(tmp_path / "a.parquet", frame)
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "a.parquet"), frame.reset_index(drop=True))


def test_the_hash_is_that_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_paths_are_shown_as_people_want_to_read_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert display(tmp_path / "outputs" / "a") == str(Path("outputs") / "a")
    assert display(Path("/")) == "/"


def test_what_is_read_back_is_what_was_written(tmp_path):
    noted = write_checked(tmp_path / "a", b"abc")
    assert read_checked(tmp_path / "a", noted) == b"abc"
    (tmp_path / "a").write_bytes(b"abd")
    with pytest.raises(ValueError, match="hash"):
        read_checked(tmp_path / "a", noted)


def test_a_held_file_is_refused_until_it_is_closed(tmp_path):
    pytest.importorskip("fcntl")
    with (tmp_path / "a").open("a+b") as first, (tmp_path / "a").open("a+b") as second:
        lock(first)
        with pytest.raises(OSError, match=r".*"):
            lock(second)
        first.close()
        lock(second)


def test_without_fcntl_a_byte_beyond_the_end_is_held(tmp_path, monkeypatch):
    held = []
    windows = SimpleNamespace(LK_NBLCK=2, locking=lambda number, mode, size: held.append((number, mode, size)))
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    with (tmp_path / "a").open("a+b") as file:
        lock(file)
        assert held == [(file.fileno(), 2, 1)]
        assert file.tell() == LOCKED_BYTE


def test_damaged_notes_of_pandas_make_a_file_unreadable(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    notes = b'{"index_columns": [], "column_indexes": [{"name": null}], "columns": [{"name": "a"}]}'
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata({b"pandas": notes}), tmp_path / "a.parquet")
    with pytest.raises(UserError, match="is not a readable parquet file; delete it"):
        read_parquet(tmp_path / "a.parquet")


def test_free_space_is_told_of_a_folder_that_is_not_there_yet(tmp_path, monkeypatch):
    free = {tmp_path.resolve(): SimpleNamespace(free=7)}
    monkeypatch.setattr("shutil.disk_usage", lambda place: free[place])
    assert free_bytes(tmp_path / "not" / "there") == 7
