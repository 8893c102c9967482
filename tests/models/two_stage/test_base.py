"""Candidates: their scores stand above those of all other items."""

import numpy as np

from common.models.two_stage.base import Candidates


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
