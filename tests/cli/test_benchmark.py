"""The published table: what it consists of, running what is missing, and writing pages."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.cli import benchmark, rerank
from common.reporting.benchmark_plan import RERANK, RERANKED, Job
from common.reranking.strength_search import METHODS
from common.utils.environment import hardware
from common.utils.io import read_json
from tests.conftest import ROOT, SMALL
from tests.stages import complaint, stage

ONE = ("--protocols", "listen", "--models", "popularity", "ease", "--workers", "1")


@pytest.fixture
def flags(small_flags, tmp_path):
    """Flags of a small table whose pages and results lie in the test's folder."""
    for name in ("README.md", "more.md"):
        (tmp_path / name).write_text("before\n<!-- leaderboard synthetic-x listen -->\nold\n<!-- end -->\nafter\n")
    pages = ("--pages", str(tmp_path / "README.md"), str(tmp_path / "absent.md"))
    return [*small_flags, *ONE, "--results", str(tmp_path / "results"), *pages, "--figures", str(tmp_path / "figures")]


@pytest.fixture
def ran(monkeypatch):
    """Jobs run in this process; what was run."""
    done: list[Job] = []

    def run(missing, settings):
        for job in missing:
            done.append(job)
            if job.stage == RERANK:
                rerank.main([*job.words[3:], *benchmark.data_flags(settings)])
            else:
                stage(job.words[0])([*job.words[1:], *benchmark.data_flags(settings)])
        return []

    monkeypatch.setattr(benchmark, "run_all", run)
    return done


@pytest.mark.rendered
def test_what_is_missing_is_run_and_pages_are_written(flags, ran, small_data, tmp_path, capsys):
    page = tmp_path / "README.md"
    page.write_text(page.read_text().replace("synthetic-x", small_data.name))
    benchmark.main(flags)
    assert [str(job) for job in ran] == [
        "listen popularity tuned seed 0",
        "listen ease tuned seed 0",
        "listen ease classic seed 0",
    ]
    assert f"{small_data.name} / listen: leaderboard" in capsys.readouterr().out
    results = read_json(tmp_path / "results" / f"{small_data.name}.json")
    rows = {(row["model"], row["preset"]): row for row in results["protocols"]["listen"]["rows"]}
    assert set(rows) == {("popularity", "tuned"), ("ease", "tuned"), ("ease", "classic")}
    folder = tmp_path / "out" / small_data.name / "listen"
    record = read_json(folder / "ease" / "tuned" / "seed0" / "test" / "metrics.json")
    row = rows["ease", "tuned"]
    assert row["ndcg_10"] == record["ndcg_10"]
    assert row["ndcg_10_low"] < row["ndcg_10"] < row["ndcg_10_high"]
    assert row["settings"] == read_json(folder / "ease" / "tuned" / "seed0" / "config.json")["settings"]
    assert row["runs"][0]["commit"] == record["commit"]
    assert row["runs"][0]["machine"] == record["machine"] == hardware()
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert f"| ease | tuned | {row['valid_ndcg_10']:.4f} | 1 |" in text.replace("**", "")
    assert "ease" in results["protocols"]["listen"]["segments"]["rows"]
    for name in ("metrics_by_k.png", "cost.png"):
        assert (tmp_path / "figures" / name).stat().st_size > 10_000
    ran.clear()
    benchmark.main([*flags, "--models", "popularity"])
    assert ran == [], "all of it is there"
    kept = read_json(tmp_path / "results" / f"{small_data.name}.json")["protocols"]["listen"]["rows"]
    assert len(kept) == 3, "naming a model limits what is run, not what is shown"
    (folder / "ease" / "classic" / "seed0" / "test" / "metrics.json").unlink()
    benchmark.main([*flags, "--no-run"])
    assert (
        "missing: python 2_als.py --protocol listen --preset classic --seed 0 --models ease --resume"
        in capsys.readouterr().out
    )
    assert ran == []
    benchmark.main(flags)
    assert [str(job) for job in ran] == ["listen ease classic seed 0"]


@pytest.mark.thorough
def test_published_rows_count_as_there_if_that_is_wished(flags, ran, small_data, tmp_path):
    benchmark.main(flags)
    shutil.rmtree(tmp_path / "out" / small_data.name)
    path = tmp_path / "results" / f"{small_data.name}.json"
    published = read_json(path)
    ran.clear()
    benchmark.main([*flags, "--models", "popularity", "--no-published"])
    assert [str(job) for job in ran] == ["listen popularity tuned seed 0"], "what outputs/ lacks is run"
    ran.clear()
    shutil.rmtree(tmp_path / "out" / small_data.name)
    page = tmp_path / "README.md"
    page.write_text(f"<!-- leaderboard {small_data.name} listen -->\n<!-- end -->\n")
    benchmark.main([*flags, "--published"])
    assert ran == []
    assert "| ease | tuned |" in page.read_text(), "pages are made of what is published"
    [row] = [row for row in published["protocols"]["listen"]["rows"] if row["preset"] == "classic"]
    changes: list[dict[str, Any]] = [{"seeds": 0}, {"settings": {}}]
    for change in changes:
        rows = [of | change if of["preset"] == "classic" else of for of in published["protocols"]["listen"]["rows"]]
        listen = published["protocols"]["listen"] | {"rows": rows}
        path.write_text(json.dumps(published | {"protocols": {"listen": listen}}))
        benchmark.main([*flags, "--published"])
        assert [str(job) for job in ran] == ["listen ease classic seed 0"]
        ran.clear()
        shutil.rmtree(tmp_path / "out" / small_data.name / "listen" / row["model"])


def test_a_preset_that_only_other_data_have_is_not_planned(small_data, small_settings, tmp_path):
    settings = benchmark.Settings(synthetic=SMALL, data_dir=small_settings.data_dir, dataset="synthetic")
    planned = {job.preset for job in benchmark.planned_jobs(small_data, "listen", settings)}
    assert planned == {"tuned", "classic"}
    assert "diverse" in {
        job.preset for job in benchmark.planned_jobs(replace(small_data, name="lastfm-2k"), "listen", settings)
    }


@pytest.mark.thorough
def test_other_settings_and_other_presets_do_not_pass_for_the_tables_own(flags, ran, small_flags, small_data, tmp_path):
    stage("2_als.py")([*small_flags, "--models", "ease", "--ease.regularisation", "7"])
    benchmark.main([*flags, "--models", "ease"])
    assert len(ran) == 2
    results = read_json(tmp_path / "results" / f"{small_data.name}.json")
    assert {row["preset"] for row in results["protocols"]["listen"]["rows"]} == {"tuned", "classic"}
    path = tmp_path / "out" / small_data.name / "listen" / "ease" / "tuned" / "seed0" / "valid" / "metrics.json"
    path.write_text(json.dumps(read_json(path) | {"config_sha256": "0" * 64}))
    ran.clear()
    benchmark.main([*flags, "--models", "ease"])
    assert [str(job) for job in ran] == ["listen ease tuned seed 0"]


@pytest.mark.thorough
def test_tables_measured_before_are_kept_unless_the_data_are_others(flags, ran, small_data, tmp_path):
    path = tmp_path / "results" / f"{small_data.name}.json"
    benchmark.main([*flags, "--models", "popularity"])
    results = read_json(path)
    parts = {"header": ["a"], "cells": [["1"]], "texts": 0}
    for sha256, kept in ((results["data_sha256"], True), ("0" * 64, False)):
        path.write_text(json.dumps(results | {"data_sha256": sha256, "tables": {"parts listen": parts}}))
        benchmark.main([*flags, "--models", "popularity"])
        assert ("parts listen" in read_json(path)["tables"]) == kept


def test_a_failed_run_is_named_and_nothing_is_written(flags, small_data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(benchmark, "data_flags", lambda settings: ["--no-such-flag"])
    said = complaint(capsys, benchmark.main, *flags, "--models", "popularity")
    assert "1 runs failed" in said
    log = tmp_path / "out" / "table" / "listen-popularity-tuned-seed-0.log"
    assert "no-such-flag" in log.read_text()
    assert not (tmp_path / "results").exists()


def test_a_job_runs_with_the_flags_of_the_data(monkeypatch, tmp_path):
    given: dict[str, Any] = {}

    def run(words, folder, workers):
        given.update(words)
        yield from ()

    monkeypatch.setattr(benchmark, "run_side_by_side", run)
    settings = benchmark.Settings(synthetic=replace(SMALL, noise=0.5), output_dir=tmp_path, dataset="synthetic")
    assert benchmark.run_all([Job("2_als", "next", "classic", 3, ("als", "ease"))], settings) == []
    [words] = [" ".join(words) for words in given.values()]
    assert "2_als.py --protocol next --preset classic --seed 3 --models als ease --resume --dataset synthetic" in words
    assert "--synthetic.noise 0.5" in words
    assert words.endswith("--no-compare"), "the figures of the table are drawn at its end"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--protocols", "temporal"), "unknown protocol"),
        (("--models", "alz"), "als"),
        (("--workers", "-1"), "--workers -1"),
    ],
)
def test_mistakes_are_told_in_one_sentence(small_flags, capsys, wrong, said):
    assert said in complaint(capsys, benchmark.main, *small_flags, *wrong)


def test_without_results_and_without_running_there_is_nothing_to_write(flags, capsys):
    assert "leave --no-run out" in complaint(capsys, benchmark.main, *flags, "--no-run")


@pytest.mark.thorough
def test_the_best_models_lists_are_reranked_for_rows_of_their_own(flags, ran, small_data, tmp_path, monkeypatch):
    monkeypatch.setitem(RERANKED, "listen", "ease")
    monkeypatch.setattr(benchmark, "METHODS", {"mmr": METHODS["mmr"], "novelty": METHODS["novelty"]})
    words = [*flags, "--models", "popularity", "ease"]
    benchmark.main(words)
    assert [job.stage for job in ran].count(RERANK) == 1
    rows = read_json(tmp_path / "results" / f"{small_data.name}.json")["protocols"]["listen"]["rows"]
    assert {"ease+mmr", "ease+novelty"} < {row["model"] for row in rows}
    ran.clear()
    benchmark.main(words)
    assert ran == []
    config = tmp_path / "out" / small_data.name / "listen" / "ease+mmr" / "tuned" / "seed0" / "config.json"
    config.write_text(json.dumps(read_json(config) | {"lists_of": "0" * 64}))
    benchmark.main([*words, "--no-run"])
    benchmark.main(words)
    assert [job.stage for job in ran] == [RERANK]


def test_ending_the_table_ends_its_runs_and_a_later_call_goes_on(small_flags, tmp_path):
    """A process of its own: SIGTERM while a run works leaves nobody at work, and no half-written results."""
    words = [sys.executable, "-m", "common", "benchmark", *small_flags, *ONE, "--results", str(tmp_path / "results")]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        log = tmp_path / "out" / "table" / "listen-popularity-tuned-seed-0.log"
        for _ in range(15_000):
            if not log.exists() and running.poll() is None:
                time.sleep(0.02)
        running.terminate()
        assert running.wait(timeout=300) == 128 + signal.SIGTERM
    assert not [line for line in command_lines() if str(tmp_path).encode() in line]
    assert not (tmp_path / "results").exists()


def command_lines() -> Iterator[bytes]:
    """The command line of every process, where the system tells."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            yield path.read_bytes()
