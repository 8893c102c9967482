import os
import sys
import time
from pathlib import Path

import pytest

from common.experiments.processes.side_by_side import python, run_side_by_side
from tests.conftest import ROOT

SAY = ["-m", "timeit", "-n1", "-r1"]
"""Starts a statement: without a sentence of the project's own in between."""


def saying(statement: str) -> list[str]:
    return [*SAY, "-s", statement, "pass"]


def test_a_script_lies_in_the_repository_and_a_module_anywhere():
    assert python(["2_als.py", "--seed", "1"]) == [sys.executable, str(ROOT / "2_als.py"), "--seed", "1"]
    assert python(["-m", "common", "report"]) == [sys.executable, "-m", "common", "report"]


def test_each_is_told_of_with_what_it_said_and_its_exit_code(tmp_path):
    begun: list[str] = []
    todo = {"a b": saying("import os; print(os.environ['OMP_NUM_THREADS'])"), "bad": saying("import sys; sys.exit(3)")}
    found = {ended.name: ended for ended in run_side_by_side(todo, tmp_path / "logs", 2, tell=begun.append)}
    assert sorted(begun) == ["a b", "bad"]
    assert found["a b"].log == tmp_path / "logs" / "a-b.log"
    assert found["a b"].log.read_text().startswith("1\n"), "one thread"
    assert (found["a b"].code, found["bad"].code) == (0, 1)
    assert found["a b"].seconds > 0


def test_threads_are_left_alone_if_that_is_wished(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    [ended] = run_side_by_side({"a": saying("import os; print(os.environ['OMP_NUM_THREADS'])")}, tmp_path, 1, {})
    assert ended.log.read_text().startswith("7\n")


@pytest.mark.parametrize("workers", [1, 2])
def test_no_more_than_so_many_run_at_a_time(tmp_path, workers):
    wait = "import time; print(time.time()); time.sleep(0.3); print(time.time())"
    spans = []
    for ended in run_side_by_side({name: saying(wait) for name in "abc"}, tmp_path, workers):
        start, end = map(float, ended.log.read_text().split()[:2])
        spans.append((start, end))
    overlapping = [sum(start <= other < end for start, end in spans) for other, _ in spans]
    assert max(overlapping) <= workers


def test_who_stops_asking_ends_all_that_run(tmp_path):
    note = tmp_path / "pid"
    wait = f"import os, time, pathlib; pathlib.Path({str(note)!r}).write_text(str(os.getpid())); time.sleep(600)"
    runs = run_side_by_side({"quick": saying("pass"), "slow": saying(wait), "never": saying("1/0")}, tmp_path, 2)
    assert next(runs).name == "quick"
    while not (note.exists() and note.read_text()):
        time.sleep(0.02)
    process = Path(f"/proc/{note.read_text()}")
    runs.close()
    deadline = time.monotonic() + 30
    while process.exists() and "State:\tZ" not in (process / "status").read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert time.monotonic() < deadline
    assert os.getpid() != int(note.read_text())
