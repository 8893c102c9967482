"""The benchmark of scale: parts are noted, resumed and refused in time; its tables hold what was measured."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.notebook import Notebook
from benchmarks.scale import __main__ as scale
from benchmarks.scale import aggregation, child, logs, models, tables
from benchmarks.scale.child import OverTimeError, measured
from benchmarks.scale.sizes import Size, size_of
from common.utils.errors import UserError
from common.utils.io import ROOT

EVENTS = 10_000


@pytest.fixture
def size(tmp_path) -> Size:
    return Size(EVENTS, "parquet", tmp_path)


@pytest.fixture
def notebook(tmp_path) -> Notebook:
    return Notebook(tmp_path / "findings.jsonl")


@pytest.fixture
def in_process(monkeypatch) -> list[str]:
    """Pieces of work are done in this process; their names."""
    done: list[str] = []

    def run(function, watched=None, look=None, /, **arguments):
        done.append(function)
        module, name = function.split(".")
        work = getattr(importlib.import_module(f"benchmarks.scale.{module}"), name)
        given = json.loads(json.dumps(arguments, default=str))
        took = {
            "cpu_seconds": 1.0,
            "peak_mb": 100.0,
            "seconds": 1.0,
            "disk_mb": size_of(watched) / 1e6 if watched else 0,
        }
        return took | (work(**given) or {})

    for module in (logs, aggregation, models):
        monkeypatch.setattr(module, "measured", run)
    return done


def test_a_piece_of_work_says_what_it_took(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    took = measured("logs.make_files", raw, folder=raw, log={"events": EVENTS, "format": "parquet"})
    assert took["files"] == len(list(raw.glob("*.parquet")))
    assert 0 < took["files_cpu_seconds"] <= took["cpu_seconds"]
    assert took["peak_mb"] > 50
    assert took["disk_mb"] == pytest.approx(took["bytes"] / 1e6, abs=0.1)


def test_a_mistake_in_a_piece_of_work_is_one_sentence():
    with pytest.raises(UserError, match=r"logs\.make_files: events = 1: give a whole number .* what is noted stays"):
        measured("logs.make_files", folder="nowhere", log={"events": 1})


def test_a_look_that_says_stop_ends_the_process(monkeypatch):
    monkeypatch.setattr(child, "POLL", 0.01)

    def look() -> None:
        raise OverTimeError

    started = time.monotonic()
    with pytest.raises(OverTimeError):
        measured("logs.write_ledger", None, look, folder="nowhere", log={"events": 10**9})
    assert time.monotonic() - started < 5


KILLED = """
from benchmarks.scale import child
child.POLL = 0.05
def look():
    print("running", flush=True)
child.measured("logs.write_ledger", None, look, folder="nowhere", log={"events": 1_000_000_000})
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_benchmark_that_is_killed_leaves_no_work_behind():
    pipe: dict[str, Any] = {"stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    with subprocess.Popen([sys.executable, "-c", KILLED], **pipe) as parent:
        assert parent.stdout
        while not (children := Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()):
            assert parent.stdout.readline()
        parent.kill()
    for _ in range(600):
        if not is_alive(children[0]):
            return
        time.sleep(0.05)
    os.kill(int(children[0]), signal.SIGKILL)
    pytest.fail("the work goes on")


def is_alive(process: str) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


def test_generation_is_noted_once_and_made_anew_where_files_are_gone(size, notebook, in_process):
    logs.generate(size, notebook)
    found = notebook.findings["generate", size.name]
    assert found["rows"] == pytest.approx(EVENTS, rel=0.02)
    assert found["bytes"] == sum(path.stat().st_size for path in size.raw.rglob("part-*.parquet")) + sum(
        path.stat().st_size for path in size.raw.rglob("*.json")
    )
    lost = next(size.raw.glob("*.parquet"))
    content = lost.read_bytes()
    lost.unlink()
    logs.ensure_raw(size, notebook)
    assert lost.read_bytes() == content
    assert notebook.findings["generate", size.name] == found
    assert in_process == ["logs.make_files", "logs.write_ledger", "logs.make_files"]


def test_aggregation_takes_turns_and_goes_on_where_it_stopped(size, notebook, in_process, monkeypatch):
    for name in ("ours", "duckdb"):
        monkeypatch.setattr(aggregation, name, aggregation.pandas)
    monkeypatch.setattr(aggregation, "ours", lambda memory, **given: aggregation.pandas(**given))
    aggregation.aggregate(size, notebook, 1, time.monotonic() + 100)
    assert [row["who"] for row in notebook.of("aggregate")] == ["ours, 1GB", "ours, 8GB", "DuckDB, 4GB", "pandas"]
    assert len({json.dumps(row["sums"]) for row in notebook.of("aggregate")}) == 1
    assert scale.is_done("aggregate", size, notebook, scale.Settings(runs=1))
    assert not scale.is_done("aggregate", size, notebook, scale.Settings(runs=2))
    with pytest.raises(OverTimeError):
        aggregation.aggregate(size, notebook, 2, time.monotonic() - 1)
    assert len(notebook.of("aggregate")) == 4
    aggregation.aggregate(size, notebook, 2, time.monotonic() + 100)
    assert len(notebook.of("aggregate")) == 8
    assert not (size.place / "aggregated").exists()


def test_results_that_differ_are_told(size, notebook, in_process, monkeypatch):
    monkeypatch.setattr(aggregation, "duckdb", aggregation.pandas)
    monkeypatch.setattr(aggregation, "ours", lambda memory, **given: aggregation.pandas(**given))
    sums = iter(range(9))
    monkeypatch.setattr(aggregation, "check", lambda out: dict.fromkeys(("rows", "plays", "first", "last"), next(sums)))
    with pytest.raises(UserError, match="ours, 8GB found rows 1"):
        aggregation.aggregate(size, notebook, 1, time.monotonic() + 100)


def test_duckdb_and_pandas_find_the_same(size, notebook, in_process, tmp_path):
    pytest.importorskip("duckdb")
    facts = aggregation._facts(size, notebook, size.place / "events")
    found = []
    for contestant in (aggregation.duckdb, aggregation.pandas):
        out = tmp_path / contestant.__name__
        out.mkdir()
        contestant(str(size.place / "events"), str(out), facts)
        found.append(aggregation.check(str(out)))
    assert found[0] == found[1]
    assert found[0]["plays"] == facts["events"]


def test_a_disk_that_is_too_small_is_refused_first(size, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10**6})())
    monkeypatch.setattr(logs, "measured", None)
    with pytest.raises(SystemExit):
        scale.main(["--events", "1_000_000", "--folder", str(tmp_path)])
    said = capsys.readouterr().err
    assert "--events 1000000 needs about " in said
    assert "1 MB are free; free some space, choose another --folder or give fewer --events" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--parts", "preparation"], "unknown part 'preparation'"),
        (["--events", "5"], "--events = 5"),
        (["--format", "csv"], "unknown format 'csv'"),
        (["--memory", "lots"], "--memory 'lots'"),
    ],
)
def test_flags_that_make_no_sense_are_refused(flags, said, capsys):
    with pytest.raises(SystemExit):
        scale.main(flags)
    assert said in capsys.readouterr().err


def test_parts_that_are_noted_are_not_done_again(size, notebook, monkeypatch, capsys):
    done = []
    monkeypatch.setattr(logs, "generate", lambda size, notebook: done.append("generate"))
    monkeypatch.setattr(models, "follow", lambda size, notebook, part, runs, deadline: done.append(part))
    notebook.note("popularity", size.name)
    settings = scale.Settings(events=EVENTS, parts=("split", "popularity", "generate"), folder=size.folder)
    scale.measure(settings, size, notebook)
    assert done == ["generate", "split"]


def test_after_the_time_is_over_nothing_is_begun(size, notebook, monkeypatch, capsys):
    def over(*given) -> None:
        raise OverTimeError

    monkeypatch.setattr(logs, "prepare", over)
    monkeypatch.setattr(models, "follow", None)
    scale.measure(scale.Settings(parts=("prepare", "split")), size, notebook)
    assert "45 minutes are over during prepare; the same command goes on there" in capsys.readouterr().out


def test_steps_are_noted_one_by_one_and_stop_at_the_deadline(size, notebook, monkeypatch):
    size.prepared.mkdir(parents=True)
    steps = [dict.fromkeys(logs.KEPT, 1) | {"step": name} for name in ("scan", "validate")]

    def run(function, watched, look, /, **arguments):
        for number in (1, 2):
            (size.prepared / "steps.json").write_text(json.dumps({"steps": steps[:number]}))
            look()

    monkeypatch.setattr(logs, "measured", run)
    monkeypatch.setattr(logs, "ensure_raw", lambda *given: None)
    with pytest.raises(OverTimeError):
        logs.prepare(size, notebook, time.monotonic() - 1)
    assert [row["step"] for row in notebook.of("step")] == ["scan"]


def noted(notebook: Notebook, events: int) -> None:
    """Findings of a size, as the parts note them."""
    name = f"{events} parquet"
    cost = {"cpu_seconds": events / 1e6, "peak_mb": 900.0, "seconds": 3.0, "disk_mb": events * 4e-5}
    generated = {"rows": events, "bytes": events * 20, "users": 7, "items": 8, "pairs": 9, "ledger_cpu_seconds": 0.0}
    notebook.note("generate", name, **cost, **generated)
    notebook.note("step", f"{name} scan", size=name, step="scan", rows_in=events, rows_out=events, **cost)
    notebook.note("ledger", name, compared=50, wrong=["scan rows_in: 1 instead of 2"])
    notebook.note("prepare", name, **cost, memory="6GB", data_set_mb=3.0)
    for turn, (own, other) in enumerate(((2.0, 1.0), (9.0, 3.0), (4.0, 4.0))):
        for who, cpu in (("ours, 1GB", own), ("DuckDB, 4GB", other)):
            notebook.note(
                "aggregate", f"{events} {who} turn {turn}", events=events, who=who, **cost | {"cpu_seconds": cpu}
            )
        for who, cpu in (("als", own), ("bare_als", other)):
            turned = {"size": name, "who": who, "pairs": 9, "fit_cpu_seconds": cpu}
            notebook.note("als_turn", f"{name} {who} turn {turn}", **cost, **turned)
    spent = {f"{of}_cpu_seconds": 2.0 for of in ("rank", "product", "measure", "rerank")} | {"product_cpu_seconds": 0.5}
    notebook.note("lists", name, **cost, **spent, users=1_000, items=8, twice=[5, 0])
    index = {
        "kind": "ivf",
        "recall": 0.995,
        "ms": 0.1,
        "exact_ms": 2.0,
        "build_cpu_seconds": 7.0,
        "search_seconds": 3.0,
    }
    for part in ("index", "faiss"):
        notebook.note(part, name, **index, users=1_000)


def test_tables_hold_what_was_measured(notebook):
    assert tables.blocks(notebook) == {}
    noted(notebook, 20_000_000)
    made = tables.blocks(notebook)
    rows = {marker: table.splitlines()[2:] for marker, table in made.items()}
    assert rows["scale generate"] == ["| 20,000,000 | parquet | 7 | 8 | 9 | 0.40 | 1.00 | 900 |"]
    assert rows["scale steps"] == ["| 20,000,000 | parquet | `scan` | 20,000,000 | 20,000,000 | 20.0 | 1.000 | 900 |"]
    assert rows["scale prepare"] == ["| 20,000,000 | parquet | 6GB | 1.00 | 0.90 | 2.00 | 49 of 50 figures equal |"]
    assert rows["scale aggregate"] == [
        "| 20,000,000 | ours, 1GB | 3 | 4.0 | 3.0 | 900 | 2.00 | 1.00 |",
        "| 20,000,000 | DuckDB, 4GB | 3 | 3.0 | 3.0 | 900 | 1.00 | 1.00 |",
    ]
    assert rows["scale als"] == ["| 20,000,000 | parquet | 9 | 3 | 4.0 | 3.0 | 2.00 | 0.90 |"]
    assert rows["scale lists"] == [
        "| 20,000,000 | parquet | 1,000 | 8 | 2.00 | 0.50 | 4.00 | 2.00 | 2.00 | 5, 0 | 0.90 |"
    ]
    assert rows["scale index"] == [
        "| 20,000,000 | parquet | similar tracks | ivf | 0.9950 | 0.100 | 2.000 | 7.0 |",
        "| 20,000,000 | parquet | lists of users | ivf | 0.9950 | 3.000 | 2.000 | 7.0 |",
    ]


def test_a_page_receives_the_blocks_that_it_has(tmp_path, notebook):
    noted(notebook, 20_000)
    page = tmp_path / "page.md"
    text = "before\n<!-- scale steps -->\nold\n<!-- end -->\nafter\n"
    scale.write_page(page, text, tables.blocks(notebook))
    assert page.read_text().startswith("before\n<!-- scale steps -->\n| events | format | step |")
    assert page.read_text().endswith("<!-- end -->\nafter\n")
    with pytest.raises(UserError, match="has no line <!-- scale generate --> or another"):
        scale.write_page(page, "nothing", tables.blocks(notebook))


def test_rows_of_other_sizes_stay_and_the_figure_needs_two(tmp_path, notebook):
    empty = "".join(f"<!-- scale {name} -->\n<!-- end -->\n" for name in ("generate", "prepare", "aggregate"))
    noted(notebook, 200_000_000)
    page = scale.write_page(tmp_path / "page.md", empty, tables.blocks(notebook))
    assert not tables.draw(page, tmp_path / "scale.png")
    later = Notebook(tmp_path / "later" / "findings.jsonl")  # on another machine, which has none of these findings
    noted(later, 20_000_000)
    page = scale.write_page(tmp_path / "page.md", page, tables.blocks(later))
    sizes = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| 20")]
    assert sizes == ["20,000,000", "200,000,000"] * 2 + ["20,000,000"] * 2 + ["200,000,000"] * 2
    assert page == scale.write_page(tmp_path / "page.md", page, tables.blocks(later))
    assert tables.draw(page, tmp_path / "scale.png")
    assert (tmp_path / "scale.png").exists()


def test_the_disk_of_steps_that_several_starts_have_done_is_told():
    """A new version of a table lies beside the one that it is made of, until the step is done."""
    scan = {"files": {"events/0.parquet": 20}}
    validate = {"files": {"events/0.parquet": 15, "events/1.parquet": 4, "dropped/0.parquet": 1}}
    times = {"files": {"events/0.parquet": 18}}
    assert logs.most_held([scan]) == 20
    assert logs.most_held([scan, validate]) == 40
    assert logs.most_held([scan, validate, times]) == 40
    assert logs.most_held([scan, validate, {"files": {"events/0.parquet": 30}}]) == 50, "dropped rows are kept, too"
