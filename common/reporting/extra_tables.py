"""Tables beside the leaderboards, for a page: other splits and seeds, ablations, predicted plays, cold start."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from common.data.dataset import Dataset
from common.evaluation.registry import keys, label, labels, shown
from common.evaluation.segments import by_item_coldness, by_n_given
from common.evaluation.statistics import REFERENCE
from common.evaluation.task import Task
from common.experiments.analysis.cold_start import COLD_START_MODELS, TABLE, WITH_FRIENDS, cold_start_curves
from common.experiments.outputs import RowResults, collect, results_of_rows, runs_in
from common.experiments.run import PartResults, Run, RunKey
from common.reporting.leaderboard import KEYS, tested_rows
from common.reporting.markdown_blocks import Table
from common.splits.protocols import N_GIVEN
from common.splits.store import load_split
from common.splits.train_view import TrainView

SPLIT_METRICS = labels(("ndcg_10", "recall_20"))
"""Metrics of the table of splits."""
SEED_METRICS = labels(("ndcg_10", "hr_10", "recall_20", "hr_5_sampled99"))
"""Metrics of the table of seeds."""
TRADE_OFF = {
    "ndcg_10": label("valid_ndcg_10"),
    **labels(("ils_genre_10", "ils_tag_10", "ils_audio_10", "ils_tag_share_10", "coverage_10")),
}
"""Columns of the table of trade-off weights."""
PLAYS = {key.removeprefix("plays_"): label(key) for key in keys("plays")}
"""Metrics of predicted plays."""
LOSSES = (label("valid_ndcg_10"), "loss", "95% interval of the loss")
"""Columns of an ablation."""
GROUPS = {key: PLAYS[key] for key in ("rmse", "mae", "r2")} | {"ndcg": "NDCG of the order"}
"""Metrics of predicted plays by group of users and items."""
COLDNESS = {
    "recall_100": label("recall_100"),
    "hr_5_sampled99": "all",
    "hr_5_sampled99_seen": "heard",
    "hr_5_sampled99_unseen_content": "content",
    "hr_5_sampled99_unseen_bare": "bare",
}
"""Recall@100 over the whole catalogue, the mean over users; then the share of held-out pairs that are among the first 5
of 100 (99 sampled negatives): all; of items with a listener; of those without, with content and without."""


def splits_table(results: Path, data: Dataset, protocol: str) -> Table | None:
    """Test figures on the split seeds above 0 that have results, their means, and the means against tuned ALS.

    Only rows that every one of these splits has are shown; None without any.
    """
    found = _by_split_seed(results, data, protocol)
    joined: Any = pd.concat(found, axis=1, join="inner") if found else pd.DataFrame()
    if REFERENCE not in joined.index:
        return None
    means = {metric: joined.xs(metric, axis=1, level=1).mean(axis=1) for metric in SPLIT_METRICS}
    joined = joined.loc[means["ndcg_10"].sort_values().index]
    header = ["Model", "Preset", *(f"{SPLIT_METRICS['ndcg_10']}, seed {seed}" for seed in found)]
    header += [text for title in SPLIT_METRICS.values() for text in (f"{title}, mean", "against als")]
    lines = []
    for row in joined.index:
        cells = [*row, *(f"{joined.loc[row, (seed, 'ndcg_10')]:.4f}" for seed in found)]
        for mean in means.values():
            cells += [f"{mean[row]:.4f}", f"{mean[row] / mean[REFERENCE] - 1:+.1%}"]
        lines.append(cells)
    return Table(header, lines, texts=2)


def _by_split_seed(results: Path, data: Dataset, protocol: str) -> dict[str, pd.DataFrame]:
    """Test figures by model and preset on each split seed above 0 that has results."""
    found = {}
    for folder in sorted(path for path in results.glob(f"{protocol}-s[1-9]*") if path.is_dir()):
        table = tested_rows(folder, load_split(data, folder.name).info["split_sha256"])
        if len(table):
            found[folder.name.rsplit("-s", 1)[1]] = table.set_index(["model", "preset"])[list(SPLIT_METRICS)].dropna()
    return found


def seeds_table(results: Path, data: Dataset, protocol: str) -> Table:
    """Test figures of every row that was run with several model seeds: mean ± standard deviation."""
    records = collect(results / protocol, "test", load_split(data, protocol).info["split_sha256"])
    lines = []
    for (_, model, preset), rows in records.groupby(KEYS) if len(records) else ():
        if len(rows) > 1:
            cells = [f"{rows[key].mean():.4f} ± {rows[key].std():.4f}" for key in SEED_METRICS]
            lines.append([str(model), str(preset), str(len(rows)), *cells])
    return Table(["Model", "Preset", "Seeds", *SEED_METRICS.values()], lines, texts=2)


def ablation_table(results: Path, data: Dataset, protocol: str) -> Table:
    """What the forest loses without each group of features, on validation."""
    rows = _study(results, protocol, "forest", "ablation")
    return Table(["Features", *LOSSES], [_loss_cells(row) for row in rows], texts=1)


def _loss_cells(row: dict[str, Any]) -> list[str]:
    interval = f"{row['low']:+.4f} to {row['high']:+.4f}"
    return [row["name"], f"{row['ndcg_10']:.4f}", f"{row['loss']:+.4f}", interval]


def hybrid_ablation_table(results: Path, data: Dataset, protocol: str) -> Table:
    """What the hybrid loses without each part, and its R² of plays, on validation."""
    rows = _study(results, protocol, "hybrid_listnet", "ablation")
    cells = [[*_loss_cells(row), "" if pd.isna(row["plays_r2"]) else f"{row['plays_r2']:.4f}"] for row in rows]
    return Table(["Hybrid", *LOSSES, f"{PLAYS['r2']} of plays"], cells, texts=1)


def trade_off_table(results: Path, data: Dataset, protocol: str) -> Table:
    """The hybrid's accuracy and similarity inside its lists by `ils_weight`, on validation."""
    rows = _study(results, protocol, "hybrid_listnet", "trade_off")
    measured = {name: title for name, title in TRADE_OFF.items() if rows and name in rows[0]}
    lines = [[f"{row['ils_weight']:g}", *(f"{row[name]:.4f}" for name in measured)] for row in rows]
    return Table(["ils_weight", *measured.values()], lines, texts=0)


def play_groups_table(results: Path, data: Dataset, protocol: str) -> Table:
    """How well the hybrid predicts plays by group, on pairs held out of train."""
    lines = []
    for row in _study(results, protocol, "hybrid_listnet", "plays"):
        cells = [f"{row[key]:.4f} ({row['reference_' + key]:.4f})" for key in GROUPS]
        lines.append([row["group"], f"{row['pairs']:,}", *cells])
    return Table(["Pairs of", "Pairs", *GROUPS.values()], lines, texts=1)


def _study(results: Path, protocol: str, model: str, name: str) -> list[dict[str, Any]]:
    """Rows of a table that a stage has kept for its tuned preset; none where there is no such table."""
    table = Run.at(results.parent, RunKey(results.name, protocol, model, "tuned", 0)).table(name)
    return [] if table is None else [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def plays_table(results: Path, data: Dataset, protocol: str) -> Table:
    """How well log plays of held-out pairs are predicted, on test, by each model that predicts plays."""
    records = [run.results("test").metrics for run in runs_in(results / protocol, "test") if run.key.seed == 0]
    records = [record for record in records if "plays_r2" in record]
    reference = ["means of user and item", ""]
    rows = [[*reference, *(f"{r[f'plays_reference_{key}']:.4f}" for key in PLAYS)] for r in records[:1]]
    rows += [[r["model"], r["preset"], *(f"{r[f'plays_{key}']:.4f}" for key in PLAYS)] for r in records]
    return Table(["Model", "Preset", *PLAYS.values()], rows, texts=2)


def coldness_table(results: Path, data: Dataset, protocol: str) -> Table:
    """Recall@100, and held-out pairs by what is known of the item, on test."""
    rows = _tested(results / protocol, load_split(data, protocol).info["split_sha256"])
    cells = coldness_cells(rows, Task(data, protocol).train_valid)
    return Table(["Model", *COLDNESS.values()], cells, texts=1)


def coldness_cells(rows: Mapping[str, PartResults], train: TrainView) -> list[list[str]]:
    """A row per model: its name and the figures of COLDNESS, "-" where there are no such pairs."""
    found = {name: by_item_coldness(row.targets, train) for name, row in rows.items()}
    return [[name, *(shown(key, figures.get(key)) for key in COLDNESS)] for name, figures in found.items()]


def cold_start_table(results: Path, data: Dataset, protocol: str) -> Table:
    """NDCG@10 of newcomers by the number of given items, and of towers that know friends, on test."""
    rows = cold_start_results(results, data, protocol)
    cells = [[name, *(f"{value:.4f}" for value in values["mean"])] for name, values in rows.items()]
    return Table(["Model", *(f"@{n}" for n in N_GIVEN)], cells, texts=1)


def cold_start_results(results: Path, data: Dataset, protocol: str) -> dict[str, pd.DataFrame]:
    """The cold-start curves of test results, see `cold_start_curves`; none but for newcomers."""
    if protocol != "newcomer":
        return {}
    tested = _tested(results / protocol, load_split(data, protocol).info["split_sha256"])
    rows = {name: tested[name] for name in COLD_START_MODELS if name in tested}
    curves = cold_start_curves(rows)
    if "two_tower" in rows and (table := rows["two_tower"].table(TABLE)) is not None:
        curves[WITH_FRIENDS] = by_n_given(table)
    return curves


def _tested(folder: Path, split_sha256: str) -> RowResults:
    """Test results of the first seed of every tuned row, by model."""
    table = tested_rows(folder, split_sha256)
    return results_of_rows(folder, table[table["preset"] == "tuned"])


TABLES: dict[str, Callable[[Path, Dataset, str], Table | None]] = {
    "splits": splits_table,
    "seeds": seeds_table,
    "ablation": ablation_table,
    "parts": hybrid_ablation_table,
    "prices": trade_off_table,
    "groups": play_groups_table,
    "plays": plays_table,
    "unseen": coldness_table,
    "ladder": cold_start_table,
}
"""Kind of a page's block -> what fills it; a table without rows is not shown."""
OF_MODELS = ("splits", "seeds", "plays", "unseen", "ladder")
"""Those with a row per model; each of the others is one study, measured whole."""
