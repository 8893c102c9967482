"""All runs under `outputs/`: listed, found by folder or by name, and read for a comparison."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from common.data.sources.registry import LASTFM, resolve_name, without_mark
from common.experiments.run import PART_NAMES, PartResults, Run, row_name
from common.utils.errors import UserError, unknown_name
from common.utils.io import display

log = logging.getLogger(__name__)


def runs_in(folder: Path, part: str | None = None) -> list[Run]:
    """The runs under a split's folder that have sound results (on `part`, if named), by model, preset and seed."""
    runs = (Run(path) for path in sorted(folder.glob("*/*/seed*")))
    return [run for run in runs if (run.parts if part is None else run.has(part))]


def collect(folder: Path, part: str, split_sha256: str) -> pd.DataFrame:
    """`metrics.json` of every run under a split's folder on `valid` or `test`, one row per run, with its `folder`.

    Runs on another drawing of the split are left out with a warning: their metrics are not comparable.
    """
    records, others = _records(folder, part, split_sha256)
    if others:
        log.warning("%d runs on another split are left out of the leaderboard", others)
    return records


def _records(folder: Path, part: str, split_sha256: str) -> tuple[pd.DataFrame, int]:
    """The rows of `collect`, and how many runs are left out."""
    results = [run.results(part) for run in runs_in(folder, part)]
    current = [of for of in results if of.metrics["split_sha256"] == split_sha256]
    records = [of.metrics | {"folder": str(of.folder)} for of in current]
    rows = pd.DataFrame([{k: v for k, v in record.items() if not isinstance(v, dict)} for record in records])
    return rows, len(results) - len(current)


def results_at(folder: str | Path) -> PartResults:
    """The results in a folder as `collect` names it."""
    return PartResults(Run(Path(folder).parent), Path(folder).name)


@dataclass(frozen=True)
class Outputs:
    """The folder of all results: `outputs/<dataset>/<split>/<model>/<preset>/seed<k>/`."""

    root: Path

    def runs(
        self, dataset: str | None = None, split: str | None = None, model: str | None = None, preset: str | None = None
    ) -> list[Run]:
        """Runs with results, those of the named data set, split, model and preset."""
        found = [
            run for folder in sorted(self.root.glob(f"{dataset or '*'}/{split or '*'}")) for run in runs_in(folder)
        ]
        return [run for run in found if model in (None, run.key.model) and preset in (None, run.key.preset)]

    def datasets(self) -> list[str]:
        """Names of the data sets that have results on validation."""
        return sorted({folder.parent.name for folder in self.splits()})

    def splits(self, dataset: str | None = None) -> list[Path]:
        """Folders of the splits that have results on validation, of one data set or of all."""
        folders = sorted(path for path in self.root.glob(f"{dataset or '*'}/*") if path.is_dir())
        return [folder for folder in folders if runs_in(folder, "valid")]

    def choose_dataset(self, name: str) -> str:
        """The folder of a data set: the name itself, that of a folder of one's own by its path, or the only one whose
        name goes on with a hyphen (sizes)."""
        names = self.datasets()
        if not names:
            raise no_results(self.root)
        if name not in ("auto", *names) and Path(without_mark(name)[0]).is_dir():
            name = resolve_name(name, self.root)
        if name == "auto" and LASTFM in names:
            return LASTFM
        found = [one for one in names if name in ("auto", one)] or [n for n in names if n.startswith(f"{name}-")]
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(f"--dataset {name} may mean {' or '.join(found)}; name one of them")
        raise unknown_name("data set", name, names)

    def find(self, name: str, dataset: str = "auto", split: str = "listen") -> Run:
        """A run by its folder, or by model, preset and seed under a data set and split (tuned, first seed)."""
        if found := _first_run(Path(name)):
            return found
        if Path(name).is_dir() and Path(name).is_absolute():
            raise UserError(
                f"{name} holds no results of a run; name a folder outputs/DATASET/PROTOCOL/MODEL/PRESET/seedK"
            )
        folder = self.root / self.choose_dataset(dataset) / split
        if not folder.is_dir():
            raise unknown_name("protocol", split, [path.name for path in self.splits(folder.parent.name)])
        if found := _first_run(folder / name):
            return found
        known = sorted({f"{run.key.model}/{run.key.preset}" for run in runs_in(folder)})
        raise UserError(
            f"{name!r} is no run: there is no such folder, and {display(folder)} holds {', '.join(known) or 'none'}"
        )


def no_results(folder: Path) -> UserError:
    """The error for a folder of outputs where no run has results."""
    return UserError(f"no results under {display(folder)}; run a stage first, e.g. 1_knn_baseline.py")


def _first_run(folder: Path) -> Run | None:
    """The run that a folder of a model, a preset or a run means: its first seed, tuned or else the only preset.

    One whose results are not sound only where no other is: whoever reads them says why.
    """
    if Run(folder).exists(Run(folder).newest):
        return Run(folder)
    seeds, presets = (_sound(sorted(folder.glob(pattern))) for pattern in ("seed*", "*/seed*"))
    if seeds:
        return seeds[0]
    first = {run.folder.parent.name: run for run in reversed(presets)}
    return first.get("tuned", next(iter(first.values())) if len(first) == 1 else None)


def _sound(folders: Sequence[Path]) -> list[Run]:
    there = [run for run in map(Run, folders) if run.exists(run.newest)]
    return [run for run in there if run.parts] or there


def read_results(runs: Sequence[Run], part: str = "auto") -> list[PartResults]:
    """Results of runs on one part of one split; `auto`: test if every run has opened it, else valid for all.

    Raises UserError for a run given twice, a part that a run lacks, or runs on different splits.
    """
    for place, run in enumerate(runs):
        if run.folder.resolve() in [other.folder.resolve() for other in runs[:place]]:
            raise UserError(f"{display(run.folder)} is named twice; name each run once")
    if part == "auto":
        part = "test" if all(run.has("test") for run in runs) else "valid"
    results = [run.results(part) for run in runs]
    for other in results[1:]:
        if other.metrics["split_sha256"] != results[0].metrics["split_sha256"]:
            shown = [f"{display(r.run.folder)} ({r.metrics['split_sha256'][:8]})" for r in (results[0], other)]
            raise UserError(f"{shown[0]} and {shown[1]} are on different splits; compare runs on the same one")
    return results


class RowResults(dict[str, PartResults]):
    """Results of leaderboard rows by their label, all on one part of the split."""

    @property
    def part(self) -> str:
        """`test` or `valid`; empty without rows."""
        return next((row.part for row in self.values()), "")


def results_of_rows(folder: Path, rows: pd.DataFrame) -> RowResults:
    """The first seed's results of each leaderboard row by its label, all on one part of the split.

    Test, if every row has opened it, else validation for all: a figure never mixes the two.
    """
    found = RowResults()
    for part in ("test", "valid"):
        runs = {(run.key.model, run.key.preset): run for run in reversed(runs_in(folder, part))}
        keys = {row_name(row): (row["model"], row["preset"]) for _, row in rows.iterrows()}
        found = RowResults({name: runs[key].results(part) for name, key in keys.items() if key in runs})
        if len(found) == len(rows):
            break
    return found


def rows_of(folder: Path, split_sha256: str) -> pd.DataFrame:
    """Validation NDCG@10 of every model and preset with results on a split: stage, model, preset, ndcg_10."""
    records, _ = _records(folder, "valid", split_sha256)  # `collect` has told of those left out
    keys = ["stage", "model", "preset"]
    rows = records.groupby(keys)["ndcg_10"].mean() if len(records) else pd.DataFrame(columns=[*keys, "ndcg_10"])
    return rows.reset_index().sort_values(["stage", "ndcg_10"], ignore_index=True)


def plot(
    folder: Path,
    dataset: str,
    name: str,
    draw: Callable[..., Any],
    *values: Any,
    part: str,
    about: str = "",
    **named: Any,
) -> Path:
    """Draw a figure under a split's folder: `draw(*values, title, path)`, the title naming data, split and part."""
    path = folder / "figures" / f"{name}.png"
    title = ", ".join(filter(None, (about, dataset, folder.name, PART_NAMES.get(part, ""))))
    draw(*values, title, path, **named)
    return path
