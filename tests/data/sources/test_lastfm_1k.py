"""Last.fm-1K: every odd row of the format, what is counted, and what is told."""

from datetime import UTC, datetime

import pytest

from common.data.dataset import load_dataset
from common.data.sources import lastfm_1k
from common.data.sources.lastfm_1k import FILES, PUBLISHED, read_lastfm_1k, stage_events
from common.splits.protocols import draw_split
from common.utils.errors import UserError
from tests.data.large_logs import LOG_1K, T1, U2, write_1k


@pytest.fixture(autouse=True)
def no_real_data(monkeypatch):
    monkeypatch.delenv("MUSIC_DATA", raising=False)


def seconds(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, 23, 8, 57, tzinfo=UTC).timestamp())


def test_plays_become_pairs_with_the_time_of_the_first(tmp_path):
    write_1k(tmp_path / "raw")
    tables = read_lastfm_1k(tmp_path)
    rows = tables.interactions.astype({"user_id": "str", "item_id": "str"}).to_numpy().tolist()
    assert rows == [
        ["user_000001", T1, 3.0, seconds(2008, 5, 3)],
        ["user_000002", "old\rname - the title", 2.0, seconds(2008, 5, 3)],
        ["user_000002", U2, 1.0, int(datetime(2008, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())],
    ]
    items = tables.items.set_index("item_id")
    assert items.loc[[T1]].to_numpy().tolist() == [["Famous", "Deep Dish"]], "the title that was played most"
    assert items["name"].isna().tolist() == [True, False, False], "an id without a title stays"
    assert tables.users["registered"].tolist() == ["2006-08-13", "2006-02-04"]
    assert tables.users["age"].isna().all(), "none, and 103"


def test_what_is_dropped_is_counted_by_reason(tmp_path):
    write_1k(tmp_path / "raw")
    repairs = read_lastfm_1k(tmp_path).repairs
    dropped = {repair.what.partition(" (first")[0]: repair.rows for repair in repairs if "lines dropped" in repair.what}
    assert dropped == {
        "lines dropped: the time lies outside 2002 to July 2009": 2,
        "lines dropped: another number of fields": 1,
        "lines dropped: neither an id nor artist and title of a track": 1,
        "lines dropped: the time is no `2009-04-08T01:57:47Z`": 1,
        "lines dropped: the same as a line before": 1,
    }


def test_counts_are_compared_with_the_published_ones(tmp_path, monkeypatch):
    write_1k(tmp_path / "raw")
    notes = read_lastfm_1k(tmp_path).notes
    counts = dict(zip(PUBLISHED, (12, 2, 7, 3, 2, 2, 1), strict=True))
    assert notes["sources"][lastfm_1k.LOG] == counts  # type: ignore[index]
    assert "lines 12 instead of 19,150,868, users 2 instead of 992" in notes["warnings"][0]  # type: ignore[index]
    assert "repeated" not in notes["warnings"][0], "what agrees is not told"  # type: ignore[index]
    monkeypatch.setattr(lastfm_1k, "PUBLISHED", counts)
    monkeypatch.setattr(lastfm_1k, "PUBLISHED_PROFILES", {"lines": 2})
    assert read_lastfm_1k(tmp_path).notes["warnings"] == []


def test_raw_events_have_the_standard_columns(tmp_path):
    write_1k(tmp_path / "raw")
    log = stage_events(tmp_path / "raw", tmp_path)
    assert log.path == tmp_path / "events.parquet"
    events = log.events.collect()
    assert events.columns == ["user_id", "timestamp", "artist_id", "artist", "track_id", "track"]
    assert len(events) == 6
    assert events.row(3) == ("user_000002", seconds(2008, 5, 3), None, "Old\rName", None, "The Title")


def test_times_make_a_split_by_time(tmp_path):
    lines = [f"user_{n % 7:06}\t2008-{1 + n // 28:02}-{1 + n % 28:02}T00:00:00Z\t\tx\t\t{n % 11}\n" for n in range(200)]
    write_1k(tmp_path / "raw", "".join(lines))
    split = draw_split(load_dataset("lastfm-1k", tmp_path), "temporal")
    assert split.train["timestamp"].max() < split.valid["timestamp"].min() < split.test["timestamp"].min()


def test_a_file_of_another_form_is_one_sentence(tmp_path):
    write_1k(tmp_path / "raw", LOG_1K.replace("\t", ","))
    with pytest.raises(UserError, match=r"holds no line as it should be \(user_id, time, artist_id, artist, track_id,"):
        read_lastfm_1k(tmp_path)


def test_the_public_address():
    (download,) = FILES.downloads
    assert download.url.startswith("https://zenodo.org/records/6090214/files/lastfm-dataset-1K.tar.gz")
    assert list(download.members.values()) == ["64747b21563e3d2aa95751e0ddc46b68", "c53608b6b445db201098c1489ea497df"]
