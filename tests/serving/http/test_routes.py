import numpy as np
import pytest
from sqlalchemy import text

from common.serving.http.feedback_writer import FeedbackWriter
from common.serving.store.postgres import PostgresServer
from common.serving.user_profile import UserProfile
from common.splits.histories import Histories


def ask(client, **body):
    return client.post("/v1/recommend", json=body)


def ids(found, place=0):
    return [item["item_id"] for item in found.json()["lists"][place]["items"]]


def test_models_say_what_they_are_and_what_the_data_have(client, served_place):
    found = client.get("/v1/models").json()
    assert found["dataset"] == served_place.data.name
    assert (found["kind"], found["has_plays"], found["has_time"], found["has_explicit"]) == (
        "artist",
        True,
        False,
        False,
    )
    names = {one["name"]: one for one in found["models"]}
    assert list(names) == ["popularity", "tag_knn", "als"]
    assert names["als"]["available"]
    assert names["als"]["run_id"].startswith("als/tuned/seed0@")
    assert names["als"]["can_explain"]


def test_items_are_suggested_while_somebody_types(client):
    found = client.get("/v1/items", params={"q": "bjo", "limit": 3}).json()["items"]
    assert [item["name"] for item in found] == ["Björk"]
    assert found[0]["item_id"] == "a01"
    assert client.get("/v1/items").json() == {"items": []}
    found = client.get("/v1/items", params={"q": "The"}).json()["items"]
    assert {item["name"] for item in found} == {"The Beatles", "The Cure"}


def test_lists_are_those_of_the_models_in_process(client, served_place):
    found = ask(client, likes=[{"name": "radiohead", "plays": 30}, {"item": "a01"}], k=4, models=["als", "popularity"])
    assert found.status_code == 200
    content = found.json()
    assert [one["model"] for one in content["lists"]] == ["als", "popularity"]
    assert [(one["given"], one["as"]) for one in content["resolved"]] == [("radiohead", "like"), ("id:a01", "like")]
    assert found.headers["server-timing"].startswith("als;dur=")
    service = served_place.service()
    service.models.refresh()
    weights = np.array([30, 30], np.float32)
    own = Histories(np.array([0, 2]), np.array([0, 1], np.int32), weights, len(service.catalogue))
    expected = service.recommend("als", UserProfile(-1, own), 4)
    assert ids(found) == [service.catalogue.item_ids[item] for item in expected.items]
    assert [one["score"] for one in content["lists"][0]["items"]] == expected.scores
    assert content["lists"][0]["items"][0]["reasons"][0]["kind"] == "item"
    assert not {"a00", "a01"} & {*ids(found), *ids(found, 1)}


def test_without_models_all_answer_and_without_likes_it_is_the_popular_list(client):
    found = ask(client, k=3)
    assert [one["model"] for one in found.json()["lists"]] == ["popularity", "tag_knn", "als"]
    assert ids(found) == ids(found, 1)
    assert ids(found)[0] not in ids(ask(client, k=3, dislikes=[{"item": ids(found)[0]}]), 1)
    assert all(one["note"] == "nothing was liked, so this is the popular list" for one in found.json()["lists"])


def test_reranking_changes_the_list(client):
    plain, diverse = (
        ask(client, likes=[{"item": "a00"}], models=["als"], rerank=how) for how in ({}, {"unpopularity": 4})
    )
    assert ids(plain) != ids(diverse)


def test_what_changes_nothing_is_said(client):
    found = ask(
        client, likes=[{"item": "a00"}], dislikes=[{"item": "a00"}], when="2026-01-01T20:00:00Z", models=["als"]
    )
    notes = found.json()["notes"]
    assert any("'Radiohead' is liked and disliked; the like counts" in note for note in notes)
    assert any("none of these models knows the time" in note for note in notes)


@pytest.mark.parametrize("how", ["get", "post"])
def test_similar_items(client, served_place, how):
    asked = {"item": "muse", "k": 3, "model": "als"}
    found = client.get("/v1/similar", params=asked) if how == "get" else client.post("/v1/similar", json=asked)
    codes, _ = served_place.service().models.store.open("als", served_place.train.catalogue_sha256).similar(2, 3)
    content = found.json()
    assert content["item"]["name"] == "Muse"
    assert content["basis"].startswith("cosine of the items' factors")
    assert [item["item_id"] for item in content["items"]] == [f"a{code:02d}" for code in codes]
    again = client.get("/v1/similar", params=asked)
    assert again.content == found.content


def test_feedback_is_kept_for_the_user(client, served_place):
    found = client.post("/v1/feedback", json={"session": "s", "user": "ann", "item": "a03", "kind": "dislike"})
    assert (found.status_code, found.json()["kept"]) == (201, True)
    from common.serving.store.store import Store

    with Store(served_place.library) as store:
        assert store.feedback.of("ann") == ([], ["a03"])


def test_feedback_is_taken_back(client, served_place):
    from common.serving.store.store import Store

    def give(kind, item="a05"):
        return client.post("/v1/feedback", json={"session": "t", "user": "tom", "item": item, "kind": kind})

    give("like")
    assert [give("withdraw").json()["known"] for _ in range(2)] == [True, False]
    assert give("withdraw", "left the catalogue").status_code == 201
    with Store(served_place.library) as store:
        assert store.feedback.of("tom") == ([], [])


def test_what_was_shown_is_kept_by_one_request(client, served_place):
    asked = {"session": "seer", "items": ["a03", "a04", "a03"], "kind": "impression", "request_id": "r"}
    found = client.post("/v1/feedback", json=asked)
    assert (found.status_code, found.json()) == (201, {"kept": True, "known": False})
    from common.serving.store.store import Store

    with Store(served_place.library) as store:
        rows = store.database.all(text("SELECT item_id, kind, request_id FROM clicks WHERE session = 'seer'"))
        assert rows == [("a03", "impression", "r"), ("a04", "impression", "r")]
        assert store.feedback.of("seer") == ([], [])


def test_a_server_that_is_away_stops_nothing_but_feedback(served_place, monkeypatch):
    away = FeedbackWriter(PostgresServer.parse("postgresql://me:s3cret@127.0.0.1:1/likes", "toy"))
    monkeypatch.setattr(served_place, "feedback", lambda: away)
    with served_place.client() as client:
        found = client.post("/v1/feedback", json={"session": "s", "user": "ann", "item": "a03", "kind": "like"})
        assert found.status_code == 503
        assert found.headers["content-type"] == "application/problem+json"
        said = found.json()["detail"]
        assert said.startswith("the feedback was not kept: postgresql://me@127.0.0.1:1/likes is away (")
        assert "s3cret" not in found.text
        assert client.post("/v1/recommend", json={"likes": [{"name": "muse"}]}).status_code == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"kind": "impression"}, "give one of the two"),
        ({"kind": "impression", "item": "a00", "items": ["a01"]}, "give one of the two"),
        ({"kind": "like", "items": ["a00"]}, "a like is on one item; give its id as `item`"),
        ({"kind": "impression", "items": []}, "items is empty; give at least 1"),
        ({"kind": "impression", "items": ["a00"] * 1001}, "items has 1001 entries; give 1000 at most"),
        ({"kind": "impression", "items": ["a00", "a99"]}, "no artist has the id 'a99'"),
        ({"kind": "seen", "item": "a00"}, "kind = 'seen': input should be 'like', 'dislike'"),
    ],
)
def test_feedback_that_makes_no_sense_says_why(client, body, said):
    found = client.post("/v1/feedback", json={"session": "wrong"} | body)
    assert found.status_code == 422
    assert said in found.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"k": 0}, 422, "k = 0: give a whole number from 1 to 1,000"),
        ({"k": 10**9}, 422, "k = 1000000000: give a whole number from 1 to 1,000"),
        ({"k": True}, 422, "k = True: give a whole number"),
        ({"k": "x"}, 422, "k = 'x': give a whole number"),
        ({"likes": [{"name": "Radiohat"}]}, 422, "no artist is called 'Radiohat'; did you mean 'Radiohead'"),
        ({"likes": [{"name": "nirvana"}]}, 422, "'Nirvana' (id:a17); name one by its id"),
        ({"likes": [{"item": "a99"}]}, 422, "no artist has the id 'a99'"),
        ({"likes": [{}]}, 422, "give one of the two"),
        ({"likes": [{"name": "Muse", "plays": -1}]}, 422, "plays = -1: give a finite number above 0, from 1e-30"),
        ({"likes": [{"name": "Muse"}] * 1001}, 422, "likes has 1001 entries; give 1000 at most"),
        ({"models": ["alls"]}, 422, "unknown model 'alls': did you mean 'als'"),
        ({"models": ["sasrec"]}, 422, "train it with `python 4_sasrec.py"),
        ({"exclude_explicit": True}, 422, "the data has no column explicit of items"),
        ({"rerank": {"diversity": 0.8, "calibration": 0.8}}, 422, "give two that sum to 1 or less"),
        ({"rerank": {"diversity": 2}}, 422, "rerank.diversity = 2: input should be less than or equal to 1"),
        ({"nope": 1}, 422, "nope is not known here; leave it out"),
    ],
)
def test_mistakes_end_in_a_problem_with_the_sentence_of_the_command_line(client, body, status, said):
    found = client.post("/v1/recommend", json=body)
    assert found.headers["content-type"] == "application/problem+json"
    problem = found.json()
    assert (found.status_code, problem["status"]) == (status, status)
    assert said in problem["detail"]


def test_an_unknown_name_comes_with_suggestions(client):
    found = ask(client, likes=[{"name": "Radiohat"}]).json()
    assert found["suggestions"][0] == {"item_id": "a00", "name": "Radiohead"}


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "'; DROP TABLE feedback; --", '"*', "\x00"])
def test_names_stay_text(client, text):
    found = ask(client, likes=[{"name": text}])
    assert found.status_code == 422
    assert found.headers["x-content-type-options"] == "nosniff"
    assert client.get("/v1/items", params={"q": text}).status_code == 200
    kept = {"session": text, "item": "a03", "kind": "like"}
    assert client.post("/v1/feedback", json=kept).status_code == 201


def test_the_description_has_examples_that_work(client):
    described = client.get("/openapi.json").json()
    example = described["components"]["schemas"]["RecommendRequest"]["examples"][0]
    assert client.post("/v1/recommend", json=example).status_code == 200
    assert "application/problem+json" in described["paths"]["/v1/recommend"]["post"]["responses"]["503"]["content"]


def test_a_new_item_is_placed_by_its_content(client):
    asked = {"model": "tag_knn", "tags": ["pop", "night"], "k": 3, "likes": [{"name": "coldplay", "plays": 5}]}
    found = client.post("/v1/new-items", json=asked).json()
    assert [row["rank"] for row in found["similar"]] == [1, 2, 3]
    assert all(row["item_id"] >= "a10" for row in found["similar"]), "those with the same tags"
    assert 1 <= found["listener"]["rank"] <= found["listener"]["of"] == 20
    assert client.post("/v1/new-items", json={"model": "tag_knn", "tags": {"pop": 3}}).json()["listener"] is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"model": "als", "tags": ["pop"]}, "als cannot place an item that nobody has heard"),
        ({"model": "tag_knn", "tags": ["popp"]}, "no item of the catalogue has it; did you mean 'pop'"),
        ({"model": "tag_knn"}, "nothing is known of the new item that tag_knn goes by"),
        ({"model": "sasrec", "tags": ["pop"]}, "no saved model of sasrec"),
        ({"tags": ["pop"]}, "model is missing; give it"),
    ],
)
def test_a_new_item_that_cannot_be_placed_says_why(client, body, said):
    found = client.post("/v1/new-items", json=body)
    assert found.status_code == 422
    assert said in found.json()["detail"]
