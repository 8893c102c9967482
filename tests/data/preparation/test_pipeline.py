import json
import os
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from common.data.preparation import matrices, pipeline
from common.data.preparation.pipeline import TEN_STEPS, needed_later, space_needed
from common.data.preparation.steps import canonical_ids
from common.data.preparation.workspace import held
from common.utils.errors import UserError
from tests.data.preparation.raw_logs import LOG, TEST, TRAIN, VALID, content, event, interactions, run, write_raw

ROOT = Path(__file__).resolve().parents[3]
NAMES = [step.name for step in TEN_STEPS]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return write_raw(tmp_path_factory.mktemp("raw") / "log.csv", LOG)


@pytest.fixture(scope="module")
def out(tmp_path_factory, raw):
    folder = tmp_path_factory.mktemp("prepared") / "out"
    run(folder, raw)
    return folder


def fail_at(monkeypatch, name, error):
    """Let a step fail once it has written something."""

    def failing(work):
        work.write("events", pl.DataFrame({"half": [1]}))
        raise error

    failing.__name__ = name
    story = tuple(replace(step, run=failing) if step.name == name else step for step in TEN_STEPS)
    monkeypatch.setattr(pipeline, "TEN_STEPS", story)


def is_clean(folder):
    return not list(folder.rglob(".*"))


def test_ten_steps_in_order_are_told(out):
    told = json.loads((out / "steps.json").read_text())["steps"]
    assert [entry["step"] for entry in told] == NAMES
    assert [(entry["rows_in"], entry["rows_out"]) for entry in told] == [
        *[(20, 20)] * 5,
        (2, 2),
        (5, 5),
        (20, 20),
        (20, 11),
        (11, 11),
    ]
    assert all(entry["seconds"] > 0 and entry["peak_mb"] > 1 and not entry["dropped"] for entry in told)
    assert not (out / "steps").exists()


def test_no_step_reads_what_none_has_written():
    assert needed_later(TEN_STEPS) == set()
    assert needed_later(TEN_STEPS[8:]) == {
        "events",
        "users",
        "tracks",
        "artists",
        "left_out",
        "near_spellings",
        "dropped",
    }


@pytest.mark.parametrize("kinds", [("tsv.zst",), ("jsonl.gz",), ("json", "parquet", "csv.gz")])
def test_every_format_and_any_number_of_files_give_the_same_bytes(tmp_path, out, kinds):
    cuts = [len(LOG) * place // len(kinds) for place in range(len(kinds) + 1)]
    pieces = zip(kinds, cuts, cuts[1:], strict=False)
    files = [write_raw(tmp_path / f"log.{kind}", LOG[start:end]) for kind, start, end in pieces]
    run(tmp_path / "out", *files)
    assert content(tmp_path / "out") == content(out)


def test_memory_and_blocks_change_no_result(tmp_path, raw, out, monkeypatch):
    monkeypatch.setattr(canonical_ids, "BYTES_PER_EVENT", 2 * 10**7)
    monkeypatch.setattr(matrices, "BLOCK", 2)
    told = run(tmp_path / "out", raw, size="400MB")
    assert told["canonical_ids"]["notes"]["buckets"] == 4
    assert content(tmp_path / "out") == content(out)


def test_a_run_goes_on_after_the_last_step_that_was_done(tmp_path, raw, out, monkeypatch):
    for done, name in enumerate(NAMES):
        fail_at(monkeypatch, name, RuntimeError(name))
        with pytest.raises(RuntimeError, match=name):
            run(tmp_path / "out", raw)
        listed = json.loads((tmp_path / "out" / "steps.json").read_text())["steps"] if done else []
        assert [entry["step"] for entry in listed] == NAMES[:done]
        assert is_clean(tmp_path)
        assert not (tmp_path / "out" / "manifest.json").exists()
    monkeypatch.undo()
    run(tmp_path / "out", raw)
    assert content(tmp_path / "out") == content(out)


KILLED = """
import os, signal, sys
from pathlib import Path
from common.data.preparation.pipeline import prepare
from common.data.preparation.steps import write_tables
write_tables.export_npz = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
prepare([Path(sys.argv[1])], Path(sys.argv[2]))
"""


def test_a_killed_process_leaves_nothing_that_the_next_one_minds(tmp_path, raw, out):
    command = [sys.executable, "-c", KILLED, str(raw), str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"POLARS_MAX_THREADS": "1"}, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not is_clean(tmp_path)
    assert not (tmp_path / "out" / "manifest.json").exists()
    run(tmp_path / "out", raw)
    assert content(tmp_path / "out") == content(out)
    assert is_clean(tmp_path)


@pytest.fixture
def stopped(tmp_path, raw, monkeypatch):
    """A run with all tables kept that ended before the last step."""
    with monkeypatch.context() as patch:
        fail_at(patch, NAMES[-1], RuntimeError("stop"))
        with pytest.raises(RuntimeError):
            run(tmp_path / "out", raw, keep=True)
    return tmp_path / "out"


@pytest.mark.parametrize(
    ("gone", "after"),
    [
        ("09_aggregate_interactions/interactions/0.parquet", 8),
        ("05_deduplicate_events/events", 9),  # read by no later step
        ("07_group_work_versions", 6),
        ("08_filter_bots", 9),
        ("04_canonical_ids/users", 3),
    ],
)
def test_what_was_deleted_by_hand_is_made_again(stopped, raw, out, gone, after, caplog):
    path = stopped / "steps" / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with caplog.at_level("INFO"):
        run(stopped, raw)
    assert f"going on after step {after}, {NAMES[after - 1]}" in caplog.text
    assert content(stopped) == content(out)


def test_tables_that_an_earlier_start_left_do_not_take_space(stopped, raw, monkeypatch):
    """A process that was killed between a step and the deletion of what it read."""
    fail_at(monkeypatch, NAMES[-1], RuntimeError("again"))
    assert (stopped / "steps" / "01_scan" / "events").exists()
    with pytest.raises(RuntimeError):
        run(stopped, raw)
    assert not (stopped / "steps" / "01_scan").exists()
    assert (stopped / "steps" / "09_aggregate_interactions" / "interactions").exists()


def test_a_table_that_was_changed_is_made_again(stopped, raw, out):
    path = stopped / "steps" / "09_aggregate_interactions" / "interactions" / "0.parquet"
    path.write_bytes(path.read_bytes()[:-10])
    run(stopped, raw)
    assert content(stopped) == content(out)


def test_what_is_done_is_not_done_again(tmp_path, out, raw, caplog):
    shutil.copytree(out, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    with caplog.at_level("INFO"):
        told = run(tmp_path / "out", raw)
    assert list(told) == NAMES
    assert "is up to date: prepared before" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before


def test_a_file_of_the_data_set_that_is_gone_is_made_again(tmp_path, out, raw):
    shutil.copytree(out, tmp_path / "out")
    (tmp_path / "out" / "matrices" / "train" / "first.npy").unlink()
    run(tmp_path / "out", raw)
    assert content(tmp_path / "out") == content(out)


def test_other_settings_and_changed_files_begin_anew(tmp_path, out, caplog):
    log = write_raw(tmp_path / "log.csv", LOG)
    shutil.copytree(out, tmp_path / "out")
    told = run(tmp_path / "out", log, repeats="keep")
    assert told["aggregate_interactions"]["dropped"] == {}
    write_raw(log, [*LOG[:-1], event("f", "Lotus", 190, "Radiohead")])
    run(tmp_path / "out", log)
    assert interactions(tmp_path / "out", "test") == [TEST[1], ("f", "radiohead | lotus", 1, 190, 190)]
    assert "is up to date" not in caplog.text


def test_all_tables_may_be_kept(stopped):
    held = sorted(path.relative_to(stopped / "steps").as_posix() for path in (stopped / "steps").glob("*/*"))
    assert held == sorted(
        f"{number:02}_{step.name}/{table}"
        for number, step in enumerate(TEN_STEPS, 1)
        for table in step.writes
        if table != "dropped"  # no row was
    )


def test_a_full_disk_is_one_sentence_and_what_is_done_is_kept(tmp_path, raw, out, monkeypatch):
    said = "parquet: File out of specification: underlying IO error: No space left on device (os error 28)"
    for error in (pl.exceptions.ComputeError(said), OSError(28, "No space left on device")):
        fail_at(monkeypatch, "filter_bots", error)
        with pytest.raises(UserError, match=r"step filter_bots cannot go on in .*: No space left on device; free some"):
            run(tmp_path / "out", raw)
        assert is_clean(tmp_path)
    monkeypatch.undo()
    run(tmp_path / "out", raw)
    assert content(tmp_path / "out") == content(out)


def test_other_errors_are_no_sentence(tmp_path, raw, monkeypatch):
    fail_at(monkeypatch, "scan", pl.exceptions.ComputeError("a mistake of ours"))
    with pytest.raises(pl.exceptions.ComputeError):
        run(tmp_path / "out", raw)


def test_too_small_a_disk_is_seen_before_anything_is_written(tmp_path, raw, monkeypatch):
    usage = namedtuple("usage", "total used free")
    size = raw.stat().st_size
    assert space_needed([raw]) == 2 * size
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 2 * size))
    pipeline._check_disk([raw], tmp_path / "out")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 2 * size - 1))
    with pytest.raises(UserError, match=r"may take 0.\d+ MB below .*out, and 0.\d+ MB are free; free some space"):
        run(tmp_path / "out", raw)
    assert not (tmp_path / "out").exists()


def test_less_memory_than_the_program_needs_is_refused_with_the_figure(tmp_path, raw):
    with pytest.raises(UserError, match=r"may take 399 MB of memory, and need 400MB .* give --memory 400MB or more"):
        run(tmp_path / "out", raw, size="399MB")
    assert not (tmp_path / "out").exists()


def test_a_folder_is_prepared_by_one_process_at_a_time(tmp_path, raw, out):
    (tmp_path / "out").mkdir()
    with held(tmp_path / "out"):
        other = [sys.executable, "-m", "common", "prepare", str(raw), "--out", str(tmp_path / "out")]
        done = subprocess.run(other, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{tmp_path / 'out'} is being prepared by another process; wait for it to end, or choose" in done.stderr
    run(tmp_path / "out", raw)
    assert content(tmp_path / "out") == content(out)


def test_a_log_without_a_sound_row_leaves_a_sample_and_no_data_set(tmp_path, raw, out):
    log = write_raw(tmp_path / "log.csv", [row | {"user_id": ""} for row in LOG])
    for _ in range(2):  # the second one goes on with the same step
        with pytest.raises(UserError, match=r"every row is broken, most of them by no user; look at some of them in"):
            run(tmp_path / "out", log)
    sample = pl.read_parquet(tmp_path / "out" / "steps" / "dropped.parquet")
    assert sample.select("rule", "row").rows() == [("user_missing", row) for row in range(1, 21)]
    assert is_clean(tmp_path)
    shutil.copy(raw, log)
    run(tmp_path / "out", log)
    assert content(tmp_path / "out") == content(out)


def test_dropped_rows_of_another_log_do_not_stay(tmp_path, raw, out):
    run(tmp_path / "out", write_raw(tmp_path / "log.csv", [*LOG, LOG[0] | {"user_id": ""}]))
    assert len(pl.read_parquet(tmp_path / "out" / "dropped.parquet")) == 1
    run(tmp_path / "out", raw)
    assert content(tmp_path / "out") == content(out)


@pytest.mark.parametrize("place", ["log.csv", "below/log.csv"])
def test_a_raw_file_inside_the_folder_of_the_data_set_is_refused(tmp_path, place):
    log = write_raw(tmp_path / "out" / place, LOG)
    with pytest.raises(UserError, match=r"log.csv lies in .*out, where the data set is to be; choose another folder"):
        run(tmp_path / "out", log)


def test_a_user_of_many_rows_is_no_trouble(tmp_path):
    rows = [*LOG[:15], *[event("a", "Creep", 150 + step * step % 977, "Radiohead") for step in range(20_000)], *LOG]
    told = run(tmp_path / "out", write_raw(tmp_path / "log.parquet", rows), bot_events_per_day=10**6, repeats="keep")
    assert told["deduplicate_events"]["rows_out"] < 600
    assert {row[0] for row in interactions(tmp_path / "out", "test")} >= {"a"}


LATER = [
    event("a", "CREEP!!", 165, "The Radiohead", album="Late", genre="late"),  # other spellings, albums, genres
    event("x", "New", 171, "radioheads feat. Nobody"),
    event("b", "Nude (Live)", 185, "RADIOHEAD", genre="Late"),
    event("0", "Aaa", 195, "Aaa"),  # before all others by id
]
FILES_OF_TRAIN = ("interactions_train.parquet", "train_matrix.npz", "matrices/train/")


@pytest.mark.parametrize("buckets", [1, 4])
def test_events_after_the_cut_change_no_file_of_train(tmp_path, raw, out, buckets, monkeypatch):
    if buckets > 1:
        monkeypatch.setattr(canonical_ids, "BYTES_PER_EVENT", 2 * 10**7)
    log = write_raw(tmp_path / "log.csv", LOG[:16] + LATER)
    told = run(tmp_path / "out", log, size="400MB")
    assert told["canonical_ids"]["notes"]["buckets"] == buckets
    before, after = content(out), content(tmp_path / "out")
    of_train = {name for name in before if name.startswith(FILES_OF_TRAIN)}
    assert len(of_train) == 6
    assert {name: after[name] == before[name] for name in of_train} == dict.fromkeys(of_train, True)
    for table in ("users", "items"):
        old, new = (pl.read_parquet(folder / f"{table}.parquet").filter(part=0) for folder in (out, tmp_path / "out"))
        assert new.equals(old) and new.schema == old.schema, f"{table}, the columns that it has included"
    assert interactions(tmp_path / "out") == TRAIN == interactions(out)
    assert interactions(tmp_path / "out", "valid") != VALID
