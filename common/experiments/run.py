"""A run on disk: the only owner of `outputs/<dataset>/<split>/<model>/<preset>/seed<k>/`.

config.json  log.txt  curves.json  measures.json  figures/  model/  training/  valid/  test/
valid/ and test/ each: metrics.json  per_user.parquet  recommendations.parquet  targets.parquet
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from common.evaluation.core_metrics import FILE, summary
from common.evaluation.recommendations import Evaluation
from common.evaluation.statistics import by_user
from common.models.base import Recommender
from common.utils.errors import UserError
from common.utils.io import display, read_json, read_parquet, write_json, write_parquet

PARTS = {"select": "valid", "final": "test"}
"""The folder that holds a phase's results: the part of the split it was scored on."""
RESULTS = ("metrics.json", "per_user.parquet", "recommendations.parquet", "targets.parquet")
PART_NAMES = {"valid": "validation", "test": "test"}
"""What titles call a part."""


class RunKey(NamedTuple):
    """What a run is known by: the levels of its folder."""

    dataset: str
    split: str
    model: str
    preset: str
    seed: int


class Run:
    """One run, by its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def at(root: Path, key: RunKey) -> "Run":
        """The run of a key under an outputs folder, whether it is there or not."""
        return Run(root.joinpath(*key[:-1], f"seed{key.seed}"))

    @property
    def key(self) -> RunKey:
        """Data set, split, model, preset and seed."""
        dataset, split, model, preset, seed = self.folder.resolve().parts[-5:]
        return RunKey(dataset, split, model, preset, int(seed.removeprefix("seed")))

    @property
    def split_folder(self) -> Path:
        """Folder of all runs on the same split, with their leaderboard and figures."""
        return self.folder.resolve().parents[2]

    @property
    def model_folder(self) -> Path:
        """Folder of the saved model."""
        return self.folder / "model"

    @property
    def index_folder(self) -> Path:
        """Folder of the vector index beside the model."""
        return self.folder / "index"

    def has(self, part: str) -> bool:
        """Whether there are results on `valid` or `test`."""
        return (self.folder / part / "metrics.json").exists()

    def written_at(self, part: str) -> float:
        """When the results on a part were written, in seconds of the file system's clock."""
        return (self.folder / part / "metrics.json").stat().st_mtime

    @property
    def parts(self) -> list[str]:
        """The parts with results, `valid` first."""
        return [part for part in PARTS.values() if self.has(part)]

    def results(self, part: str) -> "PartResults":
        """The results on a part; a UserError where there are none."""
        if not self.has(part):
            other = "valid" if part == "test" else "test"
            raise UserError(
                f"{display(self.folder)} has no results on {part}; run it so far, or compare with --part {other}"
            )
        return PartResults(self, part)

    def config(self) -> dict[str, Any]:
        """Everything that the newest model depends on."""
        return read_json(self.folder / "config.json")

    def curves(self) -> dict[str, list[float]]:
        """What training noted of each epoch; empty for a model without epochs."""
        path = self.folder / "curves.json"
        return read_json(path) if path.exists() else {}

    def table(self, name: str) -> pd.DataFrame | None:
        """A table kept beside the results, such as `ablation`; None where it was not made."""
        path = self.folder / f"{name}.parquet"
        return read_parquet(path) if path.exists() else None

    def write_table(self, name: str, frame: pd.DataFrame) -> Path:
        """Keep a table beside the results."""
        write_parquet(self.folder / f"{name}.parquet", frame)
        return self.folder / f"{name}.parquet"

    def checkpoints(self, part: str) -> Path:
        """Folder of the checkpoints of the training that a part's results come from: `training/<phase>`."""
        return self.folder / "training" / next(phase for phase, name in PARTS.items() if name == part)

    def is_complete(self, config: dict[str, Any], parts: Iterable[str], files: Iterable[str]) -> bool:
        """Whether results of these very settings are there for every part, and the model's `files`."""
        parts = list(parts)
        needed = [self.folder / part / name for part in parts for name in RESULTS]
        needed += [self.model_folder / name for name in files]
        expected = hash_config(config)
        return all(file.exists() for file in needed) and all(
            self.results(part).metrics["config_sha256"] == expected for part in parts
        )

    def write_results(self, part: str, evaluation: Evaluation, record: dict[str, Any]) -> None:
        """Write a part's four files beside the old ones, then swap the folders: never a mixture of two runs."""
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / part
        with tempfile.TemporaryDirectory(prefix=f".{part}-", dir=self.folder) as name:
            fresh, old = Path(name) / "new", Path(name) / "old"
            write_parquet(fresh / "recommendations.parquet", evaluation.recommendations)
            write_parquet(fresh / "targets.parquet", evaluation.targets)
            write_parquet(fresh / "per_user.parquet", evaluation.per_user)
            write_json(fresh / "metrics.json", record)
            if target.exists():
                target.rename(old)
            try:
                fresh.rename(target)
            except BaseException:
                if old.exists():
                    old.rename(target)
                raise
            shutil.rmtree(old, ignore_errors=True)
        self.write_measures()

    def write_measures(self) -> dict[str, Any]:
        """Write `measures.json`, the core metrics of each part that is there; returns its content."""
        content = summary({part: self.results(part).metrics for part in self.parts})
        write_json(self.folder / FILE, content)
        return content

    def write_model(self, model: Recommender, config: dict[str, Any]) -> None:
        """Write `config.json` and the model."""
        write_json(self.folder / "config.json", config)
        model.save(self.model_folder)

    def write_config(self, config: dict[str, Any]) -> None:
        """Write `config.json` of a run without a model of its own."""
        write_json(self.folder / "config.json", config)

    def write_curves(self, curves: dict[str, list[float]]) -> None:
        """Write `curves.json`, if there are any curves."""
        if curves:
            write_json(self.folder / "curves.json", curves)


@dataclass(frozen=True)
class PartResults:
    """One run's results on one part of its split, each file read when first asked for."""

    run: Run
    part: str

    @property
    def folder(self) -> Path:
        """Folder of the four files."""
        return self.run.folder / self.part

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """`metrics.json`: all metrics and costs, and what was run where."""
        return read_json(self.folder / "metrics.json")

    @cached_property
    def config(self) -> dict[str, Any]:
        """`config.json` of the run."""
        return self.run.config()

    @cached_property
    def per_user(self) -> pd.DataFrame:
        """A row per evaluated row: user_id, [given,] and a column per metric."""
        return read_parquet(self.folder / "per_user.parquet")

    @cached_property
    def by_user(self) -> pd.DataFrame:
        """Metrics by user id; of a newcomer the mean over the numbers of given items."""
        return by_user(self.per_user)

    @cached_property
    def targets(self) -> pd.DataFrame:
        """Every held-out pair with its score and ranks."""
        return read_parquet(self.folder / "targets.parquet")

    @cached_property
    def recommendations(self) -> pd.DataFrame:
        """The top lists."""
        return read_parquet(self.folder / "recommendations.parquet")

    def table(self, name: str) -> pd.DataFrame | None:
        """A table kept with the four files; None where it was not made."""
        path = self.folder / f"{name}.parquet"
        return read_parquet(path) if path.exists() else None

    def write_table(self, name: str, frame: pd.DataFrame) -> None:
        """Keep a table with the four files, until the results are made anew."""
        write_parquet(self.folder / f"{name}.parquet", frame)

    @property
    def label(self) -> str:
        """What a terminal calls the run."""
        return row_name(self.metrics) + (f" seed {self.metrics['seed']}" if self.metrics["seed"] else "")

    @property
    def split(self) -> str:
        """Folder name of the split."""
        return self.run.split_folder.name

    @property
    def matches(self) -> bool:
        """Whether `config.json` tells of the settings that gave these results."""
        return hash_config(self.config) == self.metrics["config_sha256"]


def run_config(
    key: RunKey, stage: str, protocol: str, split_seed: int, settings: Any, data_sha256: str, split_sha256: str
) -> dict[str, Any]:
    """Everything that a run depends on, as its `config.json` holds it."""
    return {
        "model": key.model,
        "stage": stage,
        "preset": key.preset,
        "dataset": key.dataset,
        "protocol": protocol,
        "split_seed": split_seed,
        "seed": key.seed,
        "settings": asdict(settings),
        "data_sha256": data_sha256,
        "split_sha256": split_sha256,
    }


def hash_config(config: dict[str, Any]) -> str:
    """SHA-256 of a run's settings: results with the same hash come from the same command."""
    return hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()


def row_name(record: Mapping[str, Any] | pd.Series) -> str:
    """What a row is called in terminals and legends: its model, with its preset where that is not the tuned one.

    >>> row_name({"model": "als", "preset": "tuned"}), row_name({"model": "als", "preset": "classic"})
    ('als', 'als/classic')
    """
    return str(record["model"]) + ("" if record["preset"] == "tuned" else f"/{record['preset']}")
