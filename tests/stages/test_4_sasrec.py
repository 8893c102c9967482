"""Stage 4 from its flags to its files; killed and resumed; and its figures."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common import evaluate, split
from common.evaluation.segments import BINS, by_length, least_of_groups
from common.experiments import tracking
from common.experiments.experiment import Experiment
from common.experiments.run import Run
from common.models.neural.sasrec.model import SASRec
from common.plots.networks import training_curves
from common.utils.io import read_json
from tests.conftest import ROOT
from tests.stages import PROTOCOL_CASES_IN_ORDER, complaint, stage

FLAGS = (
    "--preset",
    "classic",
    "--sasrec.width",
    "16",
    "--sasrec.heads",
    "2",
    "--sasrec.length",
    "10",
    "--sasrec.epochs",
    "4",
)
QUICK = (*FLAGS, "--sasrec.batch", "32", "--sasrec.learning-rate", "0.01")
PASSING = {
    *("fit_seconds", "fit_cpu_seconds", "recommend_ms_per_user", "peak_rss_mb", "commit", "dirty"),
    *("train_seconds", "seconds_to_best", "examples_per_second"),
}


def results(folder: Path) -> list[dict[str, Any]]:
    """What the runs under a folder measured, without times."""
    files = sorted(folder.glob("*/*/seed0/*/metrics.json"))
    return [{key: value for key, value in read_json(path).items() if key not in PASSING} for path in files]


@pytest.mark.parametrize("protocol", PROTOCOL_CASES_IN_ORDER)
def test_stage_4_goes_from_flags_to_a_leaderboard(small_flags, small_data, tmp_path, capsys, protocol):
    stage("4_sasrec.py")([*small_flags, "--protocol", protocol, *QUICK, "--probes", "u03"])
    said = capsys.readouterr().out
    folder = tmp_path / "out" / small_data.name / protocol
    table: Any = pd.read_csv(folder / "leaderboard.csv").set_index("model")
    assert table.loc["sasrec", "ndcg_10"] > 0
    assert {"sasrec_training.png", "sasrec_by_length.png", "sasrec_attention.png", "sasrec_scores.png"} <= {
        path.name for path in (folder / "figures").iterdir()
    }
    assert " | cpu (" in said
    assert "), float32" in said
    assert "for user u03, who has" in said
    [run] = folder.glob("sasrec/*/seed0")
    curves = read_json(run / "curves.json")
    [measured] = [read_json(run / part / "metrics.json") for part in ("test",)]
    assert len(curves["val/ndcg_10"]) == len(curves["train/loss"]) == 4
    assert len(curves["refit/loss"]) == measured["epochs"] == measured["best_epoch"]
    assert measured["examples_per_second"] > 0
    valid = read_json(run / "valid" / "metrics.json")
    assert valid["ndcg_10"] == pytest.approx(max(curves["val/ndcg_10"]))
    assert measured["epochs"] == valid["best_epoch"]
    assert {path.name for path in (run / "model").iterdir()} == {"model.json", "model.safetensors"}


def test_stage_4_gives_the_same_figures_again_and_looks_at_test_only_when_asked(small_flags, small_data, tmp_path):
    found = []
    for _ in range(2):
        stage("4_sasrec.py")([*small_flags, *QUICK, "--phase", "select"])
        found.append(results(tmp_path / "out" / small_data.name / "listen"))
    assert len(found[0]) == 1
    assert found[0] == found[1]
    assert not list((tmp_path / "out").rglob("test"))


def test_every_epoch_is_tracked_those_before_a_stop_included(small_flags, monkeypatch):
    logged: list[tuple[int, dict[str, float]]] = []

    class Noted(tracking.NullTracker):
        def log(self, values: dict[str, float], epoch: int) -> None:
            logged.append((epoch, values))

    monkeypatch.setattr(tracking, "start", lambda *_: Noted())
    flags = [*small_flags, *QUICK, "--sasrec.validate-every", "2"]
    stage("4_sasrec.py")(flags)
    chosen = [(epoch, values) for epoch, values in logged if "train/loss" in values]
    assert [epoch for epoch, _ in chosen] == [1, 2, 3, 4]
    assert [values["val/ndcg_10"] is None for _, values in chosen] == [True, False, True, False]
    assert {name for epoch, values in logged[4:] for name in values} == {"refit/loss", "refit/learning_rate"}
    before = list(logged)
    logged.clear()
    stage("4_sasrec.py")([*flags, "--resume"])
    assert not logged, "complete runs are skipped"
    for path in Path(flags[flags.index("--output-dir") + 1]).rglob("test/metrics.json"):
        path.unlink()
    stage("4_sasrec.py")([*flags, "--resume"])
    assert logged == before


def test_after_select_a_final_model_is_not_shown(small_flags, capsys):
    stage("4_sasrec.py")([*small_flags, *QUICK])
    stage("4_sasrec.py")([*small_flags, *QUICK, "--phase", "select"])
    assert "knows validation; not shown" in capsys.readouterr().out


@pytest.mark.thorough
def test_stage_4_tunes_on_validation_alone(small_flags, tmp_path, monkeypatch):
    monkeypatch.setattr(Experiment.tune, "__defaults__", (tmp_path / "presets",))
    stage("4_sasrec.py")([*small_flags, *QUICK, "--tune", "2", "--phase", "select"])
    [preset] = (tmp_path / "presets").glob("*.toml")
    written = preset.read_text()
    assert "[tuned.sasrec.listen]" in written
    assert 'loss = "full"' in written
    assert "width = 16" in written
    assert not list((tmp_path / "out").rglob("test"))


def test_stage_4_tells_mistakes_in_a_sentence(small_flags, capsys):
    main, small_flags = stage("4_sasrec.py"), [*small_flags, "--preset", "classic"]
    assert "give a multiple of --sasrec.heads 4" in complaint(capsys, main, *small_flags, "--sasrec.width", "30")
    assert "--sasrec.length 0: give 1 to 10,000" in complaint(capsys, main, *small_flags, "--sasrec.length", "0")
    assert "--sasrec.dropout 0.99: give" in complaint(capsys, main, *small_flags, "--sasrec.dropout", "0.99")
    assert "use --device cpu or auto" in complaint(capsys, main, *small_flags, "--device", "cuda")
    assert "bfloat16 is for CUDA" in complaint(capsys, main, *small_flags, "--sasrec.precision", "bfloat16")
    assert "did you mean 'u03'" in complaint(capsys, main, *small_flags, "--probes", "u03x")
    assert "--sasrec.loss" in complaint(capsys, main, *small_flags, "--sasrec.loss", "hinge")


def test_a_learning_rate_that_diverges_is_told_and_earlier_results_stay(
    small_flags, small_data, tmp_path, capsys, monkeypatch
):
    main = stage("4_sasrec.py")
    main([*small_flags, *QUICK, "--phase", "select"])
    before = results(tmp_path / "out" / small_data.name / "listen")
    monkeypatch.setattr("common.training.trainer.learning_rate", lambda *_: 1e30)  # far beyond what a flag takes
    wild = ("--sasrec.clip", "0", "--phase", "select", "--sasrec.dropout", "0.1")
    said = complaint(capsys, main, *small_flags, *FLAGS, *wild)
    assert "sasrec select: the loss is not finite in epoch" in said
    assert "sequences of" in said
    assert results(tmp_path / "out" / small_data.name / "listen") == before


def test_another_splits_run_and_checkpoint_are_not_that_splits(small_flags, small_data, tmp_path, capsys):
    main = stage("4_sasrec.py")
    main([*small_flags, *QUICK, "--phase", "select"])
    [run] = (tmp_path / "out" / small_data.name / "listen").glob("sasrec/*/seed0")
    other = Path(str(run).replace("/listen/", "/next/"))
    other.parent.mkdir(parents=True)
    run.rename(other)
    main([*small_flags, *QUICK, "--phase", "select", "--protocol", "next", "--resume"])
    said = " ".join("".join(capsys.readouterr()).split())
    assert "manifest.json is that of" in said
    assert "belongs to another split" in said
    assert Run(other).results("valid").metrics["protocol"] == "next"


SLOW = ("--sasrec.epochs", "12", "--sasrec.batch", "2", "--sasrec.patience", "12", "--sasrec.dropout", "0.3")


def run_stage(flags: list[str], kill_when: Path | None = None) -> int:
    """The stage in a process of its own; killed, beyond appeal, as soon as a file is there."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "4_sasrec.py", *flags]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        while kill_when is not None and process.poll() is None and not kill_when.exists():
            time.sleep(0.002)
        if kill_when is not None:
            time.sleep(0.1)
            process.send_signal(signal.SIGKILL)
        return process.wait()


@pytest.mark.thorough
def test_killed_in_either_phase_and_resumed_it_ends_as_if_undisturbed(small_flags, small_data, tmp_path):
    flags = [*small_flags, *FLAGS, *SLOW, "--protocol", "next"]
    undisturbed = [flag.replace(str(tmp_path / "out"), str(tmp_path / "undisturbed")) for flag in flags]
    assert run_stage(undisturbed) == 0
    folders = [tmp_path / name / small_data.name / "next" for name in ("undisturbed", "out")]
    [run] = folders[0].glob("sasrec/*/seed0")
    training = folders[1] / run.relative_to(folders[0]) / "training"
    assert run_stage(flags, kill_when=training / "select" / "last.json") == -signal.SIGKILL
    assert not results(folders[1])
    assert run_stage([*flags, "--resume"], kill_when=training / "final" / "last.json") == -signal.SIGKILL
    assert len(results(folders[1])) == 1
    assert run_stage([*flags, "--resume"]) == 0
    assert results(folders[0]) == results(folders[1])
    models = [folder / run.relative_to(folders[0]) / "model" / "model.safetensors" for folder in folders]
    assert models[0].read_bytes() == models[1].read_bytes()


@pytest.mark.parametrize("phase", ["select", "final"])
def test_from_python_a_network_stops_where_validation_says(small_data, phase):
    task = split(small_data, "next")
    settings: dict[str, Any] = {
        "width": 16,
        "heads": 2,
        "epochs": 8,
        "patience": 2,
        "batch": 8,
        "learning_rate": 0.02,
        "seed": 1,
    }
    model = SASRec(**settings).fit(task.train, validation=task.valid)
    if phase == "final":
        model.refit(task.train_valid)
    assert model.refit_schedule is not None
    assert 1 <= model.refit_schedule.epochs < 8
    assert ("val/ndcg_10" in model.curves) == (phase == "select")
    assert len(model.recommend(task.train.users["user_id"].tolist()[:1], k=5)) == 5
    if phase == "select":
        best = np.nanmax(model.refit_schedule.curves["val/ndcg_10"])
        assert evaluate(model, task.valid).metrics["ndcg_10"] == pytest.approx(best)


# Figures


def test_users_are_grouped_by_the_length_of_their_history():
    lengths = pd.Series({"a": 3, "b": 3, "c": 8, "d": 20})
    per_user = pd.DataFrame(
        {"user_id": ["a", "b", "c", "d", "new"], "ndcg_10": [0.2, 0.4, 1.0, 0.5, 9.0], "hr_10": [1.0, 0, 1, 1, 9]}
    )
    table = by_length(per_user, lengths, np.array([3.0, 8.0, 21.0]))
    assert table.index.tolist() == [3.0, 14.0]
    np.testing.assert_allclose(table["ndcg_10"], [0.3, 0.75])
    np.testing.assert_allclose(table["hr_10"], [0.5, 1.0])
    assert least_of_groups(np.full(9, 36), BINS).tolist() == [36]
    assert least_of_groups(np.arange(100), 5).tolist() == [0, 20, 40, 60, 80]


@pytest.mark.rendered
def test_training_without_validation_is_drawn(tmp_path):
    training_curves({"train/loss": [3.0, 2.0], "refit/loss": [2.5]}, "toy", tmp_path / "one.png")
    training_curves({"train/loss": [3.0, 2.0], "val/ndcg_10": [None, 0.2]}, "toy", tmp_path / "two.png")
    assert (tmp_path / "two.png").stat().st_size > (tmp_path / "one.png").stat().st_size > 10_000
