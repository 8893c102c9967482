"""Searches in the open: every trial of every model on one split, the best of each, and how they got there.

A folder holds `<dataset>-<split>-<model>.tsv` (a row per trial) for each model, `<dataset>-<split>.png`, and
`<dataset>-<split>.json`, which names the study that each model's trials belong to (`Search.name`).
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.experiments.presets import typed
from common.experiments.tuning import CPU, Search, searchable
from common.plots import search as plots
from common.utils.errors import UserError
from common.utils.io import ROOT, display, read_json, write_json, write_text
from common.utils.settings import check_field

TRIALS = ROOT / "docs" / "results" / "trials"
HEADER = ("Model", "Trials", "CPU s", "Cut short", "NDCG@10 of the start", "Best NDCG@10", "Found after, CPU s")
Trials = Mapping[str, pd.DataFrame]
"""Trials of each model as `Search.every_trial` gives them, those of models without any left out."""


@dataclass(frozen=True)
class TrialFiles:
    """The files of the searches on one split of a data set."""

    folder: Path
    dataset: str
    split: str

    def path(self, model: str) -> Path:
        """The trials of a model."""
        return self.folder / f"{self.dataset}-{self.split}-{model}.tsv"

    @property
    def figure(self) -> Path:
        """The best so far of every model."""
        return self.folder / f"{self.dataset}-{self.split}.png"

    @property
    def note(self) -> Path:
        """Name of the study of each model."""
        return self.figure.with_suffix(".json")

    def write(self, trials: Trials, studies: Mapping[str, str]) -> list[Path]:
        """Write each model's trials, the names of their studies, and the figure of the best so far; returns the paths
        of trials and figure."""
        write_json(self.note, self._studies() | dict(studies))
        written = []
        for model, table in trials.items():
            shown = table.assign(ndcg_10=table["ndcg_10"].round(5))
            written.append(self.path(model))
            write_text(written[-1], shown.to_csv(index=False, sep="\t", lineterminator="\n"))
        progress = {model: best_so_far(table) for model, table in trials.items() if table["ndcg_10"].notna().any()}
        if progress:
            written.append(self.figure)
            plots.best_by_budget(progress, f"{self.dataset}, {self.split}, validation", self.figure)
        return written

    def read(self, search: Search, start: Any) -> pd.DataFrame:
        """The trials of a model as `Search.every_trial` gives them, their figures rounded; empty without a file.

        Raises a UserError for a file that cannot be read, and for trials of another study than that of the search: of
        other data, another drawing, seed, or values of settings that are not searched.
        """
        path, columns = self.path(search.model), ["trial", "ndcg_10", CPU, *searchable(type(start))]
        if not path.exists():
            return pd.DataFrame()
        if self._studies().get(search.model) != search.name(start):
            raise UserError(
                f"{display(path)} is of another search: other data, another split or seed, or other fixed settings; "
                "name another folder with --results"
            )
        try:
            text = path.read_text(encoding="utf-8")
            if not text.endswith("\n"):
                raise ValueError("its last line is cut off")
            table = pd.read_csv(io.StringIO(text), sep="\t")
            if set(table) != set(columns):
                raise ValueError(f"its columns are not {', '.join(columns)}")
            return table[columns].astype({"ndcg_10": float, CPU: float})
        except (OSError, ValueError) as error:
            raise UserError(
                f"{display(path)} cannot be read as trials ({error}); restore it, or move it away"
            ) from error

    def go_on(self, search: Search, start: Any) -> None:
        """Begin the study of a search with the trials of the folder, where the study itself is gone.

        Raises a UserError for files that `read` refuses, and for a study that lacks trials of the folder.
        """
        table = self.read(search, start)
        if len(table):
            try:
                search.restore(start, table)
            except ValueError as error:
                raise UserError(f"{display(self.path(search.model))}: {error}; restore it, or move it away") from error
        if len(search.every_trial(start)) < len(table):
            raise UserError(
                f"{display(search.study)} has fewer trials than {display(self.path(search.model))}; "
                "move the study away to go on with those of the table"
            )

    def _studies(self) -> dict[str, str]:
        found = read_json(self.note) if self.note.exists() else {}
        if not isinstance(found, dict):
            raise UserError(f"{display(self.note)} does not name studies; restore it, or move it away")
        return found


def settings_of(table: pd.DataFrame, start: Any, where: str) -> list[Any]:
    """The settings of each trial of a table, those that were not searched as they are in `start`.

    Raises a UserError, which begins with `where`, for values that the settings do not take.
    """
    return [_settings(row, start, f"{where}, trial {row['trial']}:") for _, row in table.astype(object).iterrows()]


def _settings(row: pd.Series, start: Any, where: str) -> Any:
    values = dict[str, Any]()
    for name in searchable(type(start)):
        values[name] = typed(row[name], getattr(start, name), f"{where} {name}")
        check_field(type(start), name, values[name], f"{where} {name}")
    return replace(start, **values)


def best_so_far(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """CPU seconds after each trial, and the best value until then, float64 (trials,) each, from the first value on.

    >>> table = pd.DataFrame({"ndcg_10": [np.nan, 0.2, 0.1, 0.3], "cpu_seconds": [1.0, 2.0, 3.0, 4.0]})
    >>> [values.tolist() for values in best_so_far(table)]
    [[3.0, 6.0, 10.0], [0.2, 0.2, 0.3]]
    """
    values = np.fmax.accumulate(table["ndcg_10"].to_numpy(float))
    known = ~np.isnan(values)
    return np.cumsum(table["cpu_seconds"].to_numpy(float))[known], values[known]


def summary(trials: Trials) -> list[list[str]]:
    """Cells below HEADER, a row per model: how many trials in how many seconds, where the search began, the best, and
    when it came."""
    return [_row(model, table) for model, table in trials.items()]


def _row(model: str, table: pd.DataFrame) -> list[str]:
    values, seconds = table["ndcg_10"], np.cumsum(table["cpu_seconds"].to_numpy(float))
    counts = [f"{len(table)}", f"{seconds[-1]:.0f}", f"{int(values.isna().sum())}"]
    if values.isna().all():
        return [model, *counts, "-", "-", "-"]
    best = int(np.nanargmax(values))
    first = "-" if np.isnan(values.iloc[0]) else f"{values.iloc[0]:.4f}"
    return [model, *counts, first, f"{values.iloc[best]:.4f}", f"{seconds[best]:.0f}"]
