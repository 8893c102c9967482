"""What the page shows of each data set and protocol: the rows with their results, split and commits."""

import contextlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from common.data.sources.registry import LASTFM
from common.evaluation.registry import LISTS, PAGE, describe, is_bold, title
from common.experiments.outputs import Outputs, RowResults, collect, results_of_rows, runs_in
from common.experiments.run import row_name
from common.reporting.leaderboard import KEYS, leaderboard, means
from common.splits.protocols import N_GIVEN, PROTOCOLS
from common.utils.errors import UserError
from common.utils.io import read_json

GROUPS = {
    heading: {key: title(key).removesuffix("@10" if heading == LISTS else "") for key in keys}
    or {f"ndcg_10_given{number}": str(number) for number in N_GIVEN}
    for heading, keys in PAGE.items()
}
"""Groups of columns of the leaderboard: metric -> title."""


@dataclass(frozen=True)
class Cell:
    """A figure as shown, as it is sorted by, and whether it is the best of its column."""

    text: str
    order: str
    best: bool


@dataclass(frozen=True)
class Leaderboard:
    """One data set and protocol.

    part: test, or valid where no run has opened test; the two are never mixed. rows: one per model and preset with its
    `label` and means over seeds; results: label -> the first seed's results on the part.
    """

    dataset: str
    protocol: str
    split_sha256: str
    part: str
    rows: pd.DataFrame
    results: RowResults
    commits: list[str]
    unopened: list[str]

    @property
    def key(self) -> str:
        """Data set and protocol, as the page's script names a leaderboard."""
        return f"{self.dataset}/{self.protocol}"

    @cached_property
    def groups(self) -> dict[str, dict[str, str]]:
        """The groups of columns that any row has a figure for."""
        has = {name for name in self.rows if self.rows[name].notna().any()}
        shown = {group: {k: t for k, t in columns.items() if k in has} for group, columns in GROUPS.items()}
        return {group: columns for group, columns in shown.items() if columns}

    def cells(self) -> list[tuple[pd.Series, list[Cell]]]:
        """Every row with its cells, in the order of `groups`."""
        keys = [key for columns in self.groups.values() for key in columns]
        return [(row, [self._cell(row, key) for key in keys]) for _, row in self.rows.iterrows()]

    def _cell(self, row: pd.Series, key: str) -> Cell:
        value = row[key]
        if pd.isna(value):
            return Cell("–", "-1e300", False)
        is_best = is_bold(key) and value == self.rows[key].max() and len(self.rows) > 1
        return Cell(format(value, describe(key).format or ".4f"), repr(float(value)), is_best)


def find_boards(output_dir: Path, data_dir: Path) -> list[Leaderboard]:
    """All data sets and protocols that have results, the default ones first."""
    folders = sorted(Outputs(output_dir).splits(), key=_place)
    return [board for folder in folders if (board := read_board(folder, data_dir))]


def _place(folder: Path) -> tuple:
    """Last.fm first, then by name; protocols in their own order, split seeds after one another."""
    protocol = folder.name.rsplit("-s", 1)[0] if folder.name not in PROTOCOLS else folder.name
    known = PROTOCOLS.index(protocol) if protocol in PROTOCOLS else len(PROTOCOLS)
    return folder.parent.name != LASTFM, folder.parent.name, known, folder.name


def read_board(folder: Path, data_dir: Path) -> Leaderboard | None:
    """One data set and protocol; None where no run is on the split that is in use."""
    split = _split_in_use(folder, data_dir)
    rows = leaderboard(folder, split)
    if rows.empty:
        return None
    part = "test" if "ndcg_10" in rows and rows["ndcg_10"].notna().any() else "valid"
    records = collect(folder, part, split)
    if part == "valid":
        rows = _on_validation(records)
    rows = rows.assign(label=[row_name(row) for _, row in rows.iterrows()])
    opened = rows["ndcg_10"].notna()
    return Leaderboard(
        dataset=folder.parent.name,
        protocol=folder.name,
        split_sha256=split,
        part=part,
        rows=rows,
        results=results_of_rows(folder, rows[opened]),
        commits=_commits(records),
        unopened=rows.loc[~opened, "label"].tolist(),
    )


def _split_in_use(folder: Path, data_dir: Path) -> str:
    """Hash of the split on disk; of the newest run's where the data are not at hand."""
    path = data_dir / folder.parent.name / "splits" / folder.name / "split.json"
    with contextlib.suppress(UserError):  # a damaged one is drawn anew by the next stage
        info = read_json(path) if path.exists() else None
        if isinstance(info, dict) and isinstance(info.get("split_sha256"), str):
            return info["split_sha256"]
    newest = max(runs_in(folder, "valid"), key=lambda run: run.written_at("valid"))
    return newest.results("valid").metrics["split_sha256"]


def _on_validation(records: pd.DataFrame) -> pd.DataFrame:
    """The leaderboard's rows with every figure taken on validation."""
    rows = means(records).assign(seeds=records.groupby(KEYS).size())
    rows = rows.assign(valid_ndcg_10=rows["ndcg_10"]).reset_index()
    return rows.sort_values(["stage", "valid_ndcg_10"], ignore_index=True)


def _commits(records: pd.DataFrame) -> list[str]:
    """Short commits of the runs, marked where there were uncommitted changes."""
    if "commit" not in records:
        return []
    dirty = records.get("dirty", pd.Series(False, records.index)).fillna(False).astype(bool)
    commits = records["commit"].fillna("unknown").str[:8] + dirty.map({True: " with changes", False: ""})
    return sorted(commits.unique())
