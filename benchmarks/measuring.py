"""What several benchmarks measure with: a timed call, a made-up view, and one side of a comparison as a process."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from common.splits.train_view import TrainView


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """A call's result and its seconds."""
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start


def train_view(
    items: pd.DataFrame, users: pd.DataFrame, interactions: pd.DataFrame, item_tags: pd.DataFrame | None = None
) -> "TrainView":
    """A view of made-up tables, as a model sees those of protocol `listen`."""
    from common.splits.train_view import TrainView  # which the environments of others lack

    return TrainView("invented", "listen", "final", "", 1, items, users, interactions, item_tags=item_tags)


class Worker:
    """A module of this folder as a process, maybe of another environment: it answers each word with a line of JSON."""

    def __init__(self, python: str, module: str, *words: str) -> None:
        command, root = [python, "-m", f"benchmarks.{module}", "--worker", *words], Path(__file__).resolve().parents[1]
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
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
