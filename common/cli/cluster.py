"""A standalone Spark cluster on this machine, for a first try, until it is stopped with Ctrl-C.

python -m common cluster --workers 2 --cores 1 --worker-memory 1g
"""

import logging
import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from common.cluster.settings import MEMORY
from common.cluster.standalone import standalone
from common.experiments.flags import command, parse_flags
from common.utils.errors import UserError, short
from common.utils.settings import Range, check_ranges

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """Start a Spark master and workers as processes of their own on loopback, and end them with this command."""

    workers: Annotated[int, Range(1, 64)] = 2
    """Workers, which have an executor each."""
    cores: Annotated[int, Range(1, 1024)] = 1
    """Cores of each worker."""
    worker_memory: str = "1g"
    """Memory that each worker has for executors, such as 800m or 4g."""
    folder: Path | None = None
    """Folder for logs, and for what executors spill; without it a temporary one that is deleted in the end."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        check_ranges("", self)
        if not re.fullmatch(MEMORY, self.worker_memory):
            raise UserError(f"--worker-memory {short(self.worker_memory)}: give whole m or g, such as 800m or 4g")


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Start, say where, wait."""
    settings = parse_flags(Settings, argv)
    settings.check()
    with standalone(settings.workers, settings.cores, settings.worker_memory, settings.folder) as running:
        log.info("%d workers at %s; use it with --engine spark --master %s", settings.workers, running.url, running.url)
        log.info("Ctrl-C stops all of them")
        with suppress(KeyboardInterrupt):
            wait()


def wait() -> None:
    """Wait for ever."""
    threading.Event().wait()


if __name__ == "__main__":
    main()
