"""Where raw files of a log are looked for, and what tells that they changed."""

import os

import pytest

from common.data.sources.large_logs import raw_files
from common.data.sources.large_logs.large_files import LargeFile
from common.data.sources.large_logs.raw_files import RawFiles
from common.utils.errors import UserError

FILES = RawFiles(
    "log", ("flat/a.bin", "b.bin"), (LargeFile("https://example.org/a", "flat/a.bin", 5_000_000),), ("c.bin",)
)


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x", encoding="utf-8")


def test_music_data_goes_before_raw_and_either_layout_does(tmp_path, monkeypatch):
    monkeypatch.delenv("MUSIC_DATA", raising=False)
    write(tmp_path / "raw", "flat/a.bin")
    assert FILES.find(tmp_path) is None, "one of two"
    write(tmp_path / "raw", "c.bin")
    assert FILES.find(tmp_path) == tmp_path / "raw"
    assert [path.name for path in FILES.files(tmp_path / "raw")] == ["c.bin"]
    write(tmp_path / "music", "flat/a.bin", "b.bin")
    monkeypatch.setenv("MUSIC_DATA", str(tmp_path / "music"))
    assert FILES.root(tmp_path) == tmp_path / "music"
    monkeypatch.setenv("MUSIC_DATA", str(tmp_path / "gone"))
    with pytest.raises(UserError, match=r"MUSIC_DATA names .*gone, which is no folder"):
        FILES.find(tmp_path)


def test_what_is_missing_is_named_with_the_remedies(tmp_path, monkeypatch):
    monkeypatch.delenv("MUSIC_DATA", raising=False)
    with pytest.raises(UserError, match=r"'log' needs flat/a.bin and b.bin .*download 5 MB .*MUSIC_DATA"):
        FILES.root(tmp_path)
    asked = []
    monkeypatch.setattr(raw_files, "download_large", lambda data_dir, files: asked.append((data_dir, files)))
    FILES.download(tmp_path)
    assert asked == [(tmp_path, FILES.downloads)]


def test_a_file_that_changes_is_noticed(tmp_path, monkeypatch):
    monkeypatch.delenv("MUSIC_DATA", raising=False)
    assert FILES.fingerprint(tmp_path) is None
    write(tmp_path / "raw", "flat/a.bin", "b.bin")
    first = FILES.fingerprint(tmp_path)
    assert FILES.fingerprint(tmp_path) == first
    os.utime(tmp_path / "raw" / "b.bin", ns=(1, 1))
    assert FILES.fingerprint(tmp_path) != first
