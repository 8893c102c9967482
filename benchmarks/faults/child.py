"""A stage that ends itself by a signal at a chosen rename, and notes its renames; the stage itself knows nothing of it.

    python -m benchmarks.faults.child LOG RENAME SIGNAL DELAY SCRIPT FLAGS...

Every rename of the process is written to LOG as it is asked for: `source<TAB>target`. At the one numbered RENAME (from
1; 0: never) the process sends itself SIGNAL before the rename is done, or DELAY seconds later from a thread.
"""

import os
import runpy
import signal
import sys
import threading
from pathlib import Path
from typing import Any

EVENT = "os.rename"
"""What Python calls both `os.rename` and `os.replace` when it tells audit hooks."""


def watch(log: Path, number: int, sent: int, delay: float) -> None:
    """Note every rename, and end this process at one of them."""
    handle, count = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 0

    def hook(event: str, values: tuple[Any, ...]) -> None:
        nonlocal count
        if event != EVENT:
            return
        count += 1
        os.write(handle, f"{os.fspath(values[0])}\t{os.fspath(values[1])}\n".encode())
        if count == number and delay:
            threading.Timer(delay, os.kill, (os.getpid(), sent)).start()
        elif count == number:
            os.kill(os.getpid(), sent)

    sys.addaudithook(hook)


def main(words: list[str]) -> None:
    """Watch, then run the script as Python would."""
    log, number, sent, delay, script, *flags = words
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
    watch(Path(log), int(number), signal.Signals[sent], float(delay))
    sys.argv = [script, *flags]
    sys.path.insert(0, str(Path(script).resolve().parent))
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
