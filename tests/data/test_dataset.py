import json
import logging

import numpy as np
import pandas as pd
import pytest

from common.data import manifest
from common.data.dataset import load_dataset
from common.data.manifest import hash_frames
from common.data.sources import registry as prepare
from common.data.sources.registry import find_sources, resolve_name
from common.data.synthetic.generator import SyntheticSettings, generate
from common.utils.errors import UserError
from tests.data.handwritten import write_lastfm, write_songs
from tests.data.worlds import rich, rich_tables

TINY = SyntheticSettings(users=8, items=20)


@pytest.fixture(autouse=True)
def no_music_data(monkeypatch):
    monkeypatch.delenv("MUSIC_DATA", raising=False)


def write_raw(raw):
    write_lastfm(raw / "hetrec2011-lastfm-2k")
    write_songs(raw / "spotify" / "spotify_songs.csv")
    return raw


def test_tables_come_back_as_they_were_written(tmp_path):
    data = rich(tmp_path)
    for name, frame in rich_tables().frames().items():
        pd.testing.assert_frame_equal(getattr(data.tables, name), frame.reset_index(drop=True))


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


def test_prepared_tables_are_used_again_and_need_no_raw_files(tmp_path, monkeypatch):
    raw = write_raw(tmp_path / "raw")
    first = load_dataset("lastfm-2k", tmp_path)
    monkeypatch.setattr(prepare, "read_lastfm_spotify", lambda *_: pytest.fail("read again"))
    assert load_dataset("lastfm-2k", tmp_path).sha256 == first.sha256
    raw.rename(tmp_path / "elsewhere")
    assert load_dataset("lastfm-2k", tmp_path).sha256 == first.sha256
    assert resolve_name("auto", tmp_path) == "lastfm-2k"


def test_changed_raw_files_are_prepared_anew(tmp_path):
    raw = write_raw(tmp_path / "raw")
    first = load_dataset("lastfm-2k", tmp_path)
    path = raw / "hetrec2011-lastfm-2k" / "user_artists.dat"
    path.write_text(path.read_text() + "8\t7\t3\n")
    second = load_dataset("lastfm-2k", tmp_path)
    assert second.sha256 != first.sha256
    assert second.manifest["rows"]["interactions"] == first.manifest["rows"]["interactions"] + 1
    assert len(second.tables.interactions) == second.manifest["rows"]["interactions"]


def test_another_format_is_prepared_anew(tmp_path, monkeypatch):
    load_dataset("synthetic", tmp_path, TINY)
    calls = []

    def generate(settings):
        calls.append(settings)
        return rich_tables()

    monkeypatch.setattr(prepare, "generate", generate)
    load_dataset("synthetic", tmp_path, TINY)
    assert calls == []
    monkeypatch.setattr(manifest, "FORMAT", manifest.FORMAT + 1)
    load_dataset("synthetic", tmp_path, TINY)
    assert calls == [TINY]


def test_a_broken_off_preparation_is_done_again(tmp_path):
    data = load_dataset("synthetic", tmp_path, TINY)
    (data.folder / "manifest.json").unlink()  # it is written last
    (data.folder / "items.parquet").write_bytes(b"half a file")
    assert load_dataset("synthetic", tmp_path, TINY).tables.items.equals(data.tables.items)


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


def test_auto_takes_the_real_files_where_they_are(tmp_path, monkeypatch):
    write_raw(tmp_path / "raw")
    assert resolve_name("auto", tmp_path) == "lastfm-2k"
    write_raw(tmp_path / "music")
    monkeypatch.setenv("MUSIC_DATA", str(tmp_path / "music"))
    assert resolve_name("auto", tmp_path / "nothing") == "lastfm-2k"
    sources = find_sources(tmp_path)
    assert sources is not None
    assert sources[0].is_relative_to(tmp_path / "music"), "MUSIC_DATA goes before data/raw"


def test_auto_falls_back_to_generated_data_with_a_notice_that_cannot_be_missed(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        assert resolve_name("auto", tmp_path) == "synthetic"
    assert "NO REAL DATA" in caplog.text
    assert "!!!!!!!!!!" in caplog.text
    caplog.clear()
    resolve_name("synthetic", tmp_path)
    assert caplog.text == "", "who asks for generated data needs no notice"


def test_missing_files_are_named_with_the_remedies(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"hetrec2011-lastfm-2k.*MUSIC_DATA.*--dataset synthetic"):
        load_dataset("lastfm-2k", tmp_path)
    monkeypatch.setenv("MUSIC_DATA", str(tmp_path / "gone"))
    with pytest.raises(UserError, match=r"MUSIC_DATA names .*gone.*correct it or unset it"):
        load_dataset("lastfm-2k", tmp_path)


def test_an_unknown_data_set_gets_a_suggestion(tmp_path):
    with pytest.raises(UserError, match="did you mean 'lastfm-2k'"):
        load_dataset("lastm-2k", tmp_path)


def test_a_broken_table_is_named_and_a_missing_one_is_made_again(tmp_path):
    data = load_dataset("synthetic", tmp_path, TINY)
    path = data.folder / "items.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(UserError, match=r"items\.parquet is not a readable parquet"):
        _ = load_dataset("synthetic", tmp_path, TINY).tables
    path.unlink()
    again = load_dataset("synthetic", tmp_path, TINY)
    assert again.sha256 == data.sha256
    pd.testing.assert_frame_equal(again.tables.items, generate(TINY).items)


def test_the_hash_sees_values_columns_names_and_order():
    frame = pd.DataFrame({"x": ["1", "2"], "y": [0.5, np.nan]})
    known = hash_frames({"a": frame})
    assert known == hash_frames({"a": frame.copy()})
    for other in (frame.iloc[::-1], frame.rename(columns={"x": "z"}), frame.fillna(0.0), frame.iloc[:1]):
        assert hash_frames({"a": other}) != known
    assert hash_frames({"b": frame}) != known
