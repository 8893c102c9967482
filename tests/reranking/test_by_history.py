"""Re-ranking settings by the length of the history."""

import numpy as np

from common.reranking.by_history import ByHistory, segments_of
from common.reranking.item_facts import Reranking


def test_every_row_is_of_one_segment():
    rows = segments_of(np.array([0, 4, 5, 99, 3]), (0, 4, 5))
    assert [of.tolist() for of in rows] == [[0, 4], [1], [2, 3]]


def test_a_run_says_what_each_segment_has():
    by = ByHistory((0, 5), (Reranking(diversity=0.1), Reranking(novelty=2.0)))
    assert by.changed() == {"least": [0, 5], "by_history": [{"diversity": 0.1}, {"novelty": 2.0}]}
