"""Unfinished files: swapped in together, and swept once their process is gone."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.utils import temporary
from common.utils.errors import UserError
from common.utils.io import write_text
from common.utils.temporary import DAY, MACHINE, is_being_swapped, prefix, swapped_in, sweep

RANDOM = "abcd_123"


@pytest.fixture(scope="module")
def gone() -> int:
    """The number of a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_what_is_written_together_takes_its_places_together(tmp_path):
    write_text(tmp_path / "part" / "old.txt", "old")
    write_text(tmp_path / "about.txt", "old")
    write_text(tmp_path / "other.txt", "stays")
    with swapped_in(tmp_path) as fresh:
        write_text(fresh / "part" / "new.txt", "new")
        write_text(fresh / "about.txt", "new")
        assert contents(tmp_path)["about.txt"] == "old"
    assert contents(tmp_path) == {"part/new.txt": "new", "about.txt": "new", "other.txt": "stays"}
    assert not is_being_swapped(tmp_path)


def test_an_error_leaves_everything_as_it_was(tmp_path):
    write_text(tmp_path / "about.txt", "old")
    with pytest.raises(KeyError), swapped_in(tmp_path) as fresh:
        write_text(fresh / "about.txt", "new")
        raise KeyError
    assert contents(tmp_path) == {"about.txt": "old"}


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*file.*choose another folder"), swapped_in(tmp_path / "file"):
        pass


@pytest.mark.parametrize("renames", range(5))
def test_a_swap_of_a_killed_process_is_brought_to_its_end(tmp_path, monkeypatch, gone, renames):
    """Killed before its first rename, between any two, and after the last: nothing is lost, nothing mixed."""
    write_text(tmp_path / "part" / "old.txt", "old")
    write_text(tmp_path / "about.txt", "old")

    class Killed(BaseException):
        pass

    left = [None] * renames

    def counted(rename):
        def renaming(self, target):
            if not left and ".swap-" in f"{self}{target}":
                raise Killed
            if left and (".swap-" in self.parent.name or ".swap-" in Path(target).name or ".swap-" in str(target)):
                left.pop()
            return rename(self, target)

        return renaming

    monkeypatch.setattr(temporary, "prefix", lambda what: f".{what}-{gone}@{MACHINE}-")
    with monkeypatch.context() as patched:
        for name in ("rename", "replace"):
            patched.setattr(Path, name, counted(getattr(Path, name)))
        try:
            with swapped_in(tmp_path) as fresh:
                (fresh / "part").mkdir()
                (fresh / "part" / "new.txt").write_text("new")
                (fresh / "about.txt").write_text("new")
        except Killed:
            pass
    sweep(tmp_path)
    old, new = {"part/old.txt": "old", "about.txt": "old"}, {"part/new.txt": "new", "about.txt": "new"}
    assert contents(tmp_path) == (new if renames else old)
    assert {path.name for path in tmp_path.iterdir()} == {"part", "about.txt"}


def test_files_of_a_process_that_is_gone_are_deleted_and_others_are_not(tmp_path, gone):
    running = os.getppid()
    kept = [f".a-{running}@{MACHINE}-{RANDOM}.json", f".a-{os.getpid()}@{MACHINE}-{RANDOM}", f".a-1@away-{RANDOM}.npz"]
    swept = [f".a-{gone}@{MACHINE}-{RANDOM}.json", f".x-y-{gone}@{MACHINE}-{RANDOM}", f".new-{gone}@{MACHINE}-{RANDOM}"]
    for name in [*kept, *swept[:2], ".hidden", "results.json"]:
        write_text(tmp_path / "deep" / name, "")
    (tmp_path / "deep" / swept[2] / "inside").mkdir(parents=True)
    sweep(tmp_path)
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {*kept, ".hidden", "results.json"}


def test_another_machines_files_and_those_of_a_number_given_again_go_by_age(tmp_path):
    away, own = (tmp_path / f".a-{os.getpid()}@{machine}-{RANDOM}.json" for machine in ("away", MACHINE))
    for path, age in ((away, DAY + 60), (own, time.time() - temporary.STARTED + 60)):
        path.write_text("")
        os.utime(path, (time.time() - age,) * 2)
    sweep(tmp_path)
    assert not list(tmp_path.iterdir())


def test_names_tell_the_process_and_the_machine(tmp_path):
    name = f"{prefix('per_user')}{RANDOM}.parquet"
    owned = temporary.OWNED.fullmatch(name)
    assert owned is not None
    assert (owned["what"], owned["process"], owned["machine"]) == ("per_user", str(os.getpid()), MACHINE)


def test_a_swap_left_behind_does_not_replace_what_was_written_since(tmp_path, gone):
    left = tmp_path / f".swap-{gone}@{MACHINE}-{RANDOM}"
    write_text(left / "part" / "a.txt", "old")
    later = time.time() + 5
    write_text(tmp_path / "part" / "a.txt", "new")
    os.utime(tmp_path / "part", (later, later))
    sweep(tmp_path)
    assert contents(tmp_path) == {"part/a.txt": "new"}


def test_a_stop_after_the_last_rename_is_still_a_stop(tmp_path, monkeypatch):
    swap = temporary._swap

    def stopped(whole: Path) -> None:
        swap(whole)
        raise KeyboardInterrupt

    monkeypatch.setattr(temporary, "_swap", stopped)
    with pytest.raises(KeyboardInterrupt), swapped_in(tmp_path) as fresh:
        write_text(fresh / "a.txt", "new")
    assert contents(tmp_path) == {"a.txt": "new"}


@pytest.mark.parametrize("folder_first", [True, False])
def test_a_folder_and_a_file_of_one_name_take_each_others_place(tmp_path, folder_first):
    for is_folder in (folder_first, not folder_first):
        with swapped_in(tmp_path / "out") as fresh:
            if is_folder:
                (fresh / "table").mkdir()
                (fresh / "table" / "part").write_text("folder")
            else:
                (fresh / "table").write_text("file")
    last = tmp_path / "out" / "table" / "part" if not folder_first else tmp_path / "out" / "table"
    assert last.read_text() == ("folder" if not folder_first else "file")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["table"]
