"""Likes by several processes, whose writers are killed: every like that was acknowledged is there."""

import multiprocessing
import os
import random
import signal
import time
from multiprocessing.context import SpawnProcess
from pathlib import Path

from benchmarks.notebook import Notebook
from common.serving.store.store import Store

WRITERS = 8
EVERY = 0.5
"""Seconds between two kills."""
WAIT = 60.0
"""Seconds that a writer waits for the others."""


def measure(likes: int, folder: Path, notebook: Notebook) -> None:
    """Write likes with writers killed and started again, then look for every acknowledged one."""
    name = f"{likes} likes"
    if notebook.has("likes", name):
        return
    place = folder / "likes"
    place.mkdir(parents=True, exist_ok=True)
    for old in place.iterdir():
        old.unlink()
    with Store(place / "library.sqlite"):
        pass
    kills = _written(place, likes)
    with Store(place / "library.sqlite") as store:
        kept = {f"{writer}": set(store.feedback.of(f"listener {writer}")[0]) for writer in range(WRITERS)}
    noted = {f"{writer}": _acknowledged(place, writer) for writer in range(WRITERS)}
    lost = sum(len(set(noted[writer]) - kept[writer]) for writer in noted)
    written = sum(map(len, noted.values()))
    notebook.note("likes", name, written=written, kills=kills, lost=lost)
    print(f"{name}: {written} acknowledged, {kills} writers killed, {lost} lost", flush=True)


def _written(place: Path, likes: int) -> int:
    """Let the writers write their shares; returns how many were killed on the way, each after a like of its own."""
    draw, kills, share = random.Random(0), 0, likes // WRITERS
    running = {writer: _started(place, writer, share) for writer in range(WRITERS)}
    before = dict.fromkeys(running, 0)
    while running:
        time.sleep(EVERY)
        for writer in [writer for writer, process in running.items() if not process.is_alive()]:
            running.pop(writer).join()
            before[writer] = len(_acknowledged(place, writer))
            if before[writer] < share:
                running[writer] = _started(place, writer, share)
        at_work = [writer for writer in running if len(_acknowledged(place, writer)) > before[writer]]
        if at_work and (victim := running[draw.choice(at_work)]).is_alive() and victim.pid:
            os.kill(victim.pid, signal.SIGKILL)
            victim.join()
            kills += victim.exitcode == -signal.SIGKILL
    return kills


def _started(place: Path, writer: int, share: int) -> SpawnProcess:
    process = multiprocessing.get_context("spawn").Process(target=_write, args=(place, writer, share), daemon=True)
    process.start()
    return process


def _write(place: Path, writer: int, share: int) -> None:
    """Like items one after the other, and note each once the store has said that it is kept."""
    done = len(_acknowledged(place, writer))
    handle = os.open(place / f"{writer}.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with Store(place / "library.sqlite", WAIT) as store:
        for item in range(done, share):
            store.feedback.add(f"listener {writer}", f"item {item}", True)
            os.write(handle, f"item {item}\n".encode())


def _acknowledged(place: Path, writer: int) -> list[str]:
    path = place / f"{writer}.txt"
    return path.read_text().splitlines() if path.exists() else []


def table_row(notebook: Notebook) -> list[str]:
    """What came of the likes."""
    total = {key: sum(row[key] for row in notebook.of("likes")) for key in ("written", "kills", "lost")}
    what = f"{total['written']:,} likes by {WRITERS} processes, {total['kills']} of them killed and started again"
    return [what, f"{total['lost']} lost"]
