"""A run on disk: the only owner of `outputs/<dataset>/<split>/<model>/<preset>/seed<k>/`.

config.json  log.txt  curves.json  measures.json  figures/  model/  training/  valid/  test/
valid/ and test/ each: metrics.json  per_user.parquet  recommendations.parquet  targets.parquet  manifest.json

Results, settings, curves and model are swapped in together with the manifest that vouches for them. What it does not
vouch for is not read: the run then has no such results, and a warning names the file. A part without a manifest was
written by an earlier version: its files are read as far as their structure is right.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from common.evaluation.core_metrics import FILE, summary
from common.evaluation.recommendations import Evaluation
from common.evaluation.statistics import by_user
from common.experiments.stored import checks
from common.experiments.stored.phase_manifest import OF_MODEL, first_fault, hash_config, place_of, write_manifest
from common.experiments.stored.run_files import PARTS, RunFiles, tell
from common.models.base import Recommender
from common.utils.errors import UserError
from common.utils.io import display, read_json, read_parquet, write_json, write_parquet
from common.utils.manifests import entries
from common.utils.settings import kept_values
from common.utils.temporary import swapped_in

PART_NAMES = {"valid": "validation", "test": "test"}
"""What titles call a part."""
OUTSIDE = "outside"
"""Stage and preset of lists that another program has made."""
INDEX = ("index/index.faiss", "index/index.json")
"""The vector index beside the model of a two-tower network."""


class RunKey(NamedTuple):
    """What a run is known by: the levels of its folder."""

    dataset: str
    split: str
    model: str
    preset: str
    seed: int


class Run(RunFiles):
    """One run, by its folder."""

    @staticmethod
    def at(root: Path, key: RunKey) -> "Run":
        """The run of a key under an outputs folder, whether it is there or not."""
        return Run(root.joinpath(*key[:-1], f"seed{key.seed}"))

    @property
    def key(self) -> RunKey:
        """Data set, split, model, preset and seed."""
        dataset, split, model, preset, seed = place_of(self.folder).parts[-5:]
        return RunKey(dataset, split, model, preset, int(seed.removeprefix("seed")))

    @property
    def split_folder(self) -> Path:
        """Folder of all runs on the same split, with their leaderboard and figures."""
        return place_of(self.folder).parents[2]

    @property
    def index_folder(self) -> Path:
        """Folder of the vector index beside the model."""
        return self.folder / "index"

    def written_at(self, part: str) -> float:
        """When the results on a part were written, in seconds of the file system's clock."""
        return (self.folder / part / "metrics.json").stat().st_mtime

    @property
    def parts(self) -> list[str]:
        """The parts with sound results, `valid` first."""
        return [part for part in PARTS.values() if self.has(part)]

    def results(self, part: str) -> "PartResults":
        """The results on a part; a UserError where there are none, or where they are not sound."""
        if not self.exists(part):
            other = "valid" if part == "test" else "test"
            raise UserError(
                f"{display(self.folder)} has no results on {part}; run it so far, or compare with --part {other}"
            )
        if wrong := self.fault(part):
            raise UserError(wrong)
        return PartResults(self, part)

    def config(self) -> dict[str, Any]:
        """Everything that the newest model depends on. Raises a UserError where no manifest vouches for it."""
        if wrong := self.unvouched("config.json"):
            raise UserError(wrong)
        return self.read_config()

    def curves(self) -> dict[str, list[float]]:
        """What training noted of each epoch; empty for a model without epochs."""
        path = self.folder / "curves.json"
        return checks.check_curves(path) if path.exists() and self.is_vouched("curves.json") else {}

    def table(self, name: str) -> pd.DataFrame | None:
        """A table kept beside the results, such as `ablation`; None where it was not made, or is not sound."""
        file = f"{name}.parquet"
        try:
            if not self.is_vouched(file):
                return None
            return read_parquet(self.folder / file) if self.has_manifest else checks.check_table(self.folder / file)
        except UserError as error:
            tell(f"left out: {error}")
            return None

    def write_table(self, name: str, frame: pd.DataFrame, config: dict[str, Any]) -> Path:
        """Keep a table beside the results of the very settings, `config`, that it was made with."""
        write_parquet(self.folder / f"{name}.parquet", frame)
        self.vouch([f"{name}.parquet"], config)
        return self.folder / f"{name}.parquet"

    def checkpoints(self, part: str) -> Path:
        """Folder of the checkpoints of the training that a part's results come from: `training/<phase>`."""
        return self.folder / "training" / next(phase for phase, name in PARTS.items() if name == part)

    def is_complete(self, config: dict[str, Any], parts: Iterable[str], files: Iterable[str]) -> bool:
        """Whether manifests vouch for results of these very settings on every part, and for the model's `files`."""
        parts, expected = list(parts), hash_config(config)
        found = [self.manifest(part) if self.has(part) else None for part in parts]
        if any(manifest is None or manifest.config_sha256 != expected for manifest in found):
            return False
        if "test" not in parts and self.has("test"):  # whose model is kept
            return True
        manifest = found[-1]
        assert manifest is not None
        needed = {f"model/{name}" for name in files} | set(manifest.names("model/"))
        return not first_fault([manifest], [*OF_MODEL[:1], *needed])

    def write(
        self,
        part: str,
        evaluation: Evaluation,
        record: dict[str, Any],
        config: dict[str, Any],
        model: Recommender | None = None,
        curves: Mapping[str, list[float]] | None = None,
    ) -> None:
        """Swap in a part's results and, unless test results have their own, what they came from, all together.

        Other files that the part's manifest vouched for stay so if they are of the same settings.
        """
        kept, newest = self.kept(part, hash_config(config)), self.is_newest(part)
        with swapped_in(self.folder) as fresh:
            write_parquet(fresh / part / "recommendations.parquet", evaluation.recommendations)
            write_parquet(fresh / part / "targets.parquet", evaluation.targets)
            write_parquet(fresh / part / "per_user.parquet", evaluation.per_user)
            write_json(fresh / part / "metrics.json", record)
            if newest:
                write_json(fresh / "config.json", config)
            if newest and curves:
                write_json(fresh / "curves.json", dict(curves))
            if newest and model is not None:
                model.save(fresh / "model")
                kept = {name: entry for name, entry in kept.items() if not name.startswith("model/")}
            names = sorted(path.relative_to(fresh).as_posix() for path in fresh.rglob("*") if path.is_file())
            write_manifest(fresh, self.folder, part, hash_config(config), kept | entries(fresh, names))
        self.write_measures()

    def write_measures(self) -> dict[str, Any]:
        """Write `measures.json`, the core metrics of each part that is there; returns its content."""
        content = summary({part: self.results(part).metrics for part in self.parts or [self.newest]})
        write_json(self.folder / FILE, content)
        return content


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
        return self.run.table(f"{self.part}/{name}")

    def write_table(self, name: str, frame: pd.DataFrame, config: dict[str, Any]) -> None:
        """Keep a table with the four files, until the results are made anew; see `Run.write_table`."""
        self.run.write_table(f"{self.part}/{name}", frame, config)

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
        "settings": kept_values(settings),
        "data_sha256": data_sha256,
        "split_sha256": split_sha256,
    }


def row_name(record: Mapping[str, Any] | pd.Series) -> str:
    """What a row is called in terminals and legends: its model, with its preset where that is not the tuned one.

    >>> row_name({"model": "als", "preset": "tuned"}), row_name({"model": "als", "preset": "classic"})
    ('als', 'als/classic')
    """
    return str(record["model"]) + ("" if record["preset"] == "tuned" else f"/{record['preset']}")
