"""A split that comes with the data is used as it is; only what is missing is drawn."""

import pytest

from common.evaluation.task import Task
from common.models.baselines import Popularity
from common.splits.protocols import draw_split
from common.splits.store import load_split
from common.splits.train_view import load_train_view
from common.utils.errors import UserError
from tests.data.sources.custom.folders import READY, TIMED, csv, load


def test_a_ready_made_split_is_used_as_it_is(tmp_path):
    data = load(tmp_path, **READY, valid=csv("u0,i8", "u1,i8"))
    for protocol in ("listen", "next"):
        split = load_split(data, protocol)
        assert split.test["item_id"].astype(str).tolist() == ["i6", "i7", "new", "i1"]
        assert split.valid["user_id"].astype(str).tolist() == ["u0", "u1"]
        assert len(split.train) == 24
        assert "new" in split.catalogue(), "an item of test alone is in the catalogue"
    for protocol in ("next-shuffled", "newcomer", "temporal"):
        with pytest.raises(UserError, match="ready-made split, which serves --protocol listen and next alone"):
            load_split(data, protocol)


def test_without_valid_it_is_carved_from_train(tmp_path):
    data = load(tmp_path, **READY)
    listen, following = draw_split(data, "listen"), draw_split(data, "next")
    assert sorted(listen.valid["user_id"].astype(str)) == ["u0", "u1", "u2", "u3"], "max(1, 6 // 10) of each"
    assert following.valid["item_id"].astype(str).tolist() == ["i5"] * 4, "the last in the file"
    assert len(listen.train) == len(following.train) == 20
    timed = {
        "train": csv("u,a,30", "u,b,10", "u,c,20", columns=TIMED),
        "test": csv("u,d,40", columns=TIMED),
    }
    assert draw_split(load(tmp_path / "timed", **timed), "next").valid["item_id"].astype(str).tolist() == ["a"]


def test_people_of_test_alone_are_scored_with_an_empty_history(tmp_path):
    data = load(tmp_path, **READY)
    asked = Task(data, "listen").test.holdout
    assert asked.codes[asked.users == "stranger"].tolist() == [-1]
    train = load_train_view(data, "listen", "final")
    evaluator = Task(data, "listen").test
    overall = evaluator.evaluate(Popularity().fit(train)).metrics
    assert overall["n_unseen_users"] == 1
    assert overall["n_targets_unseen"] == 3, "i6, i7 and new have no visible listener"


def test_negatives_of_ones_own_are_used_and_the_rest_is_drawn(tmp_path):
    negatives = "user_id,negative_id\nu0,i8\nu0,i7\nu0,i7\n"
    data = load(tmp_path, **READY | {"train": READY["train"] + "u3,i8\n"}, negatives99=negatives)
    drawn = load_split(data, "listen").negatives99.astype(str)
    of_u0 = drawn[(drawn["user_id"] == "u0") & (drawn["item_id"] == "i6")]
    assert of_u0["negative_id"].tolist() == ["i8", "i7"]
    assert {"u1", "u2", "stranger"} <= set(drawn["user_id"])
    assert data.manifest["repairs"][0]["rows"] == 1, "the repeated one"
