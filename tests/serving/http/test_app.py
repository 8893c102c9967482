import threading

from tests.serving.http.conftest import Place, wait_for
from tests.serving.saved_models import fit_tiny


def test_health_and_the_page(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json()["models"] == ["popularity", "tag_knn", "als"]
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert client.get("/../app.py").status_code == 404


def test_what_is_not_there_is_a_problem(client):
    for found in (client.get("/v1/nope"), client.delete("/v1/models"), client.get("/v1/feedback")):
        assert found.status_code in (404, 405)
        assert found.headers["content-type"] == "application/problem+json"
        assert "/openapi.json lists what" in found.json()["detail"]


def test_wrong_bodies_are_problems(client):
    def post(content, kind="application/json"):
        return client.post("/v1/recommend", content=content, headers={"content-type": kind})

    assert post(b"{bad").status_code == 400
    assert "the body is no JSON" in post(b"{bad").json()["detail"]
    assert post(b"\xff\xfe").status_code == 400
    assert post(b"[" * 200_000).status_code == 400
    assert post(b'{"k": ' + b"9" * 9999 + b"}").status_code in (400, 422)
    assert post(b"{}", "text/plain").status_code == 415
    assert (
        post(b'{"likes": [{"name": "muse", "plays": NaN}]}').json()["detail"].startswith("plays = nan: give a finite")
    )
    many = b'{"likes": [' + b",".join([b'{"name": "muse"}'] * 1_000_000) + b"]}"
    assert post(many).status_code == 413
    assert post(b'"' + b"\\ud800" + b'"').status_code == 422


def test_a_run_replaced_or_damaged_while_it_is_served_is_noticed(tmp_path):
    place = Place(tmp_path, ("popularity", "als"))
    asked = {"likes": [{"name": "muse"}], "models": ["als"]}
    with place.client() as client:

        def run_id():
            return client.get("/v1/models").json()["models"][1]["run_id"]

        def similar():
            found = client.get("/v1/similar?item=muse&model=als")
            return [item["score"] for item in found.json()["items"]]

        before, stop, statuses, scores = run_id(), threading.Event(), set(), similar()
        assert similar() == scores

        def keep_asking():
            while not stop.is_set():
                statuses.add(client.post("/v1/recommend", json=asked).status_code)

        asking = threading.Thread(target=keep_asking)
        asking.start()
        from common.models.linear.als import ALS

        ALS(factors=4, iterations=2, seed=5).fit(place.train).save(place.store.folder("als"))
        wait_for(lambda: run_id() not in (before, None))
        stop.set()
        asking.join()
        assert statuses == {200}
        assert similar() != scores, "nothing of the old model is kept"
        path = place.store.folder("als") / "model.npz"
        path.write_bytes(path.read_bytes()[:50])
        wait_for(lambda: run_id() is None)
        found = client.post("/v1/recommend", json=asked)
        assert found.status_code == 422
        assert "train als again" in found.json()["detail"]
        assert client.post("/v1/recommend", json=asked | {"models": None}).status_code == 200
        fit_tiny("als", place.train).save(place.store.folder("als"))
        wait_for(lambda: run_id() is not None)


def test_without_a_store_lists_still_come_and_feedback_says_so(tmp_path):
    place = Place(tmp_path, ("popularity",))
    place.library.write_bytes(b"no database" * 1000)
    with place.client() as client:
        found = client.post("/v1/feedback", json={"session": "s", "item": "a03", "kind": "like"})
        assert found.status_code == 503
        assert "the feedback was not kept: " in found.json()["detail"]
        assert client.post("/v1/recommend", json={"likes": [{"name": "muse"}]}).status_code == 200
        assert client.get("/v1/items", params={"q": "mus"}).json()["items"]


def test_a_fault_is_a_problem_too(served_place, monkeypatch, caplog):
    service = served_place.service()
    with served_place.client() as client:
        monkeypatch.setattr(type(service), "suggest", lambda *_: 1 / 0)
        found = client.get("/v1/items", params={"q": "x"})
        assert found.status_code == 500
        assert found.headers["content-type"] == "application/problem+json"
        assert 'encore_errors_total{route="/v1/items"} 1.0' in client.get("/metrics").text
