"""Slow work in a few threads: so many at once, so many waiting, so long."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from typing import TypeVar

from common.serving.http.problems import Problem

T = TypeVar("T")


class WorkPool:
    """Threads for models, so that a slow one keeps nobody from a quick answer."""

    def __init__(self, threads: int, most_waiting: int, timeout: float) -> None:
        self.threads, self.most_waiting, self.timeout = threads, most_waiting, timeout
        self.executor = ThreadPoolExecutor(threads, "models")
        self.pending = 0

    async def run(self, work: Callable[..., T], *values: object) -> T:
        """What `work(*values)` returns; a Problem (503) where too much is waiting, or it takes too long."""
        if self.pending >= self.threads + self.most_waiting:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"{self.pending} requests are waiting; ask again in a moment")
        self.pending += 1
        future = self.executor.submit(work, *values)
        future.add_done_callback(self._done(asyncio.get_running_loop()))
        return await self.finish(future)

    async def finish(self, future: "Future[T]") -> T:
        """The result of a future of any thread, within the time limit."""
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self.timeout)
        except TimeoutError:
            what = f"no answer within {self.timeout:g} seconds; ask for fewer models, or start with a longer --timeout"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, what) from None

    def _done(self, loop: asyncio.AbstractEventLoop) -> Callable[[object], None]:
        def count() -> None:
            self.pending -= 1

        def done(_: object) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(count)

        return done

    def close(self) -> None:
        """Wait for what runs, and drop what waits."""
        self.executor.shutdown(cancel_futures=True)
