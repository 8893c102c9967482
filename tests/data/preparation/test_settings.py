import math
from typing import Any

import pytest

from common.data.preparation.settings import PreparationSettings, read_raw_toml, recognise
from common.utils.errors import UserError

NEEDED = ["user_id", "track_id", "timestamp"]


def test_days_become_seconds():
    settings = PreparationSettings(earliest="1970-01-02", latest="1970-01-02")
    assert (settings.first_second, settings.last_second) == (86_400, 2 * 86_400 - 1)
    assert PreparationSettings(earliest="none").first_second == -math.inf
    assert PreparationSettings(latest="none").last_second == math.inf


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"train_share": 0.9, "valid_share": 0.1}, "--train-share 0.9 and --valid-share 0.1 leave nothing for test"),
        ({"repeats": "kep"}, "unknown value of --repeats 'kep': did you mean 'keep'"),
        ({"separator": "::"}, "--separator '::': give one character, or auto"),
        ({"time_zone": "Berlin"}, "--time-zone 'Berlin': no such zone; give one such as"),
        ({"time_zone": "../x"}, "--time-zone '../x': no such zone"),
        ({"earliest": "yesterday"}, "--earliest 'yesterday': give a day such as 2009-06-30, or none"),
        ({"earliest": "2010-01-02", "latest": "2010-01-01"}, "--earliest 2010-01-02 lies after --latest 2010-01-01"),
        ({"columns": ("user_id",)}, "--columns 'user_id': write standard=theirs, such as user_id=who"),
        ({"columns": ("usr_id=who",)}, "unknown column in --columns 'usr_id': did you mean 'user_id'"),
        ({"train_share": 1.5}, "0.98"),
        ({"least_users": 0}, "--least-users 0: give 1 to 2,147,483,647"),
    ],
)
def test_what_makes_no_sense_is_refused(given, said):
    with pytest.raises(UserError) as refused:
        PreparationSettings(**given).check()
    assert said in str(refused.value)


def test_defaults_make_sense():
    PreparationSettings().check()


@pytest.mark.parametrize(
    ("found", "named", "chosen"),
    [
        (["UID", "Song-ID", "PLAYED_AT"], {}, ["UID", "Song-ID", "PLAYED_AT"]),
        (["uid", "User_ID", "track_id", "time"], {}, ["User_ID", "track_id", "time"]),
        (["who", "user", "track_id", "ts"], {"user_id": "who"}, ["who", "track_id", "ts"]),
    ],
)
def test_columns_are_recognised(found, named, chosen):
    assert [recognise(found, named, "a.csv")[name] for name in NEEDED] == chosen


@pytest.mark.parametrize(
    ("found", "named", "said"),
    [
        (["user", "time", "name"], {}, "a.csv: no column is known as track_id or track among 'user', 'time', 'name'"),
        (["track_id", "time"], {}, "a.csv: no column is known as user_id among"),
        (["user_id", "track_id"], {}, "a.csv: no column is known as timestamp among"),
        (["user_id;track_id"], {}, "its cells seem to be separated by ';': say so with --separator ';'"),
        (["user_id\ttrack_id"], {}, "separated by '\\t': let its name end in .tsv"),
        (["user", "uid", "track_id", "time"], {}, "columns 'user', 'uid' may all be user_id; choose with --columns"),
        (NEEDED, {"artist": "who"}, "a.csv: column 'who' is missing among 'user_id', 'track_id', 'timestamp'"),
    ],
)
def test_columns_that_lack_or_are_unclear_are_refused(found, named, said):
    with pytest.raises(UserError) as refused:
        recognise(found, named, "a.csv")
    assert said in str(refused.value)


def raw_toml(folder, text):
    (folder / "raw.toml").write_text(text)
    return read_raw_toml(folder / "raw.toml")


def test_a_file_may_hold_the_settings(tmp_path):
    text = 'files = ["logs"]\nquotes = false\nheader = ["a", "b"]\ntest_days = 1\n[columns]\nuser_id = "who"\n'
    settings, files = raw_toml(tmp_path, text)
    expected: dict[str, Any] = {"quotes": False, "header": ("a", "b"), "test_days": 1.0, "columns": ("user_id=who",)}
    assert (settings, files) == (PreparationSettings(**expected), ["logs"])
    assert raw_toml(tmp_path, "") == (PreparationSettings(), ["."])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("quotes = maybe", "correct the file"),
        ("filess = 1", "unknown key 'filess': did you mean 'files'"),
        ("files = []", "files = []; give a list of names"),
        ('files = "a.csv"', "give a list of names"),
        ("quotes = 1", "quotes"),
        ("time_zone = 5", "time_zone = 5: give text in quotation marks"),
        ('core = "two"', "core"),
        ("train_share = 2", "train_share"),
        ("columns = 3", "columns"),
        ('[columns]\nuser = "who"', "unknown column in --columns 'user'"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_name(tmp_path, text, said):
    with pytest.raises(UserError) as refused:
        raw_toml(tmp_path, text)
    assert str(refused.value).startswith(f"{tmp_path / 'raw.toml'}: ")
    assert said in str(refused.value)


def test_a_file_that_is_missing_is_told(tmp_path):
    with pytest.raises(UserError, match=r"raw.toml: .*No such file"):
        read_raw_toml(tmp_path / "raw.toml")
