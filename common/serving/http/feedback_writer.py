"""Feedback into the store, one write after the other in a thread of its own."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from common.serving.store.database import Place
from common.serving.store.store import Store
from common.utils.errors import UserError

PATIENCE = 2.0
"""Seconds to wait for another process that is writing."""
T = TypeVar("T")


class FeedbackWriter:
    """Opens the store when it is first needed, and again after a failure or where another has taken its place.

    What a write returns was synced to disk before. A store that is away, locked, full or damaged fails the write alone.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._thread = ThreadPoolExecutor(1, "feedback")
        self._store: Store | None = None
        self._identity = 0

    def submit(self, write: Callable[..., T], *values: object) -> "Future[T]":
        """Let the thread call `write(store, *values)`; the future raises a UserError where the store takes nothing."""
        return self._thread.submit(self._write, write, *values)

    def _write(self, write: Callable[..., T], *values: object) -> T:
        try:
            return write(self._open(), *values)
        except UserError:
            self._close()
            raise

    def _open(self) -> Store:
        found = self.place.identity()
        if self._identity and not found:
            self._close()
            raise UserError(f"{self.place} is not there any more; put it back, or restart the service")
        if self._store is None or found != self._identity:
            self._close()
            self._store = Store(self.place, PATIENCE)
            self._identity = self.place.identity()
        return self._store

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def close(self) -> None:
        """Finish what is waiting and close the store."""
        self._thread.submit(self._close)
        self._thread.shutdown()
