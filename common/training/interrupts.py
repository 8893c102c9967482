"""Ctrl-C and SIGTERM: in a training the first one stops it between two steps, a second one at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """SIGTERM: ends a program as Ctrl-C does, with an exit code of its own."""


class Interrupts:
    """Whether Ctrl-C was pressed, or the process asked to end."""

    def __init__(self) -> None:
        self.came = False
        self.number: int = signal.SIGINT

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note the first Ctrl-C or SIGTERM while the block runs; threads beside the main one cannot."""
        with _handled(SIGNALS, self._note):
            yield

    def error(self) -> KeyboardInterrupt:
        """What the signal that came is raised as."""
        return Terminated() if self.number == signal.SIGTERM else KeyboardInterrupt()

    def _note(self, number: int, _: FrameType | None) -> None:
        self.number = number
        if self.came:
            raise self.error()
        self.came = True


def exit_code(stop: KeyboardInterrupt) -> int:
    """The exit code of a program that a signal has ended, as shells give it."""
    return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM raise `Terminated` while the block runs, so that everything is left as after Ctrl-C."""

    def stop(*_: object) -> None:
        raise Terminated

    with _handled((signal.SIGTERM,), stop):
        yield


@contextmanager
def _handled(numbers: tuple[signal.Signals, ...], handler: object) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = [signal.signal(number, handler) for number in numbers]  # type: ignore[arg-type]
    try:
        yield
    finally:
        for number, before in zip(numbers, former, strict=True):
            signal.signal(number, before)
