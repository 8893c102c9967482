"""Last.fm-360K: every odd row of the format, what is counted, and what is told."""

import pytest

from common.data.dataset import load_dataset
from common.data.sources import lastfm_360k
from common.data.sources.lastfm_360k import FILES, PUBLISHED, read_lastfm_360k
from common.utils.errors import UserError
from tests.data.large_logs import PLAYS, PROFILES_360K, U2, A, B, C, write_360k


@pytest.fixture(autouse=True)
def no_real_data(monkeypatch):
    monkeypatch.delenv("MUSIC_DATA", raising=False)


def test_plays_become_interactions(tmp_path):
    write_360k(tmp_path / "raw")
    tables = read_lastfm_360k(tmp_path)
    rows = tables.interactions.astype({"user_id": "str", "item_id": "str"}).to_numpy().tolist()
    assert rows == [
        [B, U2, 40.0],
        [B, "bad\rname", 2.0],
        [C, "na", 5.0],
        [A, '"weird al" yankovic', 12.0],
        [A, U2, 31.0],
    ]
    names = dict(zip(tables.items["item_id"], tables.items["name"], strict=True))
    assert names == {U2: "U2!", '"weird al" yankovic': '"weird al" yankovic', "bad\rname": "bad\rname", "na": "NA"}
    assert tables.items["artist"].tolist() == tables.items["item_id"].tolist(), "an item is an artist"
    assert [path.name for path in tmp_path.iterdir()] == ["raw"], "nothing staged stays"


def test_broken_lines_are_counted_by_reason(tmp_path):
    write_360k(tmp_path / "raw")
    what = {repair.what: repair.rows for repair in read_lastfm_360k(tmp_path).repairs if repair.table == "interactions"}
    where = "(first: line {} of usersha1-artmbid-artname-plays.tsv)"
    assert what == {
        f"lines dropped: the user is no SHA-1 {where.format(6)}": 1,
        f"lines dropped: neither a MusicBrainz id nor a name {where.format(7)}": 1,
        f"lines dropped: no plays {where.format(8)}": 1,
        f"lines dropped: plays are no whole number {where.format(9)}": 1,
        f"lines dropped: another number of fields {where.format(10)}": 1,
        "plays of a repeated (user, artist) added up": 1,
    }


def test_profiles_become_users(tmp_path):
    write_360k(tmp_path / "raw")
    users = read_lastfm_360k(tmp_path).users.set_index("user_id")
    assert users.index.tolist() == [B, C, A]
    assert users.loc[[A]].to_numpy().tolist() == [[19, "m", "Mexico", "2007-02-01"]]
    assert users.loc[B, "registered"] == "2008-04-28", "the first of two lines"
    assert users.loc[[B, C], "age"].isna().all(), "-1337 and 91 are no ages"
    assert users["registered"].isna().tolist() == [False, True, False]


def test_counts_are_compared_with_the_published_ones(tmp_path, monkeypatch, caplog):
    write_360k(tmp_path / "raw")
    said = read_lastfm_360k(tmp_path).notes["warnings"]
    assert "lines 11 instead of 17,559,530, broken lines 5 instead of 88, users 3 instead of 359,347" in said[0]  # type: ignore[index]
    assert "lines 6 instead of 359,347" in said[1]  # type: ignore[index]
    counts = (11, 5, 3, 4, 1)
    monkeypatch.setattr(lastfm_360k, "PUBLISHED", dict(zip(PUBLISHED, counts, strict=True)))
    monkeypatch.setattr(lastfm_360k, "PUBLISHED_PROFILES", {"lines": 6})
    assert read_lastfm_360k(tmp_path).notes["warnings"] == []
    data = load_dataset("lastfm-360k", tmp_path)
    assert "is not the whole published file" not in caplog.text
    assert data.manifest["notes"]["sources"]["usersha1-artmbid-artname-plays.tsv"]["items"] == 4


def test_small_files_are_a_data_set_that_is_prepared_once(tmp_path, monkeypatch, caplog):
    folder = write_360k(tmp_path / "raw")
    data = load_dataset("lastfm-360k", tmp_path)
    assert caplog.text.count("is not the whole published file") == 2, "never silently"
    assert data.tables.interactions["weight"].sum() == 90
    monkeypatch.setattr(lastfm_360k, "_stage", lambda *_: pytest.fail("read again"))
    assert load_dataset("lastfm-360k", tmp_path).sha256 == data.sha256
    monkeypatch.undo()
    (folder / "usersha1-artmbid-artname-plays.tsv").write_text(f"{A}\t\tabba\t2\n", encoding="utf-8")
    assert len(load_dataset("lastfm-360k", tmp_path).tables.interactions) == 1, "a file that changed is read again"


@pytest.mark.parametrize(
    ("plays", "profiles", "said"),
    [
        ("", PROFILES_360K, "plays.tsv is empty; fetch it again"),
        (f"{A}\t\tabba\n", PROFILES_360K, "plays.tsv holds no line as it should be"),
        (f"{A}\t\tabba\t2\n" + "\udcff\t\tx\t1\n", PROFILES_360K, "plays.tsv, line 2: not UTF-8"),
        (PLAYS, "", "profile.tsv is empty; fetch it again"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(tmp_path, plays, profiles, said):
    folder = write_360k(tmp_path / "raw", "x", "x")
    (folder / "usersha1-artmbid-artname-plays.tsv").write_bytes(plays.encode(errors="surrogateescape"))
    (folder / "usersha1-profile.tsv").write_text(profiles, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        read_lastfm_360k(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_files_that_are_not_there_are_named_with_the_remedies(tmp_path):
    with pytest.raises(UserError, match=r"'lastfm-360k' needs lastfm-dataset-360K/.*569 MB.*MUSIC_DATA"):
        load_dataset("lastfm-360k", tmp_path)
    (download,) = FILES.downloads
    assert download.url.startswith("https://zenodo.org/records/6090214/files/lastfm-dataset-360K.tar.gz")
    assert list(download.members.values()) == ["be672526eb7c69495c27ad27803148f1", "51159d4edf6a92cb96f87768aa2be678"]
