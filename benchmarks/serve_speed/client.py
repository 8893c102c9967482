"""A client that costs little: requests as bytes over connections that stay open, no more parsing than needed."""

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Reply(NamedTuple):
    """Status (0: the connection broke), body, seconds from sending to the last byte, and head."""

    status: int
    body: bytes
    seconds: float
    head: bytes = b""

    @property
    def model_seconds(self) -> float:
        """What the header Server-Timing says of the models."""
        return sum(map(float, re.findall(rb"dur=([\d.]+)", self.head))) / 1000


def get(path: str) -> bytes:
    """A GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def post(path: str, body: Any) -> bytes:
    """A POST request of JSON."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.buffer = bytearray()
        self.waiting: asyncio.Future[Reply] | None = None
        self.start = 0.0

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Gather a reply; it is whole once as many bytes are there as its head says."""
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0 or self.waiting is None:
            return
        length = self.buffer.lower().index(b"content-length: ", 0, end + 2) + 16
        size = int(self.buffer[length : self.buffer.index(b"\r", length)])
        if len(self.buffer) >= end + 4 + size:
            seconds = time.perf_counter() - self.start
            reply = Reply(int(self.buffer[9:12]), bytes(self.buffer[end + 4 :]), seconds, bytes(self.buffer[:end]))
            self.buffer.clear()
            self._answer(reply)

    def connection_lost(self, _: Exception | None) -> None:
        """The server is gone."""
        self._answer(Reply(0, b"", time.perf_counter() - self.start))
        self.transport = None

    def _answer(self, reply: Reply) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(reply)
        self.waiting = None

    async def ask(self, request: bytes) -> Reply:
        """Send a request and wait for the reply."""
        if self.transport is None or self.transport.is_closing():
            return Reply(0, b"", 0.0)
        self.waiting, self.start = asyncio.get_running_loop().create_future(), time.perf_counter()
        self.transport.write(request)
        return await self.waiting


class Event(NamedTuple):
    """What happens once so many replies are there."""

    replies: int
    happens: Callable[[], object]


async def ask_all(port: int, requests: Sequence[bytes], connections: int, event: Event | None = None) -> list[Reply]:
    """The replies to requests, in their order, over so many connections at once."""
    loop, replies = asyncio.get_running_loop(), [Reply(0, b"", 0.0)] * len(requests)
    left, done = deque(enumerate(requests)), 0

    async def one() -> None:
        nonlocal done
        _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
        while left:
            place, request = left.popleft()
            replies[place] = await connection.ask(request)
            done += 1
            if event is not None and done == event.replies:
                event.happens()
        if connection.transport is not None:
            connection.transport.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return replies


def run(port: int, requests: Sequence[bytes], connections: int = 1, event: Event | None = None) -> list[Reply]:
    """`ask_all`, to its end."""
    import uvloop

    return uvloop.run(ask_all(port, requests, connections, event))
