"""Two fresh runs of every stage, from other folders, processes and string hashes, give the same values.

One run is made here, the other by a process of its own with another seed of string hashes, so that no order of a set
leaks into a result. Each prepares the data anew. Pictures are not compared, so they are not painted either.
"""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure

from common.utils.io import read_json
from tests.conftest import ROOT, SMALL
from tests.stages import stage

SECONDS = {
    "fit_seconds",
    "fit_cpu_seconds",
    "recommend_ms_per_user",
    "train_seconds",
    "seconds_to_best",
    "examples_per_second",
}
PASSING = SECONDS | {"examples_per_second", "peak_rss_mb", "commit", "dirty"}
"""What may differ between two runs of the same command."""
STAGES: dict[str, tuple[str, ...]] = {
    "0_explore": (),
    "1_knn_baseline": ("--preset", "smoke"),
    "2_als": ("--preset", "smoke"),
    "3_random_forest_rank": ("--preset", "smoke", "--no-importance"),
    "4_sasrec": ("--preset", "smoke", "--sasrec.epochs", "2"),
    "5_two_tower": ("--preset", "smoke", "--two-tower.epochs", "2"),
    "6_hybrid_listnet": ("--preset", "smoke", "--hybrid-listnet.epochs", "1"),
}


def run_all(folder: Path) -> None:
    """Every stage in order, data and results under `folder`."""
    flags = ["--dataset", "synthetic", "--synthetic.users", str(SMALL.users), "--synthetic.items", str(SMALL.items)]
    flags += ["--synthetic.seed", str(SMALL.seed), "--data-dir", str(folder / "data")]
    flags += ["--output-dir", str(folder / "out"), "--wandb", "disabled"]
    with unpainted():
        for name, own in STAGES.items():
            stage(f"{name}.py")([*flags, *own])


@contextmanager
def unpainted() -> Iterator[None]:
    """Figures are made but not painted: that takes longer than all else."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Figure, "savefig", lambda *_, **__: None)
        yield


pytestmark = pytest.mark.thorough  # every stage twice over, with all of its models


@pytest.fixture(scope="module")
def twice(tmp_path_factory) -> tuple[Path, Path]:
    """The folders of two runs."""
    here, there = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    clean |= {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "4711"}
    command = [sys.executable, "-m", "tests.test_reproducible", str(there)]
    other = subprocess.Popen(command, cwd=there, env=clean, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    run_all(here)
    root.handlers[:] = handlers
    root.setLevel(level)
    said, _ = other.communicate(timeout=600)
    assert other.returncode == 0, said
    return here, there


def values(path: Path) -> Any:
    """What a file says that must not change."""
    content = read_json(path)
    if path.name == "manifest.json":  # times, and hashes of files with times in them, stand in it
        return content | {"seal": "", "files": sorted(content["files"])}
    return (
        {key: value for key, value in content.items() if key not in PASSING} if path.name == "metrics.json" else content
    )


def of_both(twice: tuple[Path, Path], pattern: str) -> list[tuple[Path, Path]]:
    """The files of a kind in both runs, which have the same names."""
    found = [sorted(path.relative_to(folder) for path in folder.rglob(pattern)) for folder in twice]
    assert found[0] == found[1]
    assert found[0]
    return [(twice[0] / name, twice[1] / name) for name in found[0]]


@pytest.mark.parametrize(
    "pattern", ["metrics.json", "config.json", "curves.json", "split.json", "manifest.json", "statistics.json"]
)
def test_metrics_settings_curves_and_splits_are_the_same(twice, pattern):
    for first, second in of_both(twice, pattern):
        assert json.dumps(values(first)) == json.dumps(values(second)), first


def test_every_stage_took_part(twice):
    measured = [read_json(path) for path, _ in of_both(twice, "test/metrics.json")]
    assert {record["stage"] for record in measured} == set(STAGES) - {"0_explore"}
    assert len({record["model"] for record in measured}) == len(measured) >= 16


def test_recommendations_targets_and_all_other_tables_are_the_same(twice):
    pairs = of_both(twice, "*.parquet")
    assert {"recommendations.parquet", "targets.parquet", "per_user.parquet"} <= {path.name for path, _ in pairs}
    for first, second in pairs:
        try:
            pd.testing.assert_frame_equal(pd.read_parquet(first), pd.read_parquet(second), check_exact=True)
        except AssertionError as differs:
            raise AssertionError(f"{first.relative_to(twice[0])}: {differs}") from differs


if __name__ == "__main__":
    run_all(Path(sys.argv[1]))
