"""What every request goes through: bounds on bodies and time, whose pages may ask, and counting."""

import asyncio
import time
from collections.abc import Collection
from http import HTTPStatus

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.serving.http.metrics import Metrics
from common.serving.http.problems import problem

MOST_BYTES = 2**20
"""Of a body."""
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"),
]
"""Of every answer: the page loads nothing from elsewhere, and nobody else's page shows it."""
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Guard:
    """ASGI middleware. `hosts`: names that a request may be sent to, None for any; other sites cannot ask through a
    visitor's browser then, whatever their name is made to resolve to."""

    def __init__(self, app: ASGIApp, metrics: Metrics, timeout: float, hosts: Collection[str] | None) -> None:
        self.app, self.metrics, self.timeout, self.hosts = app, metrics, timeout, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on and count."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *self._headers(scope)]
            await send(message)

        try:
            refused = self._refused(scope)
            if refused is None:
                await self.app(scope, self._bounded(receive), answer)
            else:
                await problem(*refused)(scope, receive, answer)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.observe(route, scope["method"], status, time.perf_counter() - start)

    def _headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        return HEADERS[:2] if scope["path"].startswith("/v1") else HEADERS

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        """Status and sentence for a request that is not even looked into."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if self.hosts is not None and _name(host) not in self.hosts:
            return HTTPStatus.MISDIRECTED_REQUEST, "this service answers on this machine alone; ask 127.0.0.1"
        if scope["method"] != "POST":
            return None
        kind = headers.get(b"content-type", b"").decode("latin-1").split(";")[0].strip().lower()
        if kind != "application/json":
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"a body of type {kind[:60]!r}; send application/json"
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > MOST_BYTES:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE
        return None

    def _bounded(self, receive: Receive) -> Receive:
        """`receive` that gives up on a body that is too large or does not come."""
        taken, whole = 0, False

        async def bounded() -> Message:
            nonlocal taken, whole
            if whole:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self.timeout)
            except TimeoutError:
                raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, "the body did not come in time; send it anew") from None
            taken, whole = taken + len(message.get("body", b"")), not message.get("more_body", False)
            if taken > MOST_BYTES:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE)
            return message

        return bounded


TOO_LARGE = f"the body is larger than {MOST_BYTES:,} bytes; send fewer likes"


def _name(host: str) -> str:
    """A host without its port.

    >>> _name("[::1]:8000"), _name("localhost:8000"), _name("localhost")
    ('[::1]', 'localhost', 'localhost')
    """
    name, _, port = host.rpartition(":")
    return name if port.isdigit() and name else host
