"""The benchmark goes on where it was stopped, and its tables hold what the notebook does."""

import pytest

from benchmarks.cluster import __main__ as benchmark
from benchmarks.cluster import parts, tables
from benchmarks.notebook import Notebook
from benchmarks.scale import logs
from benchmarks.scale.sizes import Size

NAME = "10000 parquet"


@pytest.fixture
def notebook(tmp_path):
    found = Notebook(tmp_path / "findings.jsonl")
    spent = {"fit_seconds": 1.0, "fit_cpu_seconds": 2.0, "lists_seconds": 3.0, "lists_cpu_seconds": 4.0}
    found.note("local", f"{NAME} als", size=NAME, model="als", ndcg_10=0.1, **spent)
    counted = {"tasks": 5, "gc_seconds": 0.5, "shuffle_mb": 1.0, "spilled_mb": 0.0, "memory_mb": 9.0}
    seconds = {"all_cpu_seconds": 60.0, "cpu_seconds": 40.0}
    found.note("cluster", f"{NAME} start", size=NAME, work="start", all_cpu_seconds=30.0)
    found.note("cluster", f"{NAME} als", size=NAME, work="als", ndcg_10=0.1, **counted, **seconds)
    found.note("prepare", NAME, cpu_seconds=7.0)
    found.note("kill", NAME, same=True, lost=3, ndcg_10=0.1)
    return found


def test_tables(notebook):
    made = tables.blocks(notebook)
    assert "| 10,000 | als | local | 6.0 | 0.1000 |" in made["cluster engines"]
    assert "| 10,000 | als | spark | 60.0 | 0.1000 |" in made["cluster engines"]
    assert "| 10,000 | ten steps | local | 7.0 |  |" in made["cluster engines"]
    assert "| 10,000 | start | spark | 30.0 |  |" in made["cluster engines"]
    assert made["cluster break-even"].endswith("| 10,000 | als | 10.0 | 20 | never | 0.1 |\n")
    assert "| 10,000 | als | 5 | 40.0 | 0.5 | 1.0 | 100.0 | 0.0 | 9 |" in made["cluster work"]
    assert "start" not in made["cluster work"]
    assert "| 10,000 | 3 | the same | 0.1000 |" in made["cluster kill"]
    assert tables.blocks(Notebook(notebook.path.with_name("none"))) == {}


def test_what_is_noted_is_not_measured_again(notebook, tmp_path, monkeypatch, capsys):
    done = []
    monkeypatch.setattr(logs, "generate", lambda *_: done.append("generate"))
    monkeypatch.setattr(logs, "prepare", lambda *_: done.append("prepare"))
    for part in ("local", "steps", "fits", "kill"):
        monkeypatch.setattr(parts, part, lambda *_, part=part: done.append(part))
    size = Size(10_000, "parquet", tmp_path)
    benchmark.measure(benchmark.Settings(events=10_000), size, notebook)
    assert done == ["generate", "steps"], "the ten steps by Spark and the raw files alone are not noted"
    monkeypatch.setattr(benchmark.time, "monotonic", iter([0.0, 3600.0]).__next__)
    benchmark.measure(benchmark.Settings(events=20_000, minutes=1), Size(20_000, "parquet", tmp_path), notebook)
    assert done == ["generate", "steps"]
    assert "1 minutes are over during generate" in capsys.readouterr().out
