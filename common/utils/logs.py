"""Log files, and messages that are said once."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.utils.errors import UserError


@contextmanager
def log_once(*names: str) -> Iterator[None]:
    """While the block runs, loggers do not say the same message twice."""
    said: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        new = message not in said
        said.add(message)
        return new

    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addFilter(is_new)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_new)


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Copy the messages of a block, with times, into a file that replaces the former one at once, line by line."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another --output-dir") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
