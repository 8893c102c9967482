from common.serving.http.problems import MEDIA_TYPE, place_of, problem, sentence


def test_a_problem_has_the_members_of_the_rfc():
    found = problem(503, "too much is waiting", extra=None)
    assert (found.status_code, found.media_type, found.headers["retry-after"]) == (503, MEDIA_TYPE, "1")
    assert b'"title": "Service Unavailable"' in bytes(found.body)
    assert b"extra" not in bytes(found.body)


def test_places_and_remedies_are_named():
    assert place_of(("body", "likes", 3, "plays")) == "likes[3].plays"
    error = {"type": "too_long", "loc": ("body", "likes"), "ctx": {"max_length": 5, "actual_length": 7}}
    assert sentence(error) == "likes has 7 entries; give 5 at most"
    assert sentence({"type": "missing", "loc": ("query", "item")}) == "item is missing; give it"
