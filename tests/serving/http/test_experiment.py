import pytest

from common.serving.http.experiment import Experiment, keep_feedback
from common.serving.http.schemas import FeedbackRequest
from common.serving.interleaving.comparison import compare
from common.serving.interleaving.team_draft import Pick
from common.serving.store.store import Store
from common.utils.errors import UserError
from tests.serving.http.conftest import Place


def list_of(model, ids):
    rows = [{"item_id": item, "rank": n + 1, "score": 1.0 / (n + 1), "reasons": [model]} for n, item in enumerate(ids)]
    return {"model": model, "items": rows, "basis": f"basis of {model}", "terms": {}}


def test_flags_name_two_models_or_more():
    assert Experiment.parse("") is None
    parsed = Experiment.parse("ALS, hybrid_listnet")
    assert parsed is not None
    assert parsed.models == ("als", "hybrid_listnet")
    for text in ("als", "als,als"):
        with pytest.raises(UserError, match="give two models or more"):
            Experiment.parse(text)
    with pytest.raises(UserError, match="unknown model 'alls'"):
        Experiment.parse("als,alls")


def test_a_list_is_drawn_from_both_and_drawn_again_alike():
    lists = [list_of("als", "abcd"), list_of("ease", "bxyz")]
    found, picks = Experiment(("als", "ease")).interleave(lists, 4, "r1")
    assert [row["rank"] for row in found["items"]] == [1, 2, 3, 4]
    assert {pick.team for pick in picks} == {"als", "ease"}
    assert all(row["reasons"] == [pick.team] for row, pick in zip(found["items"], picks, strict=True))
    assert all("team" not in row for row in found["items"])
    assert Experiment(("als", "ease")).interleave(lists, 4, "r1")[1] == picks
    draws = [Experiment(("als", "ease")).interleave(lists, 4, f"r{n}")[1] for n in range(20)]
    assert len({tuple(draw) for draw in draws}) > 1


def test_feedback_names_the_list_it_is_on(tmp_path):
    with Store(tmp_path / "library.sqlite") as store:
        Experiment(("als", "ease")).keep(store, "r1", "listen", "s", [Pick("a", "als"), Pick("b", "ease")])

        def known(item, kind, request_id):
            return keep_feedback(store, FeedbackRequest(session="s", item=item, kind=kind, request_id=request_id))

        assert known("b", "click", "r1") is True
        assert known("x", "click", "r1") is False
        assert known("b", "click", None) is None
        assert known("c", "like", None) is None
        assert store.feedback.of("s") == (["c"], [])
        [pair] = compare(("als", "ease"), store.impressions.shown("listen", ("als", "ease")))
        assert (pair.wins, pair.losses) == (0, 1)


def test_requests_without_a_model_get_the_interleaved_list_and_clicks_on_it_count(tmp_path):
    place = Place(tmp_path, ("popularity", "als"))
    asked = {"likes": [{"item": "a00"}], "k": 6, "session": "s"}
    with place.client(experiment=Experiment(("popularity", "als"))) as client:
        assert client.get("/v1/models").json()["experiment"] == ["popularity", "als"]
        found = client.post("/v1/recommend", json=asked).json()
        [one] = found["lists"]
        assert one["model"] == "popularity,als"
        assert len({row["item_id"] for row in one["items"]}) == 6
        named = client.post("/v1/recommend", json=asked | {"models": ["als"]}).json()
        assert named["lists"][0]["model"] == "als"
        assert len(client.post("/v1/recommend", json={"k": 3}).json()["lists"]) == 2, "no likes, no experiment"
        for row in one["items"]:
            click = {"session": "s", "item": row["item_id"], "kind": "click", "request_id": found["request_id"]}
            assert client.post("/v1/feedback", json=click).json() == {"kept": True, "known": True}
        with Store(place.library) as store:
            [kept] = store.impressions.shown("listen", ("popularity", "als"))
        assert kept.clicked == {row["item_id"] for row in one["items"]}
        assert {team for _, team in kept.picks} == {"popularity", "als"}
        place.library.rename(tmp_path / "away")
        found = client.post("/v1/recommend", json=asked)
        assert found.status_code == 200
        assert "clicks on this list count for no model: " in found.json()["notes"][0]


def test_an_experiment_rests_while_a_model_of_it_is_away(tmp_path):
    place = Place(tmp_path, ("popularity", "als"))
    with place.client(experiment=Experiment(("als", "ease"))) as client:
        found = client.post("/v1/recommend", json={"likes": [{"item": "a00"}]}).json()
    assert [one["model"] for one in found["lists"]] == ["popularity", "als"]
    assert found["notes"][0].startswith("no experiment: no saved model of ease")
