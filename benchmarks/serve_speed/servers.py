"""Servers in processes of their own: the service, and a bare FastAPI route."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks.serve_speed.client import get, run
from common.utils.environment import ONE_THREAD
from common.utils.io import ROOT

START_SECONDS = 300
T = TypeVar("T")


class Server:
    """A running server: its process and its port."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port

    def memory(self) -> float:
        """Resident memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def cpu_seconds(self) -> float:
        """Processor seconds of its threads so far."""
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(path.read_text().split()[0]) for path in threads) / 1e9


@contextlib.contextmanager
def started(command: Sequence[str], ready: str) -> Iterator[Server]:
    """A server that prints where it listens, once `ready` answers 200; killed at the end of the block."""
    with tempfile.NamedTemporaryFile("w+") as log:
        environment = os.environ | ONE_THREAD
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, env=environment)
        try:
            port = int(_awaited(process, Path(log.name), lambda: _port(Path(log.name))))
            _awaited(process, Path(log.name), lambda: run(port, [get(ready)])[0].status == 200)
            yield Server(process, port)
        finally:
            process.kill()
            process.wait()


def _awaited(process: subprocess.Popen[bytes], log: Path, condition: Callable[[], T]) -> T:
    """What a condition gives once it is true."""
    end = time.monotonic() + START_SECONDS
    while not (found := _tried(condition)):
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"the server did not start: {log.read_text()}")
        time.sleep(0.1)
    return found


def _tried(condition: Callable[[], T]) -> T | None:
    with contextlib.suppress(OSError):
        return condition()
    return None


def _port(log: Path) -> int:
    found = re.search(r"http://\S+:(\d+)", log.read_text())
    return int(found[1]) if found else 0


def service(flags: Sequence[str]) -> contextlib.AbstractContextManager[Server]:
    """The service, with flags of `python -m common serve`."""
    return started([sys.executable, "-m", "common", "serve", "--port=0", *flags], "/readyz")


def bare(answer: Path) -> contextlib.AbstractContextManager[Server]:
    """A FastAPI route at /bare that returns the bytes of a file, on the same server with the same settings."""
    return started([sys.executable, "-m", "benchmarks.serve_speed.bare", str(answer)], "/bare")
