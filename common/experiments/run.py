"""A run on disk: outputs/<dataset>/<split>/<model>/<preset>/seed<k>/, its files and what they must agree with."""

import dataclasses
import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from common.data.dataset import Dataset
from common.evaluation.recommendations import Evaluation
from common.experiments.settings import ModelSettings
from common.models.base import Recommender
from common.utils.io import read_json, write_json, write_parquet

PARTS = {"select": "valid", "final": "test"}
"""The folder that holds a phase's results: the part of the split it was scored on."""


RESULTS = ("metrics.json", "per_user.parquet", "recommendations.parquet", "targets.parquet")


def run_config(
    flags: ModelSettings, stage: str, kind: type[Recommender], settings: Any, preset: str, data: Dataset, sha256: str
) -> dict[str, Any]:
    """Everything that a run depends on, as its config.json holds it. `sha256` is that of the split."""
    return {
        "model": kind.name,
        "stage": stage,
        "preset": preset,
        "dataset": data.name,
        "protocol": flags.protocol,
        "split_seed": flags.split_seed,
        "seed": flags.seed,
        "settings": dataclasses.asdict(settings),
        "data_sha256": data.sha256,
        "split_sha256": sha256,
    }


def hash_config(config: dict[str, Any]) -> str:
    """SHA-256 of a run's settings: results with the same hash come from the same command."""
    return hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()


def is_complete(folder: Path, kind: type[Recommender], config: dict[str, Any], phases: tuple[str, ...]) -> bool:
    """Whether a folder holds the results of these very settings for every phase."""
    parts = [folder / PARTS[phase] for phase in phases]
    needed = [part / name for part in parts for name in RESULTS] + [folder / "model" / name for name in kind.files]
    wanted = hash_config(config)
    return all(file.exists() for file in needed) and all(
        read_json(part / "metrics.json")["config_sha256"] == wanted for part in parts
    )


def write_results(folder: Path, evaluation: Evaluation, record: dict[str, Any]) -> None:
    """Write one phase's four files beside the old ones, then swap the folders: never a mixture of two runs."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
        fresh, old = Path(name) / "new", Path(name) / "old"
        write_parquet(fresh / "recommendations.parquet", evaluation.recommendations)
        write_parquet(fresh / "targets.parquet", evaluation.targets)
        write_parquet(fresh / "per_user.parquet", evaluation.per_user)
        write_json(fresh / "metrics.json", record)
        if folder.exists():
            folder.rename(old)
        try:
            fresh.rename(folder)
        except BaseException:
            if old.exists():
                old.rename(folder)
            raise
        shutil.rmtree(old, ignore_errors=True)
