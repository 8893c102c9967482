import multiprocessing
import os
import signal
import subprocess
import sys

from sqlalchemy import text

from common.serving.store.database import Place
from common.serving.store.store import Store
from tests.conftest import ROOT


def test_the_newest_feedback_on_an_item_counts_and_can_be_removed(store):
    store.feedback.add("me", "x", True)
    store.feedback.add("me", "y", True)
    store.feedback.add("me", "x", False)
    store.feedback.add("you", "x", True)
    assert store.feedback.of("me") == (["y"], ["x"])
    assert store.feedback.remove("me", "x") == 1
    assert store.feedback.of("me") == (["y"], [])
    assert store.feedback.remove("me") == 1
    assert store.feedback.of("me") == ([], [])
    assert store.feedback.of("you") == (["x"], [])


def test_values_are_bound_and_never_read_as_sql(store):
    name = "Robert'); DROP TABLE items;--"
    store.feedback.add(name, name, True)
    assert store.feedback.of(name) == ([name], [])
    assert store.data.user("listen", name) is None
    assert len(store.data.catalogue("listen")) > 0


def likes(place: Place, listener: str, count: int) -> None:
    """What one of several processes does."""
    with Store(place, patience=30) as store:
        for n in range(count):
            store.feedback.add(listener, f"{listener}-{n}", True)


def test_four_processes_that_write_lose_no_like(store):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=likes, args=(store.database.place, f"p{n}", 25)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    for n in range(4):
        assert store.feedback.of(f"p{n}")[0] == [f"p{n}-{like}" for like in range(25)]


KILLED = """
import sys
from pathlib import Path
from common.serving.store.store import Store
store = Store(Path(sys.argv[1]))
for n in range(100000):
    store.feedback.add("me", str(n), True)
    print(n, flush=True)
"""


def test_feedback_survives_a_kill(file_store):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(file_store.database.place.path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(20):
        last = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    rest = process.stdout.read().split()
    process.stdout.close()
    process.wait()
    last = int(rest[-1]) if rest else last
    kept = file_store.feedback.of("me")[0]
    assert len(kept) >= last + 1, "every like that was confirmed is there"
    assert kept == [str(n) for n in range(len(kept))]
    assert file_store.database.all(text("PRAGMA integrity_check")) == [("ok",)]
