"""What several benchmarks measure with: a timed call, and a side of a comparison in a process of its own."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """A call's result and its seconds."""
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start


class Worker:
    """A module of this folder as a process, maybe of another environment: it answers each word with a line of JSON."""

    def __init__(self, python: str, module: str, *words: str) -> None:
        command, root = [python, "-m", f"benchmarks.{module}", "--worker", *words], Path(__file__).resolve().parents[1]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        self.process: Any = subprocess.Popen(command, cwd=root, text=True, **pipes)

    def ask(self, word: str) -> dict[str, Any]:
        """Send a word and wait for the answer."""
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):  # libraries may greet
                return json.loads(line)
        raise SystemExit(f"a worker ended:\n{self.process.communicate()[1][-2000:]}")

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()
