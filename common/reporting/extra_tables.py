"""Tables beside the leaderboards, for a page: other splits and seeds, groups of features, predicted plays."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from common.data.dataset import Dataset
from common.evaluation.registry import keys, label, labels
from common.evaluation.segments import apart, by_n_given
from common.evaluation.statistics import REFERENCE
from common.experiments.analysis.cold_start import LADDER, cold_start_rows
from common.experiments.experiment import Experiment
from common.experiments.run import PARTS
from common.experiments.run_folders import run_folders
from common.plots.cold_start import WITH_FRIENDS
from common.reporting.leaderboard import collect, leaderboard
from common.splits.protocols import N_GIVEN
from common.splits.store import load_split
from common.splits.train_view import TrainView, load_train_view
from common.utils.io import read_json, read_parquet
from common.utils.terminal import aligned

COLUMNS = {
    "recall_100": label("recall_100"),
    "hr_5_sampled99": "all",
    "hr_5_sampled99_seen": "heard",
    "hr_5_sampled99_unseen_content": "content",
    "hr_5_sampled99_unseen_bare": "bare",
}
"""Recall@100 over the whole catalogue, the mean over people; then the share of hidden pairs that are among the first 5
of 100 (99 sampled negatives): all; of items that somebody has; of those that nobody has, with content and without."""


def unseen_cells(folders: Mapping[str, Path], train: TrainView) -> list[list[str]]:
    """A row per model: its name and the figures of COLUMNS, "-" where there are no such pairs."""
    found = {name: apart(folder, train) for name, folder in folders.items()}
    return [
        [name, *(f"{figures[key]:.4f}" if key in figures else "-" for key in COLUMNS)]
        for name, figures in found.items()
    ]


def unseen_text(experiment: Experiment) -> str:
    """A table for a terminal: the rows of the leaderboard, items apart by what is known of them."""
    table = leaderboard(experiment.folder, experiment.select.split_sha256)
    folders = run_folders(experiment.folder, table)
    phase = next((phase for phase, part in PARTS.items() if next(iter(folders.values())).name == part), "select")
    if phase not in experiment.train:
        return ""
    cells = [["hidden pairs", *COLUMNS.values()], *unseen_cells(folders, experiment.train[phase])]
    lines = aligned(cells, texts=1)
    note = "share among the first 5 of 100, by what is known of the hidden item: a listener, content, nothing"
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], note])


def cold_start_text(rows: Mapping[str, pd.DataFrame]) -> str:
    """The ladder as a table for a terminal."""
    header = ["known items", *(str(rung) for rung in N_GIVEN)]
    cells = [[name, *(_cell(values, rung) for rung in N_GIVEN)] for name, values in rows.items()]
    lines = aligned([header, *cells], texts=1)
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _cell(values: pd.DataFrame, rung: int) -> str:
    return f"{float(values['mean'][rung]):.4f}" if rung in values.index else "-"


SHOWN = labels(("ndcg_10", "recall_20"))


SPREAD = labels(("ndcg_10", "hr_10", "recall_20", "hr_5_sampled99"))


SIMILARITY = {
    "ndcg_10": label("valid_ndcg_10"),
    "ils_genre_10": "alike in genres",
    "ils_tag_10": "in tags",
    "ils_audio_10": "in sound",
    "ils_tag_share_10": "with tags",
    "coverage_10": label("coverage_10"),
}


PLAYS = {key.removeprefix("plays_"): label(key) for key in keys("plays")}


GROUPS = {key: PLAYS[key] for key in ("rmse", "mae", "r2")} | {"ndcg": "NDCG of the order"}


@dataclass(frozen=True)
class Table:
    """A table of a page: its first `texts` columns are text, the others numbers."""

    header: list[str]
    cells: list[list[str]]
    texts: int

    def markdown(self) -> str:
        """The table in Markdown.

        >>> print(Table(["a", "b"], [["x", "1"]], texts=1).markdown(), end="")
        | a | b |
        | --- | ---: |
        | x | 1 |
        """
        lines = [self.header, ["---"] * self.texts + ["---:"] * (len(self.header) - self.texts), *self.cells]
        return "".join("| " + " | ".join(line) + " |\n" for line in lines)

    def with_rows_of(self, old: "Table") -> "Table":
        """This table with the rows that only an older one has, each behind the row that it stood behind.

        A row is known by its texts. Of tables with other columns the older one stays, unless this has all it has.

        >>> old = Table(["a", "b"], [["x", "1"], ["y", "2"]], texts=1)
        >>> Table(["a", "b"], [["x", "7"], ["z", "3"]], texts=1).with_rows_of(old).cells
        [['x', '7'], ['y', '2'], ['z', '3']]
        """
        if self.header != old.header:
            has_all = set(self.header) >= set(old.header) and set(self.keys) >= set(old.keys)
            return self if has_all else old
        cells, behind = list(self.cells), -1
        for key, row in zip(old.keys, old.cells, strict=True):
            there = [tuple(of[: self.texts]) for of in cells]
            if key not in there:
                cells.insert(behind + 1, row)
                behind += 1
            else:
                behind = there.index(key)
        return Table(self.header, cells, self.texts)

    @property
    def keys(self) -> list[tuple[str, ...]]:
        """What each row is known by."""
        return [tuple(row[: self.texts]) for row in self.cells]


def splits_table(results: Path, data: Dataset, protocol: str) -> Table | None:
    """Test figures on the split seeds above 0 that have results, their means, and the means against tuned ALS.

    Only rows that every one of these splits has are shown; None without any.
    """
    folders = sorted(path for path in results.glob(f"{protocol}-s[1-9]*") if path.is_dir())
    found = {}
    for folder in folders:
        table = leaderboard(folder, load_split(data, folder.name).info["split_sha256"])
        if not table.empty and "ndcg_10" in table:
            found[folder.name.rsplit("-s", 1)[1]] = table.set_index(["model", "preset"])[list(SHOWN)].dropna()
    if not found:
        return None
    joined: Any = pd.concat(found, axis=1, join="inner")
    if joined.empty or REFERENCE not in joined.index:
        return None
    means = {metric: joined.xs(metric, axis=1, level=1).mean(axis=1) for metric in SHOWN}
    joined = joined.loc[means["ndcg_10"].sort_values().index]
    header = ["Model", "Preset", *(f"{SHOWN['ndcg_10']}, seed {seed}" for seed in found)]
    header += [text for title in SHOWN.values() for text in (f"{title}, mean", "against als")]
    lines = []
    for row in joined.index:
        cells = [*row, *(f"{joined.loc[row, (seed, 'ndcg_10')]:.4f}" for seed in found)]
        for mean in means.values():
            cells += [f"{mean[row]:.4f}", f"{mean[row] / mean[REFERENCE] - 1:+.1%}"]
        lines.append(cells)
    return Table(header, lines, texts=2)


def seeds_table(results: Path, data: Dataset, protocol: str) -> Table | None:
    """Test figures of every row that was run with several model seeds: mean ± standard deviation; None without any."""
    records = collect(results / protocol, "test", load_split(data, protocol).info["split_sha256"])
    if records.empty:
        return None
    lines = []
    for (_, model, preset), rows in records.groupby(["stage", "model", "preset"]):
        if len(rows) > 1:
            cells = [f"{rows[key].mean():.4f} ± {rows[key].std():.4f}" for key in SPREAD]
            lines.append([str(model), str(preset), str(len(rows)), *cells])
    return Table(["Model", "Preset", "Seeds", *SPREAD.values()], lines, texts=2) if lines else None


def ablation_table(results: Path, data: Dataset, protocol: str) -> Table | None:
    """What the forest loses without each group of features, on validation; None where none was measured."""
    path = results / protocol / "forest" / "tuned" / "seed0" / "ablation.parquet"
    if not path.exists():
        return None
    rows = [
        [str(row["name"]), f"{row['ndcg_10']:.4f}", f"{row['loss']:+.4f}", f"{row['low']:+.4f} to {row['high']:+.4f}"]
        for _, row in read_parquet(path).iterrows()
    ]
    return Table(["Features", label("valid_ndcg_10"), "loss", "95% interval of the loss"], rows, texts=1)


def parts_table(results: Path, data: Dataset, protocol: str) -> Table | None:
    """What the hybrid loses without each part, and its R² of hidden plays, on validation; None where not measured."""
    rows = []
    for row in _of_hybrid(results, protocol, "ablation"):
        told = "" if pd.isna(row["plays_r2"]) else f"{row['plays_r2']:.4f}"
        interval = f"{row['low']:+.4f} to {row['high']:+.4f}"
        rows.append([row["name"], f"{row['ndcg_10']:.4f}", f"{row['loss']:+.4f}", interval, told])
    header = ["Hybrid", label("valid_ndcg_10"), "loss", "95% interval of the loss", f"{PLAYS['r2']} of plays"]
    return Table(header, rows, texts=1) if rows else None


def prices_table(results: Path, data: Dataset, protocol: str) -> Table | None:
    """Accuracy and likeness of the hybrid's lists by price, on validation; None where not measured."""
    rows = _of_hybrid(results, protocol, "trade_off")
    shown = {name: title for name, title in SIMILARITY.items() if rows and name in rows[0]}
    lines = [[f"{row['ils_weight']:g}", *(f"{row[name]:.4f}" for name in shown)] for row in rows]
    return Table(["ils_weight", *shown.values()], lines, texts=0) if rows else None


def groups_table(results: Path, data: Dataset, protocol: str) -> Table | None:
    """For whom the hybrid predicts plays how well, on held-out visible pairs; None where not measured."""
    lines = []
    for row in _of_hybrid(results, protocol, "plays"):
        cells = [f"{row[key]:.4f} ({row['reference_' + key]:.4f})" for key in GROUPS]
        lines.append([row["group"], f"{row['pairs']:,}", *cells])
    return Table(["Pairs of", "Pairs", *GROUPS.values()], lines, texts=1) if lines else None


def _of_hybrid(results: Path, protocol: str, name: str) -> list[dict[str, Any]]:
    """Rows of a table that stage 6 has kept for its tuned preset; none where there is no such table."""
    path = results / protocol / "hybrid_listnet" / "tuned" / "seed0" / f"{name}.parquet"
    return (
        [{str(k): v for k, v in row.items()} for row in read_parquet(path).to_dict("records")] if path.exists() else []
    )


def plays_table(results: Path, data: Dataset, protocol: str) -> Table | None:
    """How well log plays of hidden pairs are predicted, on test, by every model that does; None without any."""
    records = [read_json(path) for path in sorted((results / protocol).glob("*/*/seed0/test/metrics.json"))]
    records = [record for record in records if "plays_r2" in record]
    if not records:
        return None
    rows = [["means of user and item", "", *(f"{records[0][f'plays_reference_{key}']:.4f}" for key in PLAYS)]]
    rows += [[r["model"], r["preset"], *(f"{r[f'plays_{key}']:.4f}" for key in PLAYS)] for r in records]
    return Table(["Model", "Preset", *PLAYS.values()], rows, texts=2)


def unseen_table(results: Path, data: Dataset, protocol: str) -> Table | None:
    """Recall of the first 100, and hidden pairs apart by what is known of the item, on test; None without any."""
    folders = _tested(results / protocol, load_split(data, protocol).info["split_sha256"])
    if not folders:
        return None
    rows = unseen_cells(folders, load_train_view(data, protocol, "final"))
    return Table(["Model", *COLUMNS.values()], rows, texts=1)


def cold_start_table(results: Path, data: Dataset, protocol: str) -> Table | None:
    """NDCG@10 on each rung of newcomers, with what friends are worth, on test; None without any."""
    rows = cold_start_tables(results, data, protocol)
    cells = [[name, *(f"{value:.4f}" for value in values["mean"])] for name, values in rows.items()]
    return Table(["Model", *(f"@{rung}" for rung in N_GIVEN)], cells, texts=1) if rows else None


def cold_start_tables(results: Path, data: Dataset, protocol: str) -> dict[str, pd.DataFrame]:
    """The rows of the cold-start ladder, see `cold_start.ladder`, from test results; none but for newcomers."""
    if protocol != "newcomer":
        return {}
    folders = _tested(results / protocol, load_split(data, protocol).info["split_sha256"])
    folders = {name: folders[name] for name in LADDER if name in folders}
    rows = cold_start_rows(folders)
    told = folders.get("two_tower", Path()) / "introduced.parquet"
    if told.exists():
        rows[WITH_FRIENDS] = by_n_given(read_parquet(told))
    return rows


def _tested(folder: Path, split_sha256: str) -> dict[str, Path]:
    """Test results of the first seed of every tuned row, by model."""
    table = leaderboard(folder, split_sha256)
    if table.empty or "ndcg_10" not in table:
        return {}
    return run_folders(folder, table[(table["preset"] == "tuned") & table["ndcg_10"].notna()])


TABLES = {
    "splits": splits_table,
    "seeds": seeds_table,
    "ablation": ablation_table,
    "parts": parts_table,
    "prices": prices_table,
    "groups": groups_table,
    "plays": plays_table,
    "unseen": unseen_table,
    "ladder": cold_start_table,
}
"""Kind of a page's block -> what fills it."""


OF_MODELS = ("splits", "seeds", "plays", "unseen", "ladder")
"""Those with rows of several models' runs; each of the others is one study, measured whole."""
