"""Each leak is planted and has to be found; a clean split has to pass."""

import numpy as np
import pandas as pd
import pytest

from common.evaluation.leakage.split_checks import check_parts, follows, place_within
from tests.data.worlds import pairs
from tests.evaluation.leakage.worlds import split_of, with_rows


def findings(*of, **changed):
    return {finding.check: finding for finding in check_parts(split_of(*of, **changed))}


def test_a_clean_split_passes():
    assert {f.severity for f in findings().values() if f.check != "known events after test begins"} == {"ok"}


def test_pairs_in_two_parts_are_a_leak():
    found = findings(train=with_rows("train", anna="e@5", ben="b@1"))
    assert (found["pairs in train and test"].severity, found["pairs in train and test"].count) == ("leak", 1)
    assert found["pairs in train and test"].example == "test 1"
    assert found["pairs in train and valid"].example == "valid 2"
    assert found["pairs in valid and test"].severity == "ok"


def test_repeated_rows_inside_and_across_parts():
    found = findings(train=with_rows("train", anna="a@1 b@9"), valid=with_rows("valid", cleo="b@2"))
    assert (found["repeated pairs in a part"].severity, found["repeated pairs in a part"].count) == ("look", 2)
    assert (found["repeated events in a part"].count, found["repeated events in a part"].example) == (1, "train 10")
    copied = found["events copied to another part"]
    assert (copied.severity, copied.count, copied.example) == ("leak", 1, "valid 4")


@pytest.mark.parametrize(("protocol", "severity"), [("next", "leak"), ("temporal", "leak"), ("listen", "look")])
def test_events_from_the_future_are_a_leak_where_time_counts(protocol, severity):
    found = findings(protocol, train=with_rows("train", ben="f@9"))
    for name in ("known events after the user's own test", "known events after the user's own valid"):
        assert (found[name].severity, found[name].count, found[name].example) == (severity, 1, "train 10")


def test_a_cut_in_time_leaves_nothing_known_after_test_begins():
    found = findings("temporal", train=with_rows("train", cleo="f@7"))["known events after test begins"]
    assert (found.severity, found.count, found.example) == ("leak", 1, "train 10")
    assert findings("temporal")["known events after test begins"].severity == "ok"


def test_tied_dates_are_counted_and_say_where_the_file_decides():
    test = pairs(anna="e@4", ben="e@6", cleo="c@7")  # anna's validation event has the same date
    found = findings(test=test)
    hidden = found["held-out events that share their date"]
    assert (hidden.severity, hidden.count) == ("look", 1)
    assert (found["neighbouring events of one date"].count, found["neighbouring events of one date"].of) == (1, 12)
    assert found["neighbouring events of one date"].example == "test 1"
    assert findings("next-shuffled", test=test)["held-out events that share their date"].severity == "ok"


def test_what_only_test_knows_is_told():
    found = findings(test=pairs(anna="new@6", ben="e@6", dora="c@7"))
    items = found["test rows of items only test knows"]
    assert (items.severity, items.count) == ("look", 1)
    assert found["test rows of users only test knows"].example == "test 3"


def test_newcomers_have_to_be_absent_from_train():
    given = pairs(dora="a@1 b@2")
    found = findings("newcomer", given=given, test=pairs(dora="c@7"), valid=pairs(anna="d@4"))
    assert (found["newcomers who are in train"].count, found["newcomers who are in train"].example) == (1, "valid 1")
    assert found["newcomers who are in train"].severity == "leak"


def test_ids_and_rows_that_follow_popularity_are_seen():
    counts = np.arange(1, 13)
    rows = [(f"u{user:02}", f"i{99 - item}") for item in range(12) for user in range(counts[item])]
    train = pd.DataFrame(rows, columns=["user_id", "item_id"])
    train["timestamp"] = train["item_id"].str[1:].astype(int)
    test = pd.DataFrame({"user_id": ["u00"], "item_id": ["i50"], "timestamp": [200]})
    found = findings("next", train=train, test=test, valid=test.assign(item_id="i88"))
    assert found["item ids against popularity"].value < -0.9
    assert found["item ids against time"].value > 0.9
    assert found["item ids against popularity"].severity == found["item ids against time"].severity == "look"
    assert found["rows of a user against popularity"].value > 0.3
    shuffled = train.sample(frac=1, random_state=0)
    calm = findings("next", train=shuffled, test=test, valid=test.assign(item_id="i88"))
    assert calm["rows of a user against popularity"].severity == "ok"


def test_negatives_that_the_user_has_are_a_leak():
    rows = [("anna", "e", "a"), ("anna", "e", "d"), ("anna", "e", "e"), ("ben", "e", "x"), ("ben", "e", "x")]
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "negative_id"])
    for negatives in (table, table.drop(columns="item_id")):
        found = findings(negatives=negatives)
        wrong = found["negatives that are positives"]
        assert (wrong.severity, wrong.count, wrong.of, wrong.example) == ("leak", 3, 5, "line 2")
        again = found["negatives repeated in their list"]
        assert (again.severity, again.count, again.example) == ("look", 1, "line 6")
        assert found["lists not of 99 negatives"].count == 2


def test_an_order_follows_another_either_way_and_ids_go_by_number():
    ids = np.array([f"{n}" for n in range(90, 102)], object)
    assert follows(ids, np.arange(12)) == 1.0, "as text, 100 would stand before 90"
    assert follows(ids, -np.arange(12)) == -1.0
    shuffled = np.random.default_rng(0).permutation(400)
    assert abs(follows(np.arange(400), shuffled)) < 0.2


def test_few_or_constant_values_say_nothing():
    assert np.isnan(follows(np.arange(5), np.arange(5)))
    assert np.isnan(follows(np.arange(20), np.ones(20)))


def test_places_run_from_first_to_last_of_each_user():
    assert place_within(np.array([3, 4, 3, 3, 4, 5])).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0, 0.5]
