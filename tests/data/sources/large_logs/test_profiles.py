"""Profiles of users: what is believed, and what is counted."""

import pandas as pd

from common.data.sources.large_logs.profiles import read_profile
from tests.data.large_logs import PROFILES_1K, PROFILES_360K, A, B, C, write_text


def test_what_is_not_believed_is_missing_and_counted(tmp_path):
    ids = pd.Series(sorted([A, B, C, "0" * 40]), dtype="str")
    profile = read_profile(write_text(tmp_path / "profile.tsv", PROFILES_360K), ids)
    assert profile.users["user_id"].tolist() == ids.tolist()
    assert {repair.what.partition(" (first")[0]: repair.rows for repair in profile.repairs} == {
        "lines dropped: another number of fields": 1,
        "lines of a user repeated, the first kept": 1,
        "profiles of users without interactions left out": 1,
        "users without a profile added without features": 1,
        "ages outside 10 to 90, or no number, made missing": 2,
        "days of registration that are no date made missing": 1,
    }
    assert profile.counts == {"lines": 6}


def test_a_header_is_no_user(tmp_path):
    ids = pd.Series(["user_000001", "user_000002"], dtype="str")
    profile = read_profile(write_text(tmp_path / "profile.tsv", PROFILES_1K), ids)
    assert profile.counts == {"lines": 2}
    assert profile.users["gender"].tolist() == ["m", "f"]
    assert profile.users["registered"].tolist() == ["2006-08-13", "2006-02-04"]
