"""The data sets by name, and what `auto` means."""

import logging

import pytest

from common.data.dataset import load_dataset
from common.data.sources.large_logs import raw_files
from common.data.sources.lastfm_2k_files import find_sources
from common.data.sources.registry import SOURCES, choose_dataset, is_at_hand, resolve_name, without_mark
from common.utils.errors import UserError
from tests.data.handwritten import write_lastfm, write_songs
from tests.data.large_logs import write_1k, write_360k, write_yambda


@pytest.fixture(autouse=True)
def no_real_data(monkeypatch):
    """The machine's own files stay out of it."""
    monkeypatch.delenv("MUSIC_DATA", raising=False)


def write_raw(raw):
    write_lastfm(raw / "hetrec2011-lastfm-2k")
    write_songs(raw / "spotify" / "spotify_songs.csv")
    return raw


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


def test_large_logs_are_found_or_downloaded_by_name(tmp_path, monkeypatch):
    for name, write in {"lastfm-360k": write_360k, "lastfm-1k": write_1k, "yambda-50m": write_yambda}.items():
        assert not is_at_hand(tmp_path, name)
        asked: list[str] = []

        def fetch(data_dir, files, write=write, asked=asked):
            asked.extend(file.url for file in files)
            write(data_dir / "raw")

        monkeypatch.setattr(raw_files, "download_large", fetch)
        with pytest.raises(UserError, match=rf"{name}.*nothing was to be downloaded\): let a stage download"):
            choose_dataset(name, tmp_path)
        assert choose_dataset(name, tmp_path, may_download=True) == name
        assert resolve_name(name, tmp_path) == name
        files = SOURCES[name].files
        assert files is not None
        assert len(asked) == len(files.downloads)
        choose_dataset(name, tmp_path, may_download=True)
        assert len(asked) == len(set(asked)), "what is there is not fetched again"


def test_a_download_that_fails_is_told_with_the_reason(tmp_path, monkeypatch):
    def fail(*_):
        raise UserError("the server cannot be reached")

    monkeypatch.setattr(raw_files, "download_large", fail)
    with pytest.raises(UserError, match=r"'yambda-500m' needs .*/500m/.*the server cannot be reached"):
        choose_dataset("yambda-500m", tmp_path, may_download=True)


def test_a_name_may_ask_for_one_spelling_of_each_artist(tmp_path, monkeypatch):
    write_raw(tmp_path / "raw")
    assert choose_dataset("auto-deduplicated", tmp_path) == "lastfm-2k-deduplicated"
    assert resolve_name("lastfm-2k-deduplicated", tmp_path) == "lastfm-2k-deduplicated"
    own = tmp_path / "own"
    own.mkdir()
    assert resolve_name(f"{own}-deduplicated", tmp_path) == resolve_name(str(own), tmp_path) + "-deduplicated"
    (tmp_path / "own-deduplicated").mkdir()
    assert without_mark(f"{own}-deduplicated") == (f"{own}-deduplicated", False), "a folder of that name is itself"
    with pytest.raises(UserError, match="data set 'nothing-deduplicated'"):
        resolve_name("nothing-deduplicated", tmp_path)
    with pytest.raises(UserError, match="the ten steps make the spellings of an artist one anyway"):
        load_dataset("yambda-500m-deduplicated", tmp_path)
