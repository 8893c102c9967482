"""What a manifest vouches for is checked by size, time and hash."""

import os
from pathlib import Path

import pytest

from common.utils import manifests
from common.utils.errors import UserError
from common.utils.io import read_json, write_json, write_text
from common.utils.manifests import entries, fault, hash_everything, read_manifest, read_together, sealed
from common.utils.temporary import MACHINE


@pytest.fixture
def file(tmp_path) -> Path:
    write_text(tmp_path / "a.txt", "abc")
    return tmp_path / "a.txt"


def test_a_file_is_the_one_whose_size_time_and_hash_were_noted(file):
    noted = entries(file.parent, ["a.txt"])["a.txt"]
    assert (noted["size"], noted["mtime_ns"]) == (3, file.stat().st_mtime_ns)
    assert noted["sha256"].startswith("ba7816bf")
    assert fault(file, noted) == ""
    os.utime(file, ns=(1, 1))
    assert fault(file, noted) == "", "copied: another time, the same bytes"
    file.write_text("abd")
    assert "is not the file" in fault(file, noted)
    file.write_text("ab")
    assert fault(file, noted) == "has 2 bytes, not the 3 that were written"
    file.unlink()
    assert fault(file, noted) == "is missing"


def test_a_large_file_is_hashed_where_its_time_differs_or_on_request(file, monkeypatch):
    noted = entries(file.parent, ["a.txt"])["a.txt"]
    monkeypatch.setattr(manifests, "ALWAYS_HASHED", 2)
    file.write_text("abd")
    assert "is not the file" in fault(file, noted)
    os.utime(file, ns=(noted["mtime_ns"],) * 2)
    assert fault(file, noted) == "", "size and time agree"
    hash_everything(True)
    try:
        assert "is not the file" in fault(file, noted)
    finally:
        hash_everything(False)


@pytest.mark.parametrize("text", ["", "[]", "3", "{}", '{"files": {}, "format": 1}'])
def test_a_damaged_manifest_is_refused_with_the_remedy(file, text):
    file.write_text(text)
    with pytest.raises(UserError, match=r"a\.txt is damaged; run it again"):
        read_manifest(file, "run it again")


def test_one_changed_figure_breaks_the_seal_and_another_format_is_told(tmp_path):
    path = tmp_path / "manifest.json"
    write_json(path, sealed({"files": {"a": {"size": 3}}}))
    assert read_manifest(path, "again")["files"] == {"a": {"size": 3}}
    path.write_text(path.read_text().replace('"size": 3', '"size": 4'))
    with pytest.raises(UserError, match=r"manifest\.json is damaged; again"):
        read_manifest(path, "again")
    later = {"files": {}, "format": 99}
    write_json(path, later | {"seal": manifests.seal_of(later)})
    with pytest.raises(UserError, match="another version; update"):
        read_manifest(path, "again")
    assert sealed(read_json(path)) == sealed({"files": {}}), "an old seal is no content"


def test_what_is_replaced_while_it_is_read_is_read_again(file):
    tries = []

    def read() -> str:
        tries.append(file.read_text())
        if len(tries) < 3:
            write_text(file, f"state {len(tries)}")
        return tries[-1]

    assert read_together(file, read) == "state 2"


def test_files_that_do_not_belong_together_are_read_again_only_while_somebody_writes(file, monkeypatch):
    tries: list[None] = []

    def read() -> None:
        tries.append(None)
        raise UserError("of two trainings")

    with pytest.raises(UserError, match="two trainings"):
        read_together(file, read)
    assert len(tries) == 1
    (file.parent / f".swap-{os.getppid()}@{MACHINE}-abcd_123").mkdir()
    monkeypatch.setattr(manifests, "PATIENCE", 0.05)
    with pytest.raises(UserError, match="two trainings"):
        read_together(file, read)
    assert len(tries) > 2
