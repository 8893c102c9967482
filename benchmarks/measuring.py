"""What several benchmarks measure with: a timed call, a made-up view, and one side of a comparison as a process."""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

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


def mapped_view(folder: Path, items: pd.DataFrame, item_tags: pd.DataFrame | None = None) -> "TrainView":
    """A view of all pairs of a matrix on disk, which stays mapped; items: a row for each column of the matrix."""
    from common.data.matrix_files import open_matrix
    from common.splits.mapped.visible import StoredInteractions, visible

    rows, histories = visible(open_matrix(folder), len(items))
    users = pd.DataFrame({"user_id": [f"u{row}" for row in rows.tolist()]})
    view = train_view(items, users, cast(pd.DataFrame, StoredInteractions(histories)), item_tags)
    return replace(view, stored=histories)


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
