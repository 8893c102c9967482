"""Rows as the files hold them: a leakage check must see what a reader would merge or refuse."""

import pytest

from common.data.sources.custom.raw_rows import read_raw
from common.utils.errors import UserError
from tests.data.sources.custom.folders import TIMED, csv, write


def test_repeated_and_overlapping_rows_are_kept_in_file_order(tmp_path):
    train, test = csv("u,b,5", "u,a,3", "u,b,1", columns=TIMED), csv("u,a,9", columns=TIMED)
    found = read_raw(write(tmp_path, train=train, test=test))
    assert list(found) == ["train", "test"]
    assert found["train"].rows.astype(str).to_numpy().tolist() == [["u", "b", "5"], ["u", "a", "3"], ["u", "b", "1"]]
    assert found["train"].where(2) == "train.csv, line 4"


def test_negatives_have_the_columns_that_their_file_has(tmp_path):
    folder = write(tmp_path, train=csv("u,a"), test=csv("u,b"), negatives99="user_id,negative_id\nu,a\nu,a\n")
    rows = read_raw(folder)["negatives99"].rows
    assert rows.astype(str).to_numpy().tolist() == [["u", "a"], ["u", "a"]]
    assert set(rows) == {"user_id", "negative_id"}


def test_a_broken_file_is_refused_all_the_same(tmp_path):
    with pytest.raises(UserError, match=r"train\.csv, line 2, column user_id"):
        read_raw(write(tmp_path, train=csv(",a"), test=csv("u,b")))
