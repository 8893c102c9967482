import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from common.reranking.item_facts import Reranking, item_facts
from common.splits.train_view import load_train_view
from common.utils.errors import UserError
from tests.reranking.cases import JAZZ, NONE, ROCK, facts_of, one


def test_no_number_is_no_feature():
    vectors = sparse.csr_array(np.array([[1.0, np.nan], [1.0, 0.0], [0.0, 1.0], [np.inf, 0.0]]))
    facts = dataclasses.replace(facts_of([ROCK] * 4), vectors={"audio": vectors})
    assert facts.vectors["audio"].toarray().tolist() == [NONE, ROCK, JAZZ, NONE]
    assert sorted(one(facts, [4.0, 3.0, 2.0, 1.0], Reranking(diversity=0.5))) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"diversity": 1.5}, "--rerank.diversity 1.5: give 0 to 1"),
        ({"calibration": float("nan")}, "--rerank.calibration nan: give 0 to 1"),
        ({"novelty": -1.0}, "--rerank.novelty -1.0: give 0 to 1e+06"),
        ({"per_artist": -1}, "--rerank.per-artist -1: give 0 to 1,000,000"),
        ({"space": "smell"}, "--rerank.space 'smell': give auto or genre or tag or audio"),
        ({"diversity": 0.6, "calibration": 0.6}, "give two that sum to 1 or less"),
        ({"diversity": 0.3, "space": "audio"}, "--rerank.diversity: the data has no features of items (audio)"),
        ({"calibration": 0.3, "mix": "tag"}, "--rerank.calibration: the data has no features of items (tag)"),
        ({"per_artist": 1}, "--rerank.per-artist: the data has no column artist of items"),
        ({"no_explicit": True}, "--rerank.no-explicit: the data has no column explicit of items"),
        ({"recent_days": 3.0}, "--rerank.recent-days: the data has no timestamps of interactions"),
    ],
)
def test_a_mistake_is_one_sentence(wishes, message):
    with pytest.raises(UserError) as mistake:
        one(facts_of([ROCK, JAZZ]), [2.0, 1.0], Reranking(**wishes))
    assert message in str(mistake.value)
    assert "\n" not in str(mistake.value)


def test_facts_of_a_data_set(small_data):
    train = load_train_view(small_data, "listen", "select")
    facts: Any = item_facts(train)
    assert set(facts.vectors) == {"genre", "tag", "audio"}
    assert facts.explicit.tolist() == train.items["explicit"].fillna(False).astype(bool).tolist()
    assert facts.explicit.any()
    assert facts.now == train.interactions["timestamp"].max()
    assert facts.popularity.min() == 1
    assert facts.artists.shape[0] == facts.genres.shape[0] == train.n_items
