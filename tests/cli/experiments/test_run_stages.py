"""All stages of a run: what is started with which flags, what is told of the whole, and what a failure ends."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from common.cli.experiments import run_stages
from common.cli.experiments.run_stages import Progress, Settings, read_timings
from common.experiments.processes.side_by_side import Ended
from common.models.registry import STAGES
from common.utils import memory
from tests.stages import complaint


@pytest.fixture
def started(monkeypatch):
    """Command lines in the order in which they would be started, without Python; nothing is."""
    found: list[list[str]] = []

    class Done:
        returncode, stdout = 0, "listen\n"

    def call(words):
        found.append(words[1:])
        return 0

    def side_by_side(todo, folder, workers, environment, tell):
        folder.mkdir(parents=True, exist_ok=True)
        for name, words in todo.items():
            tell(name)
            found.append(list(words))
            log = folder / "said.log"
            log.write_text(f"this is {name}\n")
            yield Ended(name, 0, 2.0, log)

    monkeypatch.setattr(run_stages.subprocess, "call", call)
    monkeypatch.setattr(run_stages.subprocess, "run", lambda words, **_: call(words) or Done())
    monkeypatch.setattr(run_stages, "run_side_by_side", side_by_side)
    return found


@pytest.mark.parametrize("workers", ["1", "2"])
def test_data_then_every_stage_then_leaderboards(started, tmp_path, capsys, workers):
    flags = ["--dataset", "synthetic", "--output-dir", str(tmp_path), "--workers", workers]
    run_stages.main([*flags, "--", "--preset", "smoke"])
    explore, protocols, *stages, report = (" ".join(words) for words in started)
    shared = f"--dataset synthetic --output-dir {tmp_path}"
    assert explore.endswith(f"0_explore.py {shared}"), "the only one that may download"
    assert protocols == f"-m common protocols --protocols listen next {shared} --no-download"
    assert report == f"-m common report {shared} --no-download"
    assert len(stages) == len(STAGES)
    for line, stage in zip(stages, STAGES, strict=True):
        assert f"{stage}.py --protocol listen {shared} --no-download" in line
        assert line.endswith("--preset smoke")
        assert ("--memory" in line) == (workers == "2"), "several share what there is"
    said = capsys.readouterr().out
    assert f"all {len(STAGES)} stages are done" in said
    assert ("this is listen 2_als" in said) == (workers == "2")
    assert list(read_timings(tmp_path / "timings.json")["synthetic --preset smoke"]) == [f"listen {s}" for s in STAGES]


def test_a_stage_that_fails_ends_the_rest_with_its_exit_code(started, tmp_path, monkeypatch, capsys):
    codes = iter([0, 0, 0, 5])  # explored, protocols, stage 1, stage 2
    monkeypatch.setattr(run_stages.subprocess, "call", lambda words: started.append(words) or next(codes))
    monkeypatch.setattr(run_stages, "allowed_protocols", lambda asked, flags: next(codes) or ["listen"])
    with pytest.raises(SystemExit) as ended:
        run_stages.main(["--dataset", "synthetic", "--output-dir", str(tmp_path), "--workers", "1"])
    assert ended.value.code == 5
    assert len(started) == 3
    assert "listen 2_als ended with exit code 5; nothing after it was run" in capsys.readouterr().err
    assert list(read_timings(tmp_path / "timings.json")["synthetic"]) == ["listen 1_knn_baseline"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_stages_are_copies_where_that_is_wished_and_possible(started, tmp_path, monkeypatch, capsys, workers):
    copied: list[list[str]] = []

    def call(words):
        copied.append(words)
        return 0

    def run_forked(todo, folder, workers, tell):
        for name, words in todo.items():
            copied.append(words)
            log = tmp_path / "said.log"
            log.write_text("")
            yield Ended(name, 0, 1.0, log)

    monkeypatch.setattr(run_stages.forked, "import_stages", lambda: True)
    monkeypatch.setattr(run_stages.forked, "call", call)
    monkeypatch.setattr(run_stages.forked, "run_forked", run_forked)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    flags = ["--dataset", "synthetic", "--output-dir", str(tmp_path), "--workers", workers, "--fork"]
    run_stages.main(flags)
    assert [words[0] for words in copied] == ["0_explore.py", *(f"{stage}.py" for stage in STAGES), "-m"]
    assert len(started) == 1, "the protocols, which say what they are on standard output"
    monkeypatch.setattr(run_stages.forked, "import_stages", lambda: False)
    run_stages.main(flags)
    assert len(copied) == 2 + len(STAGES)
    assert "--fork is passed over" in capsys.readouterr().out


@pytest.mark.parametrize(("workers", "anew"), [("1", False), ("2", True)])
def test_it_begins_anew_with_one_thread_where_stages_share_the_processors(
    started, tmp_path, monkeypatch, workers, anew
):
    class BeganAnewError(Exception):
        pass

    def execve(program, words, variables):
        assert words[1:] == ["-m", "common", "run-stages", *flags, "--", "--preset", "smoke"]
        assert variables["OMP_NUM_THREADS"] == "1"
        raise BeganAnewError

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(run_stages.os, "execve", execve)
    monkeypatch.setattr(run_stages.forked, "import_stages", lambda: False)
    flags = ["--dataset", "synthetic", "--output-dir", str(tmp_path), "--workers", workers, "--fork"]
    with pytest.raises(BeganAnewError) if anew else nullcontext():
        run_stages.main([*flags, "--", "--preset", "smoke"])
    assert bool(started) != anew


def test_data_that_allow_no_protocol_are_told_of(started, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run_stages, "allowed_protocols", lambda asked, flags: [])
    run_stages.main(["--output-dir", str(tmp_path)])
    assert "the data allow neither of listen, next" in capsys.readouterr().out
    assert len(started) == 1


def test_the_line_says_what_is_done_what_is_next_and_how_long_it_takes(monkeypatch):
    now = 100.0
    monkeypatch.setattr(run_stages.time, "perf_counter", lambda: now)
    progress = Progress(["a", "b", "c"], {"a": 60.0, "b": 240.0, "c": 90.0}, workers=2)
    progress.begin("a")
    progress.begin("b")
    assert progress.line() == "0 of 3 stages done; at work: a, b; next: c; about 4 min left", "b alone takes so long"
    now = 160.0
    progress.end(Ended("a", 0, 60.0, Path()))
    progress.begin("c")
    assert progress.line() == "1 of 3 stages done; at work: b, c; about 3 min left"
    now = 310.0
    progress.end(Ended("c", 0, 150.0, Path()))
    assert progress.line() == "2 of 3 stages done; at work: b; about 30 s left"
    progress.end(Ended("b", 0, 240.0, Path()))
    assert progress.line() == "all 3 stages are done"


def test_without_an_earlier_run_no_time_is_told():
    assert Progress(["a", "b"], {"a": 1.0}, 1).line() == (
        "0 of 2 stages done; next: a; no earlier run tells how long b takes"
    )


@pytest.mark.parametrize("content", [None, "", "[1]", '{"auto": [1]}', '{"auto": {"a": "x"}}'])
def test_damaged_timings_are_none(tmp_path, content):
    path = tmp_path / "timings.json"
    if content is not None:
        path.write_text(content)
    assert read_timings(path) == {}


def test_as_many_at_a_time_as_processors_and_memory_allow(monkeypatch, tmp_path):
    monkeypatch.setattr(run_stages, "GPU", tmp_path / "none")
    monkeypatch.setattr(run_stages, "threads", lambda: 8)
    monkeypatch.setattr(memory, "limit", lambda: 10**10)
    assert Settings().at_a_time == 3
    monkeypatch.setattr(memory, "limit", lambda: 10**9)
    assert Settings().at_a_time == 1
    assert Settings(workers=5).at_a_time == 5
    monkeypatch.setattr(memory, "limit", lambda: 10**12)
    monkeypatch.setattr(run_stages, "GPU", tmp_path)
    assert Settings().at_a_time == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [(("--protocols", "listn"), "listen"), (("--workers", "-1"), "--workers -1"), (("--prest", "a"), "--prest")],
)
def test_mistakes_are_told_in_one_sentence(capsys, wrong, said):
    assert said in complaint(capsys, run_stages.main, *wrong)
