"""Lists of another program become the ranking that they mean."""

import numpy as np
import pytest

from common.evaluation.outside.lists import ranking_of, read_lists
from common.models.top_items import DEPTH
from common.utils.errors import UserError
from tests.evaluation.outside.worlds import small_task, written


@pytest.fixture
def evaluator(tmp_path):
    return small_task(tmp_path)[1]


def names(evaluator, items):
    return ["".join(evaluator.train.items["item_id"].iloc[row[row >= 0]]) for row in items]


def test_rank_puts_a_list_in_order_and_else_the_score(evaluator, tmp_path):
    by_rank = written(tmp_path / "a.csv", "user_id,item_id,rank,score anna,f,2,9 anna,d,1,1 ben,f,1,5")
    by_score = written(tmp_path / "b.csv", "user_id,item_id,score anna,f,9 anna,d,1 ben,f,5")
    found = read_lists(by_rank, evaluator)
    assert found.by == "rank"
    ranking = ranking_of(found, evaluator)
    assert names(evaluator, ranking.items) == ["df", "f"]
    assert ranking.scores[0, :2].tolist() == [1, 9], "the file's own"
    ranking = ranking_of(read_lists(by_score, evaluator), evaluator)
    assert names(evaluator, ranking.items) == ["fd", "f"]


def test_held_out_items_have_their_place_or_come_behind_everything(evaluator, tmp_path):
    lists = read_lists(written(tmp_path / "a.csv", "user_id,item_id,rank anna,f,1 anna,e,2 ben,d,1"), evaluator)
    ranking = ranking_of(lists, evaluator)
    assert evaluator.train.items["item_id"].iloc[evaluator.holdout.target_items].tolist() == ["d", "e", "f"]
    assert ranking.target_ranks.tolist() == [DEPTH + 1, 2, DEPTH + 1], "never a hit, however small the catalogue"
    assert np.isnan(ranking.target_scores[[0, 2]]).all()
    assert ranking.target_scores[1] == -2, "without scores the rank stands for one"
    assert ranking.target_ranks_sampled.tolist() == [0, 0, 0], "lists do not tell"


def test_equal_scores_are_ordered_by_the_hash_and_not_by_the_file(evaluator, tmp_path):
    rows = [f"anna,{item},1" for item in "def"]
    lists = [
        ranking_of(
            read_lists(written(tmp_path / "a.csv", " ".join(["user_id,item_id,score", *order])), evaluator), evaluator
        )
        for order in (rows, rows[::-1])
    ]
    assert lists[0].items.tolist() == lists[1].items.tolist()
    places = [evaluator.places[item] for item in lists[0].items[0, :3]]
    assert places == sorted(places)


def test_what_no_list_can_be_made_of_is_refused(evaluator, tmp_path):
    with pytest.raises(UserError, match="neither a column rank nor a column score"):
        read_lists(written(tmp_path / "a.csv", "user_id,item_id anna,d"), evaluator)
    with pytest.raises(UserError, match=r"line 2, column rank: '0' is not a whole number \(at least 1\)"):
        read_lists(written(tmp_path / "b.csv", "user_id,item_id,rank anna,d,0"), evaluator)
    with pytest.raises(UserError, match="is missing"):
        read_lists(tmp_path / "none.csv", evaluator)


def test_a_file_in_another_spelling_says_what_was_read_otherwise(evaluator, tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("user_id\titem_id\trank\n anna \td\t1\n")
    lists = read_lists(path, evaluator)
    assert [(repair.rows, "blanks" in repair.what) for repair in lists.repairs] == [(1, True)]
    assert lists.rows.tolist() == [0]
