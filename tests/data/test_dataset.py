"""Prepared tables: written once, used again, made anew where their source has changed."""

import pandas as pd
import pytest

from common.data.dataset import load_dataset
from common.data.sources import lastfm_2k_spotify
from common.data.sources.registry import resolve_name
from common.data.synthetic.settings import SyntheticSettings
from common.utils.errors import UserError
from tests.data.handwritten import write_lastfm, write_songs
from tests.data.worlds import rich, rich_tables

TINY = SyntheticSettings(users=8, items=20)


@pytest.fixture(autouse=True)
def no_real_data(monkeypatch):
    """The machine's own files stay out of it."""
    monkeypatch.delenv("MUSIC_DATA", raising=False)


def write_raw(raw):
    write_lastfm(raw / "hetrec2011-lastfm-2k")
    write_songs(raw / "spotify" / "spotify_songs.csv")
    return raw


def test_tables_come_back_as_they_were_written(tmp_path):
    data = rich(tmp_path)
    for name, frame in rich_tables().frames().items():
        pd.testing.assert_frame_equal(getattr(data.tables, name), frame.reset_index(drop=True))


def test_prepared_tables_are_used_again_and_need_no_raw_files(tmp_path, monkeypatch):
    raw = write_raw(tmp_path / "raw")
    first = load_dataset("lastfm-2k", tmp_path)
    monkeypatch.setattr(lastfm_2k_spotify, "read_lastfm_spotify", lambda *_: pytest.fail("read again"))
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


def test_a_broken_off_preparation_is_done_again(tmp_path):
    data = load_dataset("synthetic", tmp_path, TINY)
    (data.folder / "manifest.json").unlink()  # it is written last
    (data.folder / "items.parquet").write_bytes(b"half a file")
    assert load_dataset("synthetic", tmp_path, TINY).tables.items.equals(data.tables.items)


@pytest.mark.parametrize("damage", ["half", "other bytes", "gone"])
def test_a_table_that_is_not_as_it_was_prepared_is_made_again(tmp_path, damage, caplog):
    data = load_dataset("synthetic", tmp_path, TINY)
    path = data.folder / "interactions.parquet"
    rows = pd.read_parquet(path)
    if damage == "half":
        rows[: len(rows) // 2].to_parquet(path, index=False)
    elif damage == "other bytes":
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        path.unlink()
    again = load_dataset("synthetic", tmp_path, TINY)
    assert "the tables are prepared anew" in caplog.text and "interactions.parquet" in caplog.text
    assert again.sha256 == data.sha256
    pd.testing.assert_frame_equal(again.tables.interactions, rows)


def test_a_damaged_table_whose_source_is_gone_is_refused(tmp_path):
    raw = write_raw(tmp_path / "raw")
    data = load_dataset("lastfm-2k", tmp_path)
    raw.rename(tmp_path / "elsewhere")
    (data.folder / "items.parquet").write_bytes(b"no parquet")
    with pytest.raises(UserError, match="data set 'lastfm-2k' needs hetrec2011-lastfm-2k/"):
        load_dataset("lastfm-2k", tmp_path)
