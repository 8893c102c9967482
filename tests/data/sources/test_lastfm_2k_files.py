import pytest

from common.data.sources.lastfm_2k_files import LASTFM_FOLDER, SPOTIFY_FILE, find_sources, missing_sources
from common.utils.errors import UserError


def put_files(folder):
    (folder / LASTFM_FOLDER).mkdir(parents=True)
    (folder / SPOTIFY_FILE).parent.mkdir()
    (folder / SPOTIFY_FILE).touch()


def test_files_under_music_data_come_before_those_under_raw(tmp_path, monkeypatch):
    monkeypatch.delenv("MUSIC_DATA", raising=False)
    assert find_sources(tmp_path) is None
    put_files(tmp_path / "raw")
    assert find_sources(tmp_path) == (tmp_path / "raw" / LASTFM_FOLDER, tmp_path / "raw" / SPOTIFY_FILE)
    put_files(tmp_path / "mine")
    monkeypatch.setenv("MUSIC_DATA", str(tmp_path / "mine"))
    assert find_sources(tmp_path) == (tmp_path / "mine" / LASTFM_FOLDER, tmp_path / "mine" / SPOTIFY_FILE)
    monkeypatch.setenv("MUSIC_DATA", str(tmp_path / "away"))
    with pytest.raises(UserError, match=r"MUSIC_DATA names .*away, which is no folder"):
        find_sources(tmp_path)


def test_the_error_says_where_the_files_go_and_tells_of_a_packed_one(tmp_path, monkeypatch):
    monkeypatch.delenv("MUSIC_DATA", raising=False)
    assert "(no network): put them under" in str(missing_sources(tmp_path, "no network"))
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.zip").touch()
    assert "a.zip is there, but packed: unpack it" in str(missing_sources(tmp_path, "no network"))
