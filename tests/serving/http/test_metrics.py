from common.serving.http.metrics import Metrics


def test_requests_errors_and_latency_are_counted(client):
    client.get("/v1/items", params={"q": "muse"})
    client.get("/nothing-of-the-kind")
    found = client.get("/metrics")
    assert found.headers["content-type"].startswith("text/plain")
    assert 'encore_requests_total{method="GET",route="/v1/items",status="200"}' in found.text
    assert 'encore_request_seconds_count{route="/v1/items"}' in found.text
    assert 'encore_model_available{model="als"} 1.0' in found.text
    assert "nothing-of-the-kind" not in found.text, "what somebody types makes no row of its own"


def test_two_services_count_apart():
    one, other = Metrics(), Metrics()
    one.observe("/v1/items", "GET", 503, 0.1)
    assert b'encore_errors_total{route="/v1/items"} 1.0' in one.text()
    assert b"/v1/items" not in other.text()
