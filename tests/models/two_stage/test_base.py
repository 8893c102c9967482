"""Candidates: their scores stand above those of all other items. The hour of a request, where lists depend on it."""

import numpy as np
import pytest

from common.evaluation.statistics import bootstrap_interval
from common.evaluation.task import Task, split
from common.models.two_stage.base import Candidates
from common.models.two_stage.forest import Forest, HistGradient
from common.splits.histories import Query
from common.utils.errors import UserError
from tests.data.worlds import rhythmic


def test_scores_of_candidates_are_put_among_those_of_the_rest():
    candidates = Candidates(
        users=np.array([7, -1]),
        rows=np.array([0, 0, 1]),
        items=np.array([2, 0, 1]),
        features=np.zeros((3, 1), np.float32),
        rest=np.array([[-0.5, -0.2, -0.3], [-0.1, -0.4, -0.6]], np.float32),
    )
    assert candidates.pair_users.tolist() == [7, 7, -1]
    scores = candidates.scores(np.array([0.9, 0.0, 0.3], np.float32))
    np.testing.assert_allclose(scores, [[0.0, -0.2, 0.9], [-0.1, 0.3, -0.6]])
    assert candidates.rest[0, 2] == np.float32(-0.3), "the rest stays as it was"


def gain(task: Task) -> tuple[float, float]:
    """95% interval of what NDCG@10 on validation gains by the hour and the weekday of the request."""
    rows = [
        task.valid.ndcg_per_row(task.valid.rank(HistGradient(context=context, top=20, iterations=20).fit(task.train)))
        for context in (False, True)
    ]
    return bootstrap_interval(rows[1] - rows[0])


def test_the_hour_of_a_request_helps_where_listening_has_a_daily_rhythm(tmp_path):
    assert gain(split(rhythmic(tmp_path), "next"))[0] > 0


@pytest.mark.thorough
def test_the_hour_of_a_request_gains_nothing_where_there_is_no_rhythm(tmp_path):
    low, high = gain(split(rhythmic(tmp_path, rhythm=0.0), "next"))
    assert low < 0 < high


def test_a_list_depends_on_the_hour_where_it_is_to(tmp_path):
    task = split(rhythmic(tmp_path, users=40, items=60), "next")
    with pytest.raises(UserError, match=r"--forest.context: under 'listen' of 'synthetic.* nothing says when"):
        Forest(context=True, trees=2).fit(split(task.data, "listen").train)
    model, without = (Forest(context=context, trees=10, top=20).fit(task.train) for context in (True, False))
    assert (model.knows_hours, without.knows_hours) == (True, False)
    known = task.train.histories.take([0, 0, 0])
    at = Query(np.array([0, 0, -1]), known, np.array([20, 90, 20]))
    scores = model.scores_of(at)
    assert (scores[0] != scores[1]).any(), "another hour, another list"
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(Forest.load(tmp_path / "model").scores_of(at), scores)
    no_hour = Query(at.users[:1], known.take([0]))
    np.testing.assert_array_equal(model.scores_of(no_hour), model.score(np.array([0])))
    np.testing.assert_array_equal(without.scores_of(at)[:2], without.score(np.array([0, 0])))
    rows = np.arange(len(task.valid.users))
    np.testing.assert_array_equal(task.valid.scores_of(model, rows), model.scores_of(task.valid.query))
    hours, own = task.valid.of_rows(rows[1:3]).query.hours, task.valid.query.hours
    assert hours is not None
    assert own is not None
    np.testing.assert_array_equal(hours, own[1:3])
