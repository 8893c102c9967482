import math

import pytest
from pydantic import TypeAdapter, ValidationError

from common.serving.http.schemas import FEEDBACK, IMPRESSION, RECOMMEND, FeedbackRequest, K, Like, RecommendRequest
from common.utils.errors import UserError


def test_whole_numbers_are_taken_from_bodies_and_queries():
    adapter = TypeAdapter(K)
    assert [adapter.validate_python(value) for value in (5, 5.0, "5", 1000)] == [5, 5, 5, 1000]
    for value in (0, -1, 1001, 2.5, "", "5.0", None, True, math.nan, "9" * 5000):
        with pytest.raises(UserError, match="give a whole number from 1 to 1,000"):
            adapter.validate_python(value)
    assert adapter.json_schema() == {"maximum": 1000, "minimum": 1, "type": "integer"}


@pytest.mark.parametrize("plays", [math.nan, math.inf, 0, -1, 1e31, True, "5", []])
def test_plays_are_finite_and_above_0(plays):
    with pytest.raises(UserError, match="give a finite number above 0"):
        Like(name="x", plays=plays)
    assert Like(name="x", plays=None).plays is None


def test_the_example_is_a_request():
    request = RecommendRequest(**RECOMMEND)
    assert request.likes[0].plays == 120
    assert FeedbackRequest(**FEEDBACK).item_ids == ["227"]
    assert FeedbackRequest(**IMPRESSION).item_ids == ["227", "418"]
    with pytest.raises(ValidationError):
        RecommendRequest.model_validate({"likes": [{"name": "x" * 301}]})
