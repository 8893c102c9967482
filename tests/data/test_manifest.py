"""What the manifest of prepared tables says, and the hash that tells them apart."""

import json
import os

import numpy as np
import pandas as pd
import pytest

from common.data import manifest
from common.data.dataset import load_dataset
from common.data.manifest import hash_frames, read_manifest
from common.data.sources.registry import resolve_name
from common.data.synthetic.settings import SyntheticSettings
from common.utils import manifests
from tests.data.handwritten import write_lastfm, write_songs
from tests.data.worlds import rich_tables

TINY = SyntheticSettings(users=8, items=20)


def write_raw(raw):
    write_lastfm(raw / "hetrec2011-lastfm-2k")
    write_songs(raw / "spotify" / "spotify_songs.csv")
    return raw


def test_the_manifest_says_what_is_there(tmp_path):
    write_raw(tmp_path / "raw")
    data = load_dataset("lastfm-2k", tmp_path)
    manifest = json.loads((tmp_path / "lastfm-2k" / "manifest.json").read_text())
    assert manifest == data.manifest
    assert manifest["rows"] == {name: len(frame) for name, frame in data.tables.frames().items()}
    assert set(manifest["rows"]) == {"interactions", "items", "users", "social", "user_item_tags", "songs"}
    assert manifest["sha256"] == hash_frames(data.tables.frames()) == data.sha256
    assert manifest["next_core"] == data.next_core == 5
    assert len(manifest["source"]) == 64
    assert {"sources", "matching"} <= set(manifest["notes"])
    assert all(set(repair) == {"table", "what", "rows"} for repair in manifest["repairs"])


SHAPES = [
    "[]",
    "3",
    "{}",
    "null",
    "{",
    "",
    '{"format": 3}',
    '{"format": 3, "rows": []}',
    '{"format": 3, "files": {"items.parquet": 1}}',
]


@pytest.mark.parametrize("text", SHAPES)
def test_a_manifest_of_another_shape_means_that_nothing_is_prepared(tmp_path, text):
    data = load_dataset("synthetic", tmp_path, TINY)
    written = json.loads((data.folder / "manifest.json").read_text())
    (data.folder / "manifest.json").write_text(text)
    assert read_manifest(data.folder) is None
    assert load_dataset("synthetic", tmp_path, TINY).sha256 == data.sha256
    damaged = written | {"files": {"items.parquet": "x"}}
    (data.folder / "manifest.json").write_text(json.dumps(damaged))
    assert read_manifest(data.folder) is None


def test_a_large_file_is_hashed_where_its_time_is_another(tmp_path, monkeypatch):
    monkeypatch.setattr(manifests, "ALWAYS_HASHED", 0)
    data = load_dataset("synthetic", tmp_path, TINY)
    path = data.folder / "items.parquet"
    about = path.stat()
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"x")
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert read_manifest(data.folder) is not None, "size and time are those noted"
    path.touch()
    assert read_manifest(data.folder) is None
    path.write_bytes(content)
    assert read_manifest(data.folder) is not None


def test_another_format_is_prepared_anew(tmp_path, monkeypatch):
    load_dataset("synthetic", tmp_path, TINY)
    calls = []

    def generate(settings):
        calls.append(settings)
        return rich_tables()

    monkeypatch.setattr("common.data.synthetic.generator.generate", generate)
    load_dataset("synthetic", tmp_path, TINY)
    assert calls == []
    monkeypatch.setattr(manifest, "FORMAT", manifest.FORMAT + 1)
    load_dataset("synthetic", tmp_path, TINY)
    assert calls == [TINY]


def test_generators_of_other_settings_have_folders_of_their_own(tmp_path):
    names = {
        resolve_name("synthetic", tmp_path, settings)
        for settings in (
            None,
            SyntheticSettings(),
            TINY,
            SyntheticSettings(users=8, items=20, seed=1),
            SyntheticSettings(noise=1.0),
        )
    }
    assert len(names) == 4
    assert "synthetic" in names
    assert all(name.startswith("synthetic") for name in names)


def test_the_hash_sees_values_columns_names_and_order():
    frame = pd.DataFrame({"x": ["1", "2"], "y": [0.5, np.nan]})
    known = hash_frames({"a": frame})
    assert known == hash_frames({"a": frame.copy()})
    for other in (frame.iloc[::-1], frame.rename(columns={"x": "z"}), frame.fillna(0.0), frame.iloc[:1]):
        assert hash_frames({"a": other}) != known
    assert hash_frames({"b": frame}) != known
