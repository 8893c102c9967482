"""Ends a job that no executor is left for: a standalone application would wait for ever."""

import threading
import time
from contextlib import suppress
from typing import Any

EMPTY_FOR = 30.0
"""Seconds without an executor, lost or not yet there, after which a job is ended."""
SETTLED_FOR = 3.0
"""Seconds without a new executor after which no more are waited for."""
LOOKS_EVERY = 1.0
"""Seconds between two looks at the executors."""


class Watchdog(threading.Thread):
    """Cancels the jobs of a Spark context while it has had no executor for some seconds; `fired` says that it did."""

    def __init__(self, context: Any, empty_for: float = EMPTY_FOR) -> None:
        super().__init__(name="spark-watchdog", daemon=True)
        self.fired = False
        self._context, self._empty_for = context, empty_for
        self._ended = threading.Event()

    def run(self) -> None:
        """Look, until `end`, or until there is no JVM to ask."""
        seen = time.monotonic()
        with suppress(Exception):
            while not self._ended.wait(LOOKS_EVERY):
                if executors(self._context):
                    seen = time.monotonic()
                elif time.monotonic() - seen > self._empty_for:
                    self.fired = True
                    self._context.cancelAllJobs()

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()
        self.join(timeout=10)


def settle(context: Any, most: float = EMPTY_FOR) -> None:
    """Wait until the executors of a cluster are there: until their number, not 0, has not changed for some seconds, but
    for `most` seconds at the longest."""
    until, number, since = time.monotonic() + most, 0, time.monotonic()
    while time.monotonic() < until:
        if (now := executors(context)) != number:
            number, since = now, time.monotonic()
        if number and time.monotonic() - since > SETTLED_FOR:
            return
        time.sleep(LOOKS_EVERY / 4)


def executors(context: Any) -> int:
    """Executors that a context of a cluster has now."""
    return int(context._jsc.sc().getExecutorIds().size())
