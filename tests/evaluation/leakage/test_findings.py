import numpy as np

from common.evaluation.leakage.findings import LEAK, OK, Finding, finding
from tests.evaluation.leakage.worlds import CLEAN, split_of


def test_a_finding_names_the_first_row_that_is_touched():
    found = finding("a check", LEAK, np.array([False, True, True]), lambda row: f"row {row + 1}", "do this")
    assert (found.severity, found.count, found.of, found.example, found.found) == (LEAK, 2, 3, "row 2", "2 of 3")
    nothing = finding("a check", LEAK, np.zeros(3, bool), str, "do this")
    assert (nothing.severity, nothing.example, nothing.found) == (OK, "", "0 of 3")
    assert Finding("rho", OK, 0, 0, value=-0.5).found == "-0.50"


def test_parts_below_one_another_keep_the_names_of_their_rows():
    split = split_of()
    both = split.joined("train", "given", "valid")
    assert len(both) == 12
    assert [split.where(both)(row) for row in (0, 8, 9, 11)] == ["train 1", "train 9", "valid 1", "valid 3"]
    np.testing.assert_array_equal(split.keys(both)[9:], split.keys(split.parts["valid"]))


def test_parts_without_times_say_so():
    split = split_of(train=CLEAN["train"].drop(columns="timestamp"))
    assert not split.has_times
    assert "time" not in split.joined("train", "valid")
    assert "time" in split.joined("valid", "test")
