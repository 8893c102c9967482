"""What is odd about lists is counted, and the first of each kind is named."""

import numpy as np
import pytest

from common.evaluation.outside.findings import check_catalogue, check_ranks, faults, remarks
from common.evaluation.outside.lists import read_lists
from common.utils.errors import UserError
from tests.evaluation.outside.worlds import small_task, written


@pytest.fixture
def world(tmp_path):
    data, evaluator = small_task(tmp_path)

    def read(text):
        return read_lists(written(tmp_path / "lists.csv", text), evaluator)

    return data, evaluator, read


def found(findings):
    return {finding.key: finding.count for finding in findings if finding.count}


ODD = "user_id,item_id,score anna,d,9 anna,d,8 anna,a,7 anna,zzz,6 anna,e, dora,d,5 dora,e,4 cleo,e,3 anna,c,2 ben,f,1"


def test_every_fault_is_counted_once(world):
    data, evaluator, read = world
    lists = read(ODD)
    users = data.tables.users["user_id"]
    odd = {finding.key: finding for finding in faults(lists, evaluator, users)}
    assert found(odd.values()) == {"strangers": 2, "unknown_items": 1, "repeats": 1, "seen": 2, "no_score": 1}
    assert str(odd["seen"]) == "2 rows of items that the user had already (first: user 'anna', item 'a')"
    at_fault = np.any([finding.rows for finding in odd.values() if finding.rows is not None], axis=0)
    assert at_fault.tolist() == [False, True, True, True, True, True, True, False, True, False]


def test_sound_lists_have_no_fault_and_say_who_is_missing(world):
    data, evaluator, read = world
    lists = read("user_id,item_id,rank anna,d,1 anna,f,3 cleo,e,1")
    assert found(faults(lists, evaluator, data.tables.users["user_id"])) == {}
    told = {finding.key: finding for finding in remarks(lists, evaluator)}
    assert found(told.values()) == {"not_evaluated": 1, "missing": 1, "short": 1, "gaps": 1}
    assert told["missing"].first == "user 'ben'"
    assert told["gaps"].first == "user 'anna'"


def test_lists_of_another_catalogue_or_of_nobody_who_is_evaluated_are_refused(world):
    data, evaluator, read = world
    with pytest.raises(UserError, match="another catalogue: not one of 2 items is in that of data set") as refused:
        check_catalogue(read("user_id,item_id,rank anna,x,1 anna,y,2"), evaluator, data.name)
    assert "here: 'a'" in str(refused.value)
    with pytest.raises(UserError, match="not one of 1 users of the lists is evaluated on test"):
        check_catalogue(read("user_id,item_id,rank cleo,d,1"), evaluator, data.name)
    check_catalogue(read("user_id,item_id,rank anna,d,1 anna,x,2"), evaluator, data.name)


def test_two_items_of_one_rank_are_refused(world):
    _, _, read = world
    with pytest.raises(UserError, match=r"1 rows have .* of the same list \(first: user .anna., rank 1\)"):
        check_ranks(read("user_id,item_id,rank anna,d,1 anna,e,1 ben,f,1 cleo,e,1 cleo,f,1"))
    check_ranks(read("user_id,item_id,score anna,d,1 anna,e,1"))
