import pytest

from common.serving.http.schemas import Like, RecommendRequest, Reference, Rerank
from common.utils.errors import UserError


@pytest.fixture(scope="module")
def service(served_place):
    service = served_place.service()
    service.models.refresh()
    return service


def test_the_catalogue_is_that_of_the_store(service, served_place, tmp_path):
    from common.serving.store.store import open_store

    place = (str(served_place.own), "listen", served_place.data_dir, tmp_path)
    with open_store(*place) as store:
        kept = store.data.catalogue("listen")
    assert kept.names.tolist() == service.catalogue.names.tolist()
    assert kept.tags.tolist() == service.catalogue.tags.tolist()
    assert kept.works.tolist() == service.catalogue.works.tolist()
    assert kept.listeners.tolist() == service.catalogue.listeners.tolist()


def test_plays_are_weights_and_the_median_where_there_are_none(service):
    likes = [Like(item="a00", plays=10), Like(item="a01"), Like(item="a02", plays=30)]
    profile, resolved, notes = service.profile(RecommendRequest(likes=likes))
    assert profile.history.items.tolist() == [0, 1, 2]
    assert profile.history.weights.tolist() == [10, 20, 30]
    assert [one["item_id"] for one in resolved] == ["a00", "a01", "a02"]
    assert notes == []


def test_a_like_given_twice_counts_once_and_beats_a_dislike(service):
    twice = RecommendRequest(likes=[Like(item="a00"), Like(name="radiohead")], dislikes=[Reference(item="a00")])
    profile, _, notes = service.profile(twice)
    assert (profile.history.items.tolist(), profile.disliked, len(notes)) == ([0], [], 1)


def test_models_are_named_in_any_case_once(service):
    assert service.asked(["ALS", "als", " popularity"]) == ["als", "popularity"]
    assert service.asked(None) == ["popularity", "tag_knn", "als"]
    assert service.similar_model(None).name == "als"


def test_nothing_is_reranked_unless_asked(service):
    assert service.reorder(Rerank(), False) is None
    assert service.reorder(Rerank(novelty=1.0), False) is not None
    with pytest.raises(UserError, match="no column genres"):
        service.reorder(Rerank(per_genre=1), False)


def test_answers_about_similar_items_are_kept_until_others_push_them_out(service, monkeypatch):
    monkeypatch.setattr("common.serving.http.service.KEPT_ANSWERS", 2)
    for item in ("a", "b"):
        service.keep(item, item.upper())
    assert service.kept("a") == "A"
    service.keep("c", "C")
    assert [service.kept(item) for item in "abc"] == ["A", None, "C"]
