"""Ends a session that a master of another version refuses: Spark itself would ask it again and again for a minute."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from common.cluster.failures import OTHER_VERSION

LOOKS_EVERY = 0.5
"""Seconds between two looks at the log of a session that starts."""


@contextmanager
def refused_at_once(process: Any, log_file: Path) -> Iterator[None]:
    """Kill a driver's JVM, a `Popen`, as soon as its log tells of a master of another version while the block runs.

    What waits for the JVM in the block then raises, and the log says why.
    """
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOKS_EVERY):
            with suppress(OSError):
                if re.search(OTHER_VERSION, log_file.read_text(encoding="utf-8", errors="replace")):
                    process.kill()
                    return

    looking = threading.Thread(target=look, name="spark-registration", daemon=True)
    looking.start()
    try:
        yield
    finally:
        over.set()
        looking.join()
