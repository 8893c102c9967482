"""Runs under `outputs/`, found by folder or by name, and read for a comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from common.data.sources.registry import LASTFM
from common.experiments.run import hash_config
from common.utils.errors import UserError, unknown_name
from common.utils.io import display, read_json, read_parquet


@dataclass(frozen=True)
class Run:
    """One run's results on one part of its split.

    per_user: float, index user_id, one column per metric; of a newcomer the mean over the rungs.
    """

    label: str
    folder: Path
    part: str
    config: dict[str, Any]
    record: dict[str, Any]
    per_user: pd.DataFrame

    @property
    def protocol(self) -> str:
        """Folder name of the split."""
        return self.folder.resolve().parents[2].name

    @property
    def results(self) -> Path:
        """Folder of the results."""
        return self.folder / self.part

    @property
    def matches(self) -> bool:
        """Whether `config.json` tells of the settings that gave these results."""
        return hash_config(self.config) == self.record["config_sha256"]


def is_run(folder: Path) -> bool:
    """Whether a folder holds the results of one run."""
    return (folder / "valid" / "metrics.json").exists() or (folder / "test" / "metrics.json").exists()


def data_sets(output_dir: Path) -> list[str]:
    """Names of the data sets that have results."""
    return sorted({path.parents[5].name for path in output_dir.glob("*/*/*/*/seed*/valid/metrics.json")})


def choose_data_set(wanted: str, output_dir: Path) -> str:
    """The folder of a data set: the name itself, or the only one whose name goes on with a hyphen (generated sizes)."""
    names = data_sets(output_dir)
    if not names:
        raise UserError(f"no results under {display(output_dir)}; run a stage first, e.g. 1_knn_baseline.py")
    if wanted == "auto" and LASTFM in names:
        return LASTFM
    found = [name for name in names if wanted in ("auto", name)] or [n for n in names if n.startswith(f"{wanted}-")]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(f"--dataset {wanted} may mean {' or '.join(found)}; name one of them")
    raise unknown_name("data set", wanted, names)


def find_run(run: str, output_dir: Path, dataset: str, protocol: str) -> Path:
    """The folder of a run: itself, or by model, preset and seed under a data set and protocol (tuned, first seed)."""
    if found := _first_run(Path(run)):
        return found
    if Path(run).is_dir() and Path(run).is_absolute():
        raise UserError(f"{run} holds no results of a run; name a folder outputs/DATASET/PROTOCOL/MODEL/PRESET/seedK")
    folder = output_dir / choose_data_set(dataset, output_dir) / protocol
    if not folder.is_dir():
        raise unknown_name("protocol", protocol, _protocols(folder.parent))
    if found := _first_run(folder / run):
        return found
    known = sorted({"/".join(path.relative_to(folder).parts[:2]) for path in folder.glob("*/*/seed*") if is_run(path)})
    raise UserError(
        f"{run!r} is no run: there is no such folder, and {display(folder)} holds {', '.join(known) or 'none'}"
    )


def _protocols(folder: Path) -> list[str]:
    return sorted({path.parents[4].name for path in folder.glob("*/*/*/seed*/valid/metrics.json")})


def _first_run(folder: Path) -> Path | None:
    """The run that a folder of a model, a preset or a run means: its first seed, tuned or else the only preset."""
    found = {
        pattern: [path for path in sorted(folder.glob(pattern)) if is_run(path)] for pattern in ("seed*", "*/seed*")
    }
    if is_run(folder) or found["seed*"]:
        return folder if is_run(folder) else found["seed*"][0]
    presets = {path.parent.name: path for path in reversed(found["*/seed*"])}
    return presets.get("tuned", next(iter(presets.values())) if len(presets) == 1 else None)


def read_runs(folders: Sequence[Path], part: str = "auto") -> list[Run]:
    """Runs on one part of one split; `auto`: test if every run has opened it, else valid for all.

    Raises UserError for a run given twice, a part that a run lacks, or runs on different splits.
    """
    for place, folder in enumerate(folders):
        if folder.resolve() in [other.resolve() for other in folders[:place]]:
            raise UserError(f"{display(folder)} is named twice; name two different runs")
    if part == "auto":
        part = "test" if all((folder / "test" / "metrics.json").exists() for folder in folders) else "valid"
    runs = [read_run(folder, part) for folder in folders]
    for run in runs[1:]:
        if run.record["split_sha256"] != runs[0].record["split_sha256"]:
            shown = [f"{display(r.folder)} ({r.record['split_sha256'][:8]})" for r in (runs[0], run)]
            raise UserError(f"{shown[0]} and {shown[1]} are on different splits; compare runs on the same one")
    return runs


def read_run(folder: Path, part: str) -> Run:
    """One run's results on `test` or `valid`."""
    results = folder / part
    if not (results / "metrics.json").exists():
        other = "valid" if part == "test" else "test"
        raise UserError(f"{display(folder)} has no results on {part}; run it so far, or compare with --part {other}")
    record = read_json(results / "metrics.json")
    config = read_json(folder / "config.json")
    per_user = read_parquet(results / "per_user.parquet").drop(columns="given", errors="ignore")
    per_user["user_id"] = per_user["user_id"].astype(object)
    label = row_name(record) + (f" seed {record['seed']}" if record["seed"] else "")
    return Run(label, folder, part, config, record, per_user.groupby("user_id").mean())


def row_name(record: Mapping[str, Any]) -> str:
    """What a row is called in a terminal: its model, with its preset where that is not the tuned one.

    >>> row_name({"model": "als", "preset": "tuned"}), row_name({"model": "als", "preset": "classic"})
    ('als', 'als/classic')
    """
    return str(record["model"]) + ("" if record["preset"] == "tuned" else f"/{record['preset']}")
