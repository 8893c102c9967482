"""Stages as copies of one process: as from the shell, each by itself, and all ended with who asked for them."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from common.experiments.processes import forked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux alone")
SAY = ["-m", "timeit", "-n1", "-r1", "-s"]
STATE = "SEEN_BY_COPIES"


def saying(statement: str) -> list[str]:
    """A command that runs a statement."""
    return [*SAY, statement, "pass"]


def run_all(todo: dict[str, list[str]], folder: Path, workers: int = 2) -> dict[str, forked.Ended]:
    return {ended.name: ended for ended in forked.run_forked(todo, folder, workers)}


def test_each_ends_as_from_the_shell(tmp_path):
    begun: list[str] = []
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    todo = {
        "a b": saying("print('one'); import sys; print('two', file=sys.stderr)"),
        "left": ["0_explore.py", "--no-such-flag"],
        "killed": saying(kill),
        "stage": ["2_als.py", "--preset", "no-such-preset", "--data-dir", str(tmp_path), "--dataset", "synthetic"],
    }
    found = {ended.name: ended for ended in forked.run_forked(todo, tmp_path / "logs", 2, begun.append)}
    assert begun == list(todo)
    said = {name: ended.log.read_text() for name, ended in found.items()}
    assert found["a b"].log == tmp_path / "logs" / "a-b.log"
    assert set(said["a b"].splitlines()[:2]) == {"one", "two"}
    assert {name: ended.code for name, ended in found.items()} == {"a b": 0, "left": 2, "killed": -9, "stage": 2}
    assert "no-such-flag" in said["left"]
    assert said["stage"].startswith("error: ")
    assert "no-such-preset" in said["stage"]
    assert said["stage"].count("\n") == 1
    assert found["a b"].seconds > 0


def test_none_sees_what_another_has_done(tmp_path, monkeypatch):
    monkeypatch.delenv(STATE, raising=False)
    look = f"import os, json; print(os.environ.get('{STATE}'), hasattr(json, '{STATE}'), os.getcwd())"
    change = f"import os, json; os.environ['{STATE}'] = json.{STATE} = '1'; os.chdir('/')"
    todo = {"first": saying(change), "second": saying(look)}
    assert run_all(todo, tmp_path, 1)["second"].log.read_text().startswith(f"None False {Path.cwd()}\n")
    assert STATE not in os.environ


def test_what_is_left_for_the_end_of_a_process_is_done(tmp_path):
    note = tmp_path / "note"
    leave = f"import atexit, pathlib; atexit.register(pathlib.Path({str(note)!r}).touch)"
    assert run_all({"a": saying(leave)}, tmp_path)["a"].code == 0
    assert note.exists()


def test_one_that_is_called_says_what_it_says_here(capfd):
    assert forked.call(["0_explore.py", "--no-such-flag"]) == 2
    assert "no-such-flag" in capfd.readouterr().err


@pytest.mark.parametrize("stop", [KeyboardInterrupt, GeneratorExit])
def test_who_stops_ends_all_that_run(tmp_path, stop):
    note = tmp_path / "pid"
    wait = f"import os, time, pathlib; pathlib.Path({str(note)!r}).write_text(str(os.getpid())); time.sleep(600)"
    runs = forked.run_forked({"quick": saying("pass"), "slow": saying(wait), "never": saying("1/0")}, tmp_path, 2)
    assert next(runs).name == "quick"
    while not (note.exists() and note.read_text()):
        time.sleep(0.02)
    with pytest.raises(stop):
        runs.throw(stop())
    deadline = time.monotonic() + 30
    while Path(f"/proc/{note.read_text()}").exists() and time.monotonic() < deadline:
        forked.multiprocessing.active_children()  # takes leave of those that have ended
        time.sleep(0.02)
    assert time.monotonic() < deadline


def test_a_process_with_threads_is_not_copied(monkeypatch):
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert not forked.import_stages(["no_such_script"], [])
    finally:
        done.set()
        thread.join()


def test_elsewhere_nothing_is_imported(monkeypatch):
    monkeypatch.setattr(forked.sys, "platform", "darwin")
    assert not forked.import_stages(["no_such_script"], ["no_such_library"])


@pytest.mark.thorough
def test_imports_leave_one_thread():
    """In a process that has done nothing else, as that of the command."""
    code = "from common.experiments.processes import forked; print(forked.import_stages())"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(forked.ROOT)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert ended.stdout.split() == ["True"]
