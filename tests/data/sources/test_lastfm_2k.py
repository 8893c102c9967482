import datetime
import os
from pathlib import Path

import pytest

from common.data.sources.lastfm_2k import FILES, read_lastfm
from common.data.tables import Repair
from common.utils.errors import UserError
from tests.data.handwritten import LASTFM, write_lastfm


def text(name: str) -> str:
    return LASTFM[f"{name}.dat"]


def seconds(year: int, month: int, day: int) -> int:
    return int(datetime.datetime(year, month, day, tzinfo=datetime.UTC).timestamp())


@pytest.fixture
def real_folder() -> Path:
    folder = Path(os.environ.get("MUSIC_DATA", "data/raw")) / "hetrec2011-lastfm-2k"
    if not folder.is_dir():
        pytest.skip("the real Last.fm files are not here")
    return folder


def test_the_handwritten_files_are_read(tmp_path):
    tables = read_lastfm(write_lastfm(tmp_path))
    assert tables.artists["item_id"].tolist() == ["1", "10", "11", "2", "4", "7"]
    assert tables.artists["name"].tolist() == [
        "Velvet Otters",
        "!!!",
        "NA",
        'The "Quoted Band',
        "Élan Vitále",
        "夜の海",
    ]
    assert tables.users["user_id"].tolist() == ["2", "3", "5", "8"]
    assert tables.interactions.iloc[0].tolist() == ["2", "1", 300.0]
    assert tables.interactions.dtypes["weight"] == "float64"
    assert len(tables.interactions) == 9
    assert tables.social.to_numpy().tolist() == [["2", "3"], ["2", "5"], ["3", "2"], ["5", "2"]]
    assert tables.repairs == []


def test_tag_assignments_keep_file_order_odd_years_and_artists_outside_the_list(tmp_path):
    tags = read_lastfm(write_lastfm(tmp_path)).user_item_tags
    assert tags["tag"].tolist() == ["canção", "metal", "shoegaze", "shoegaze"]
    assert tags["item_id"].tolist() == ["1", "1", "999", "1"]
    assert tags["timestamp"].tolist() == [seconds(2009, 4, 1), seconds(1956, 1, 1), seconds(2008, 2, 29), 0]
    assert tags.dtypes["timestamp"] == "int64"


def test_line_endings_marks_and_trailing_blank_lines_make_no_difference(tmp_path):
    plain = read_lastfm(write_lastfm(tmp_path / "a"))
    changed = {name.removesuffix(".dat"): content.replace("\r\n", "\n") for name, content in LASTFM.items()}
    changed["artists"] = "\ufeff" + changed["artists"].replace("\n", "\r\n") + "\r\n\r\n"
    changed["user_friends"] = changed["user_friends"].rstrip("\n")
    tags = ("\ufeff" + changed.pop("tags")).encode()  # saved as UTF-8 by an editor
    other = read_lastfm(write_lastfm(tmp_path / "b", tags=tags, **changed))
    assert other.artists.equals(plain.artists)
    assert other.user_item_tags.equals(plain.user_item_tags)
    assert other.sources == plain.sources


def test_a_file_that_is_not_the_published_one_is_read_with_a_warning(tmp_path):
    tables = read_lastfm(write_lastfm(tmp_path))
    assert tables.sources["tags.dat"]["rows"] == 3
    assert not any(source["matches_reference"] for source in tables.sources.values())
    assert len(tables.warnings) == 5
    assert "3 rows instead of 11,946" in " ".join(tables.warnings)


def test_repairs_are_made_and_counted(tmp_path):
    folder = write_lastfm(
        tmp_path,
        user_artists=text("user_artists") + "8\t1\t11\r\n2\t1\t1\r\n",
        artists=text("artists") + "12\tUnheard\tu\tp\n",
        user_friends="userID\tfriendID\n2\t3\n2\t3\n5\t5\n8\t2\n2\t8\n",
        user_taggedartists=text("user_taggedartists") + "5\t1\t2\t1\t4\t2009\n",
    )
    tables = read_lastfm(folder)
    assert tables.repairs == [
        Repair("interactions", "plays of a repeated (user, artist) pair added up", 2),
        Repair("items", "artist that nobody listened to dropped", 1),
        Repair("social", "friendship with oneself dropped", 1),
        Repair("social", "repeated friendship dropped", 1),
        Repair("social", "missing reverse direction of a friendship added", 1),
        Repair("user_item_tags", "repeated tag assignment dropped", 1),
    ]
    plays = tables.interactions.set_index(["user_id", "item_id"])["weight"]
    assert plays["8", "1"] == 111
    assert plays["2", "1"] == 301
    assert "12" not in set(tables.artists["item_id"])
    assert tables.social.to_numpy().tolist() == [["2", "3"], ["2", "8"], ["3", "2"], ["8", "2"]]
    assert len(tables.user_item_tags) == 4


ONE_LISTEN = "userID\tartistID\tweight\n2\t1\t{}\n"
ONE_TAGGING = "userID\tartistID\ttagID\tday\tmonth\tyear\n5\t1\t1\t1\t1\t2009\n{}\n"

BAD = [
    (
        {"user_artists": "user\tartist\tplays\n2\t1\t3\n"},
        ["line 1", "'user', 'artist', 'plays'", "userID"],
    ),
    ({"user_artists": "2\t1\t3\n"}, ["user_artists.dat, line 1", "column 'userID' is missing"]),
    ({"user_artists": b""}, ["user_artists.dat, line 1", "empty"]),
    ({"user_friends": "userID\tfriendID\r\n"}, ["user_friends.dat, line 2", "no rows"]),
    ({"user_artists": text("user_artists") + "8\t2\r\n"}, ["user_artists.dat, line 11", "2 columns instead of 3"]),
    ({"artists": text("artists") + "\n9\tTab\tbed\tu\tp\n"}, ["artists.dat, line 9", "5 columns instead of 4"]),
    ({"artists": text("artists") + "9\tTab\tbed\tu\tp\n"}, ["artists.dat, line 8", "5 columns instead of 4"]),
    ({"artists": text("artists") + "9\t \tu\tp\n"}, ["artists.dat, line 8", "column name", "is no name"]),
    ({"artists": text("artists") + "4\tTwice\tu\tp\n"}, ["artists.dat, line 8", "column id", "'4'"]),
    ({"artists": text("artists") + "x\tLetter\tu\tp\n"}, ["artists.dat, line 8", "column id", "'x'"]),
    ({"artists": text("artists").encode() + b"9\tCaf\xe9\tu\tp\n"}, ["artists.dat, line 8", "0xe9"]),
    ({"artists": b"\xef\xbb\xbf" + text("artists").encode() + b"9\tCaf\xe9\tu\tp\n"}, ["artists.dat, line 8", "0xe9"]),
    *[
        (
            {"user_artists": ONE_LISTEN.format(plays)},
            ["line 2", "column weight", repr(plays) if plays else "nothing"],
        )
        for plays in ("many", "-3", "0", "nan", "inf", "-inf", "", "1,5", "1e999")
    ],
    ({"user_artists": text("user_artists") + "8\t99\t5\r\n"}, ["user_artists.dat, line 11", "artistID", "artists.dat"]),
    ({"user_friends": text("user_friends") + "2\t77\r\n"}, ["user_friends.dat, line 6", "friendID", "'77'"]),
    ({"user_friends": text("user_friends") + "77\t2\r\n"}, ["user_friends.dat, line 6", "userID", "'77'"]),
    ({"tags": text("tags") + "9\tagain\r\n"}, ["tags.dat, line 5", "column tagID", "'9'"]),
    *[
        ({"user_taggedartists": ONE_TAGGING.format(row)}, ["user_taggedartists.dat, line 3", f"column {column}", value])
        for row, column, value in [
            ("77\t1\t1\t1\t1\t2009", "userID", "'77'"),
            ("5\t1\t8\t1\t1\t2009", "tagID", "tags.dat"),
            ("5\t1\t1\t1\t13\t2009", "month", "'13'"),
            ("5\t1\t1\t1\t0\t2009", "month", "'0'"),
            ("5\t1\t1\t30\t2\t2009", "day", "'30'"),
            ("5\t1\t1\t29\t2\t2009", "day", "'29'"),
            ("5\t1\t1\t1.5\t2\t2009", "day", "whole"),
            ("5\t1\t1\t1\t1\tMMIX", "year", "'MMIX'"),
            ("userID\tartistID\ttagID\tday\tmonth\tyear", "tagID", "'tagID'"),
        ]
    ],
]


@pytest.mark.parametrize(("replaced", "said"), BAD)
def test_a_bad_line_is_named(tmp_path, replaced, said):
    with pytest.raises(UserError) as caught:
        read_lastfm(write_lastfm(tmp_path, **replaced))
    message = str(caught.value)
    assert all(part in message for part in said), message
    assert "\n" not in message
    assert ";" in message, "the remedy is missing"


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tmp_path, name):
    (write_lastfm(tmp_path) / name).unlink()
    with pytest.raises(UserError, match=f"{name} is missing"):
        read_lastfm(tmp_path)


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    (write_lastfm(tmp_path) / "tags.dat").unlink()
    (tmp_path / "tags.dat").mkdir()
    with pytest.raises(UserError, match=r"tags\.dat is a folder"):
        read_lastfm(tmp_path)


def test_an_unreadable_file_is_named(tmp_path):
    (write_lastfm(tmp_path) / "tags.dat").unlink()
    (tmp_path / "tags.dat").symlink_to("tags.dat")
    with pytest.raises(UserError, match=r"cannot read .*tags\.dat"):
        read_lastfm(tmp_path)


@pytest.mark.real_data
def test_the_real_files(real_folder):
    tables = read_lastfm(real_folder)
    assert tables.warnings == []
    assert tables.repairs == []
    assert len(tables.interactions) == 92_834
    assert len(tables.artists) == 17_632
    assert len(tables.users) == 1_892
    assert len(tables.social) == 25_434
    assert len(tables.user_item_tags) == 186_479
    assert len(tables.user_item_tags[["user_id", "item_id"]].drop_duplicates()) == 71_064
    assert (tables.interactions.groupby("user_id").size() == 50).sum() == 1_829
    assert (tables.user_item_tags["timestamp"] < seconds(1980, 1, 1)).sum() == 5


def test_ids_with_blanks_are_trimmed_and_counted(tmp_path):
    spelled = LASTFM["user_friends.dat"].replace("2\t3", " 2 \t3", 1)
    tables = read_lastfm(write_lastfm(tmp_path, user_friends=spelled))
    assert tables.social.to_numpy().tolist() == [["2", "3"], ["2", "5"], ["3", "2"], ["5", "2"]]
    assert [(repair.table, repair.rows) for repair in tables.repairs] == [("user_friends", 1)]
