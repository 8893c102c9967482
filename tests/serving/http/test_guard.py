import asyncio

import pytest
from starlette.testclient import TestClient

from common.serving.http.guard import MOST_BYTES, Guard
from common.serving.http.metrics import Metrics
from common.serving.http.server import hosts_of


async def echo(scope, receive, send):
    """Answers how many bytes came."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


def client_of(metrics=None, timeout=5.0, host="127.0.0.1"):
    return TestClient(Guard(echo, metrics or Metrics(), timeout, hosts_of(host)), "http://localhost")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json"}, 200),
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": ""}, 415),
        ({"content-type": "application/json", "content-length": str(MOST_BYTES + 1)}, 413),
        ({"content-type": "application/json", "content-length": "-1"}, 413),
        ({"content-type": "application/json", "host": "evil.example"}, 421),
        ({"content-type": "application/json", "host": "evil.example:8000"}, 421),
        ({"content-type": "application/json", "host": "127.0.0.1:8000"}, 200),
        ({"content-type": "application/json", "host": "[::1]:8000"}, 200),
    ],
)
def test_bodies_and_hosts_are_checked_first(headers, status):
    found = client_of().post("/", content=b"{}", headers=headers)
    assert found.status_code == status
    assert found.headers["x-content-type-options"] == "nosniff"


def test_others_may_come_by_any_name_where_they_are_let_in():
    assert client_of(host="0.0.0.0").get("/", headers={"host": "music.example"}).status_code == 200


def drive(guard, messages):
    """What a guard lets through of a body that comes in pieces."""
    sent = []
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-type", b"application/json")]}

    async def receive():
        return messages.pop(0) if messages else await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    return sent


@pytest.mark.parametrize(("size", "status"), [(MOST_BYTES, 413), (10, 408)])
def test_a_body_in_pieces_is_bounded_in_size_and_time(size, status):
    from fastapi import HTTPException

    pieces = [{"type": "http.request", "body": b"x" * size, "more_body": True}] * 2
    metrics = Metrics()
    with pytest.raises(HTTPException) as refused:
        drive(Guard(echo, metrics, 0.05, None), pieces if status == 413 else pieces[:1])
    assert refused.value.status_code == status
    assert b'status="500"' in metrics.text(), "nobody turned it into an answer here"
