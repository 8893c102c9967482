"""Log files, and messages that are said once."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from common.utils.errors import UserError
from common.utils.terminal import visible


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


class TextFormatter(logging.Formatter):
    """Messages without characters that would steer what shows them."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        return visible(super().format(record))


class _StreamHandler(logging.StreamHandler):
    """Writes no traceback where a pipe or disk takes no more, but lets who logs know."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            raise error
        super().handleError(record)


class _FileHandler(logging.FileHandler):
    """The same for a file, which is named."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            raise _unwritable(Path(self.baseFilename), error) from error
        super().handleError(record)


def log_to(stream: TextIO) -> None:
    """Let all messages of this process go to a stream, as they are."""
    handler = _StreamHandler(stream)
    handler.setFormatter(TextFormatter("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Copy the messages of a block, with times, into a file that replaces the former one at once, line by line.

    Raises a UserError where the file cannot be opened, takes no more, or cannot be closed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _FileHandler(path, mode="w", encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from error
    handler.setFormatter(TextFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    except BaseException:
        logging.getLogger().removeHandler(handler)
        with contextlib.suppress(OSError):  # what ended the block matters more
            handler.close()
        raise
    logging.getLogger().removeHandler(handler)
    try:
        handler.close()
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(f"cannot write {path}: {error.strerror or error}; free some space or choose another --output-dir")
