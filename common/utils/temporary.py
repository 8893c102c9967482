"""Unfinished files: named after the process that writes them, swapped in together, and swept once it is gone.

A name is `.<what>-<process>@<machine>-<random><suffix>`. A folder `.new-...` is being filled; renamed to `.swap-...` it
is whole, and what lies in it takes its places: whoever finds one of a process that is gone brings that to its end.
"""

import contextlib
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.utils.errors import UserError

MACHINE = re.sub(r"\W", "_", socket.gethostname()) or "unknown"
STARTED = time.time()
"""When this process began, as far as files are concerned."""
DAY = 86_400
"""Seconds after which a file of a process on another machine counts as left behind."""
OWNED = re.compile(r"\.(?P<what>.*)-(?P<process>\d+)@(?P<machine>\w+)-[a-z0-9_]{8}(\.\w+)?")
NEW, SWAP, OLD = ".new-", ".swap-", ".old"


def prefix(what: str) -> str:
    """How the name of an unfinished file of this process begins."""
    return f".{what}-{os.getpid()}@{MACHINE}-"


@contextmanager
def swapped_in(folder: Path) -> Iterator[Path]:
    """Yield an empty folder whose files and folders replace those of the same name in `folder` once the block ends.

    An error leaves `folder` as it was. A process that is killed leaves either that, or what `sweep` brings to its end.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=prefix("new"), dir=folder))
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror}; free some space or choose another folder") from error
    whole = fresh.with_name(fresh.name.replace(NEW, SWAP, 1))
    try:
        yield fresh
        fresh.rename(whole)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    try:
        _swap(whole)
    except KeyboardInterrupt:  # a stop waits until everything is in its place
        if whole.exists():
            _swap(whole)
        raise
    except OSError as error:
        raise UserError(f"cannot replace what is in {folder}: {error.strerror}; mend that and start again") from error


def _swap(whole: Path) -> None:
    """Move everything in a `.swap-...` folder to its place, files first; may be begun again after any stop."""
    for fresh in sorted(whole.iterdir(), key=lambda path: (path.is_dir(), path.name)):
        if fresh.name != OLD:
            target, old = whole.parent / fresh.name, whole / OLD / fresh.name
            if target.is_dir() or (fresh.is_dir() and target.exists()):  # no folder replaces a file
                _delete(old)
                old.parent.mkdir(exist_ok=True)
                target.rename(old)
            fresh.replace(target)
    shutil.rmtree(whole, ignore_errors=True)


def _delete(path: Path) -> None:
    """Delete a file or folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def is_being_swapped(folder: Path) -> bool:
    """Whether files of a folder, or the folder itself, are on their way to their places.

    What a process that is gone has left on the way is brought there first.
    """
    found = [path for place in (folder, folder.parent) for path in place.glob(f"{SWAP}*")]
    for path in found:
        _sweep(path)
    return bool(found)


def sweep(folder: Path) -> None:
    """Under a folder, delete what killed processes have left unfinished, and bring their swaps to their end.

    What cannot be deleted stays; files of processes that are at work are left alone.
    """
    for place, folders, files in os.walk(folder):
        unfinished = [name for name in [*folders, *files] if OWNED.fullmatch(name)]
        folders[:] = [name for name in folders if name not in unfinished]
        for name in unfinished:
            _sweep(Path(place, name))


def _sweep(path: Path) -> None:
    owned = OWNED.fullmatch(path.name)
    with contextlib.suppress(OSError):
        if owned is None or not _is_left(path, int(owned["process"]), owned["machine"]):
            return
        if path.name.startswith(SWAP) and not _is_outdated(path):
            _swap(path)
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _is_outdated(swap: Path) -> bool:
    """Whether somebody has written what lies in its places since: that is to stay."""
    since = swap.stat().st_mtime_ns
    places = [swap.parent / path.name for path in swap.iterdir() if path.name != OLD]
    return any(place.exists() and place.stat().st_mtime_ns > since for place in places)


def _is_left(path: Path, process: int, machine: str) -> bool:
    """Whether the process that wrote a file is gone."""
    written = path.stat().st_mtime
    if machine != MACHINE or os.name == "nt":  # Windows has no signal 0, by which to ask
        return written < time.time() - DAY
    if process == os.getpid():  # numbers are given again
        return written < STARTED - 1
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False
