import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from common.experiments import tracking
from common.experiments.tracking import NullTracker, RunIdentity, WandbTracker, resolve_mode, start
from common.utils.io import read_json
from tests.conftest import ROOT, SMALL
from tests.stages import stage
from tests.stages.test_control_characters import STEERING, raw

IDENTITY = RunIdentity("item_knn", "1_knn_baseline", "tuned", "music", "listen", "0123456789abcdef", "final", 0)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No key in the home folder, and no mode named."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_MODE")


@pytest.mark.parametrize(
    ("wanted", "mode", "key", "expected"),
    [
        ("auto", None, None, "offline"),
        ("auto", None, "k" * 40, "online"),
        ("auto", "", "k" * 40, "online"),
        ("auto", "offline", "k" * 40, "offline"),
        ("auto", "DISABLED", "k" * 40, "disabled"),
        ("auto", "online", None, "online"),
        ("auto", "nonsense", None, "offline"),
        ("offline", "online", "k" * 40, "offline"),
        ("disabled", "online", None, "disabled"),
        ("online", "disabled", None, "online"),
    ],
)
def test_the_mode_is_the_flag_then_the_environment_then_the_key(monkeypatch, wanted, mode, key, expected):
    for name, value in (("WANDB_MODE", mode), ("WANDB_API_KEY", key)):
        if value is not None:
            monkeypatch.setenv(name, value)
    assert resolve_mode(wanted) == expected


@pytest.mark.parametrize(
    ("text", "base", "expected"),
    [
        ("machine api.wandb.ai login user password secret\n", None, "online"),
        ("machine example.org login user password secret\n", None, "offline"),
        ("machine wandb.example.org login user password secret\n", "https://wandb.example.org:8080", "online"),
        ("machine api.wandb.ai login user password secret\n", "https://wandb.example.org", "offline"),
        ("this is no netrc", None, "offline"),
    ],
)
def test_a_key_in_netrc_counts_for_its_host(monkeypatch, tmp_path, text, base, expected):
    (tmp_path / "netrc").write_text(text)
    (tmp_path / "netrc").chmod(0o600)
    if base:
        monkeypatch.setenv("WANDB_BASE_URL", base)
    assert resolve_mode("auto") == expected


def test_disabled_is_a_tracker_that_does_nothing_and_leaves_nothing(tmp_path):
    tracker = start("disabled", tmp_path, IDENTITY, {})
    assert type(tracker) is NullTracker
    tracker.log({"train/loss": 1.0}, 1)
    tracker.summary({"a": 1})
    tracker.table("t", pd.DataFrame({"x": [1]}))
    tracker.figure("f", tmp_path / "f.png")
    tracker.finish()
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_tracking_leaves_no_wandb_folder(small_flags, tmp_path):
    stage("1_knn_baseline.py")([*small_flags, "--models", "popularity"])
    assert not list((tmp_path / "out").glob("wandb*"))


def test_a_tracker_that_fails_to_start_costs_a_warning_only(small_flags, small_data, tmp_path, monkeypatch, capsys):
    attempts = []

    def broken(mode: str, *_: Any) -> None:
        attempts.append(mode)
        raise RuntimeError("no service\nand more")

    monkeypatch.setattr(tracking, "_init", broken)
    stage("1_knn_baseline.py")([*small_flags, "--models", "popularity", "--wandb", "online"])
    assert attempts == ["online", "offline"], "what cannot be sent is kept"
    said = capsys.readouterr().out
    assert "W&B online: no service\n" in said
    folder = tmp_path / "out" / small_data.name / "listen" / "popularity" / "tuned" / "seed0"
    assert (folder / "test" / "metrics.json").exists()


class BrokenRun:
    """A run that starts and then fails at everything."""

    offline = True
    url = None
    settings = type("Settings", (), {"sync_dir": "somewhere"})

    def define_metric(self, *_: Any, **__: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"{name} is broken")


def test_a_tracker_that_fails_on_the_way_costs_warnings_only(caplog):
    tracker = WandbTracker(BrokenRun())
    tracker.log({"train/loss": 1.0}, 1)
    tracker.summary({"a": 1})
    tracker.finish()
    assert caplog.text.count("is broken") == 3


def test_names_in_tables_steer_no_page(monkeypatch):
    sent: list[Any] = []

    class Run(BrokenRun):
        def log(self, values: dict[str, Any]) -> None:
            sent.extend(values.values())

    frame = pd.DataFrame({"name": [*(f"na{steering}me" for steering in STEERING), None], "score\u202e": 0.5})
    WandbTracker(Run()).table("top10", frame.astype({"name": "str"}))
    [table] = sent
    assert table.columns == ["name", r"score\u202e"]
    assert raw("".join(str(row[0]) for row in table.data)) == set()
    assert table.data[0] == [r"na\x1b[2Jme", 0.5]
    assert len(table.data) == len(frame), "of an unknown name, too"


class Offline(NamedTuple):
    """A small run of a network that was tracked offline, and what W&B's own reader finds in it."""

    results: Path
    """The run's folder under `outputs/`."""
    tracked: Path
    """W&B's folder of the run."""
    shown: dict[str, Any]
    """Summary and config."""
    records: list[dict[str, Any]]
    """Everything that the run's file holds, in its order."""
    printed: Callable[..., str]
    """What a command says that the stage has printed, by its name, started as it stands there, with more flags."""

    @property
    def history(self) -> list[dict[str, Any]]:
        """What was logged, a row for each call."""
        return [record["history"]["item"] for record in self.records if record["type"] == "history"]


@pytest.fixture(scope="module")
def offline(tmp_path_factory, small_data_dir) -> Offline:
    """SASRec with preset smoke on the small data, validated every second epoch."""
    reader = shutil.which("wandb", path=str(Path(sys.executable).parent)) or shutil.which("wandb")
    if reader is None:
        pytest.skip("the wandb command is not here")
    folder = tmp_path_factory.mktemp("off line")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    clean |= {"HOME": str(folder / "home"), "PYTHONPATH": str(ROOT), "WANDB_MODE": "offline"}
    (folder / "home").mkdir()

    def said_by(*words: str) -> str:
        done = subprocess.run(words, env=clean, cwd=folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    flags = ["--dataset", "synthetic", "--synthetic.users", str(SMALL.users), "--synthetic.items", str(SMALL.items)]
    flags += ["--synthetic.seed", str(SMALL.seed), "--data-dir", str(small_data_dir), "--preset", "smoke"]
    flags += ["--sasrec.epochs", "3", "--sasrec.validate-every", "2", "--output-dir", str(folder / "out")]
    said = said_by(sys.executable, str(ROOT / "4_sasrec.py"), *flags)
    [line] = [line for line in said.splitlines() if line.startswith("runs in W&B: ")]

    def printed(name: str, *more: str) -> str:
        [command] = [part for part in line.removeprefix("runs in W&B: ").split("   or   ") if f" {name} " in part]
        program, called, path = shlex.split(command)
        assert called == name
        return said_by(reader if program == "wandb" else program, name, *more, path)

    [results] = (folder / "out").rglob("seed0")
    [tracked] = (folder / "out" / "wandb").glob("offline-run-*")
    records = [json.loads(record) for record in printed("leet", "inspect", "--json").splitlines()]
    shown = json.loads(printed("leet", "inspect", "--summary", "--json"))
    return Offline(results, tracked, shown, records, printed)


def test_the_summary_is_that_of_metrics_json(offline):
    folder, summary = offline.results, offline.shown["summary"]
    metrics = read_json(folder / "test" / "metrics.json")
    validation = read_json(folder / "valid" / "metrics.json")
    for key, value in metrics.items():
        if value is not None:
            assert nested(summary, key) == value, key
    assert nested(summary, "valid/ndcg_10") == validation["ndcg_10"]
    of_wandb = ("_", "valid/", "figures/", "tables/", "versions.")
    curves = {"epoch", *read_json(folder / "curves.json")}
    assert {key for key in summary if not key.startswith(of_wandb)} - curves <= set(metrics)


def test_the_curves_are_those_of_curves_json_against_the_epoch(offline):
    curves = read_json(offline.results / "curves.json")
    assert set(curves) == {f"{part}/{name}" for part in ("train", "refit") for name in ("loss", "learning_rate")} | {
        "val/ndcg_10"
    }
    assert [value is None for value in curves["val/ndcg_10"]] == [True, False, False], "measured every second epoch"
    for name, values in curves.items():
        points = {row["epoch"]: row[name] for row in offline.history if name in row}
        assert points == {epoch: value for epoch, value in enumerate(values, start=1) if value is not None}, name
    against = {record["metric"].get("glob_name"): record["metric"] for record in offline.records if "metric" in record}
    assert {name.split("/")[0] + "/*" for name in curves} == {name for name in against if name}
    assert all(metric["step_metric"] == "epoch" for name, metric in against.items() if name)


def logged(offline: Offline, name: str) -> dict[str, Any]:
    """What the run's file says of a figure or table that was logged once, without the name before each key."""
    [row] = [row for row in offline.history if f"{name}._type" in row]
    return nested(row, name)


def test_the_figure_is_the_one_on_disk(offline):
    said, drawn = logged(offline, "figures/accuracy_by_k"), offline.results / "figures" / "accuracy_by_k.png"
    kept = (offline.tracked / "files" / said["path"]).read_bytes()
    assert kept == drawn.read_bytes()
    assert said["sha256"] == hashlib.sha256(kept).hexdigest()
    assert (said["_type"], kept[:4]) == ("image-file", b"\x89PNG")


def test_the_table_has_the_ten_best_that_the_lists_say(offline, small_data):
    said = logged(offline, "tables/top10")
    table = read_json(offline.tracked / "files" / said["path"])
    shown = pd.DataFrame(table["data"], columns=table["columns"])
    lists = pd.read_parquet(offline.results / "test" / "recommendations.parquet")
    users = list(dict.fromkeys(lists["user_id"].astype(str)))[:3]
    wanted = lists[lists["user_id"].isin(users) & (lists["rank"] <= 10)]
    assert (said["nrows"], len(wanted)) == (30, 30)
    for column in ("user_id", "rank", "item_id"):
        assert shown[column].tolist() == wanted[column].tolist()
    np.testing.assert_allclose(shown["score"], wanted["score"], rtol=1e-6)
    items = pd.read_parquet(small_data.folder / "items.parquet").set_index("item_id").loc[shown["item_id"]]
    assert shown["name"].tolist() == [
        f"{name} - {artist}" for name, artist in zip(items["name"], items["artist"], strict=True)
    ]


def test_the_commands_that_are_printed_work_where_one_stands(offline):
    said = offline.printed("sync", "--dry-run")
    assert "Would sync 1 run(s)" in said
    assert "offline-run-" in said


def test_the_model_and_the_lists_are_in_the_offline_run(offline):
    folder = offline.results
    artifacts = {r["artifact"]["type"]: r["artifact"] for r in offline.records if r["type"] == "artifact"}
    metrics = read_json(folder / "test" / "metrics.json")
    name = "-".join([metrics["dataset"], "listen", "sasrec", metrics["preset"]])
    assert artifacts["model"]["name"] == name
    assert artifacts["recommendations"]["name"] == f"{name}-recommendations"
    for kind, origin in (("model", folder / "model"), ("recommendations", folder / "test")):
        metadata = json.loads(artifacts[kind]["metadata"])
        assert {key: metrics[key] for key in metadata} == metadata
        assert {"split_sha256", "phase", "seed", "ndcg_10"} <= metadata.keys()
        for entry in artifacts[kind]["manifest"]["contents"]:
            assert Path(entry["local_path"]).read_bytes() == (origin / entry["path"]).read_bytes()


def nested(summary: dict[str, Any], key: str) -> Any:
    """A summary value; nested ones may be shown as `a.b`."""
    if key in summary:
        return summary[key]
    return {name.removeprefix(f"{key}."): value for name, value in summary.items() if name.startswith(f"{key}.")}


def test_the_config_is_that_of_config_json(offline):
    config = read_json(offline.results / "config.json")
    assert {"model", "stage", "preset", "data_sha256", "split_sha256", "seed", "settings"} <= set(config)
    assert {key: offline.shown["config"][key] for key in config} == config


def test_the_run_has_group_type_and_tags(monkeypatch):
    given: dict[str, Any] = {}
    wandb = pytest.importorskip("wandb")
    monkeypatch.setattr(wandb, "init", lambda **settings: given.update(settings))
    tracking._init("offline", IDENTITY, {"a": 1})
    assert given["group"] == "music-listen-01234567"
    assert given["job_type"] == "1_knn_baseline"
    assert given["tags"] == ["tuned", "final"]
    assert given["config"] == {"a": 1}
    assert "entity" not in given, "nobody's account is written into the code"
    assert given["mode"] == "offline"
