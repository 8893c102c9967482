"""The leaderboard of a data set and protocol: every finished run under `outputs/`, averaged over model seeds."""

import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pandas as pd

from common.cluster.settings import LOCAL
from common.evaluation.registry import TABLE, TERMINAL, is_bold, label, labels, shown
from common.evaluation.statistics import LEVEL, REFERENCE, significance
from common.experiments.outputs import collect, results_at
from common.experiments.run import OUTSIDE
from common.reporting.markdown_blocks import Table
from common.splits.protocols import N_GIVEN
from common.utils.io import write_json, write_text
from common.utils.terminal import titled

log = logging.getLogger(__name__)
COLUMNS = {key: {"interval": "95% interval", "against": "against als"}.get(key) or label(key) for key in TABLE}
"""What the Markdown table shows; `leaderboard.csv` and `.json` hold every metric."""
NEWCOMERS = labels(["ndcg_10", *(f"ndcg_10_given{number}" for number in N_GIVEN)])
"""What the terminal shows of newcomers: NDCG@10 over all of them, and @n where n items are given."""
NOTE = (
    "Whole catalogue ranked, history masked; s99: ranked among 99 sampled negatives only, not comparable with the "
    "other columns; val: NDCG@10 on validation, by which settings were chosen; all else on test, the mean over model "
    "seeds; interval: over users; against als: NDCG@10 against tuned ALS, ≈ where a paired test over users, "
    "corrected for the number of rows, cannot tell them apart."
)
OUTSIDE_NOTE = (
    "outside: lists that another program has made, evaluated by `python -m common judge`; how their settings were "
    "chosen is not known here."
)
ENGINE = {"engine": "Engine", "cores": "Cores"}
"""Columns of a leaderboard that has rows of a cluster."""
KEYS = ["stage", "model", "preset"]
"""What a row is known by."""
POPULAR = "popularity"
RowKeys = Collection[tuple[str, str]]
"""Rows of a leaderboard, by model and preset."""


def leaderboard(folder: Path, split_sha256: str, only: RowKeys | None = None) -> pd.DataFrame:
    """One row per model and preset: means over model seeds, `seeds`, `ndcg_10_std`, `valid_ndcg_10`, and the interval
    and p-value of NDCG@10, see `significance`.

    In the order of stages, within a stage by `valid_ndcg_10`. A model without test results has NaN there, and so have
    outside lists without validation. `only` names the rows to keep; all without it.
    """
    valid, test = finished_runs(folder, split_sha256, only)
    if valid.empty and test.empty:
        return pd.DataFrame()
    both = pd.concat([valid.assign(valid_ndcg_10=valid["ndcg_10"]) if len(valid) else valid, test])
    rows = both.assign(valid_ndcg_10=both.get("valid_ndcg_10", float("nan"))).groupby(KEYS)[["valid_ndcg_10"]].mean()
    if "engine" in both:
        rows = rows.join(engines(both))
    if not test.empty:
        grouped = test.groupby(KEYS)
        rows = rows.join(grouped.agg(seeds=("seed", "size"), ndcg_10_std=("ndcg_10", "std"))).join(means(test))
        seeds = {
            (str(model), str(preset)): [results_at(folder).per_user for folder in of]
            for (_, model, preset), of in grouped["folder"]
        }
        rows = rows.join(significance(seeds), on=["model", "preset"])
    return rows.reset_index().sort_values(["stage", "valid_ndcg_10"], ignore_index=True)


def engines(runs: pd.DataFrame) -> pd.DataFrame:
    """Which engine fitted each row, and the cores that it had, by KEYS."""
    own = runs.assign(engine=runs["engine"].fillna(LOCAL), cores=runs["cores"].fillna(runs["threads"]))
    return own.groupby(KEYS)[[*ENGINE]].last()


def means(runs: pd.DataFrame) -> pd.DataFrame:
    """Every figure of the runs averaged over model seeds, by KEYS."""
    numbers = [name for name in runs.select_dtypes("number") if name not in ("seed", "threads", "cores")]
    return runs.groupby(KEYS)[numbers].mean()


def tested_rows(folder: Path, split_sha256: str, only: RowKeys | None = None) -> pd.DataFrame:
    """The rows of the leaderboard that have test results."""
    table = leaderboard(folder, split_sha256, only)
    return table[table["ndcg_10"].notna()] if "ndcg_10" in table else pd.DataFrame(columns=KEYS)


def finished_runs(folder: Path, split_sha256: str, only: RowKeys | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The validation and test results that a leaderboard is made of, one row per run; test results of other settings
    than the newest validation are left out with a warning."""
    valid, test = (_select(collect(folder, part, split_sha256), only) for part in ("valid", "test"))
    if test.empty:
        return valid, pd.DataFrame()
    tuned = list(valid["config_sha256"]) if len(valid) else []
    same = test["config_sha256"].isin(tuned) | (test["stage"] == OUTSIDE)
    if not same.all():
        log.warning("%d test results of other settings than the newest validation are left out", (~same).sum())
    return valid, test[same]


def _select(runs: pd.DataFrame, only: RowKeys | None) -> pd.DataFrame:
    if runs.empty or only is None:
        return runs
    return runs[[row in only for row in zip(runs["model"], runs["preset"], strict=True)]]


def write_leaderboard(folder: Path, dataset: str, split: str, split_sha256: str) -> pd.DataFrame:
    """Write `leaderboard.csv`, `.json` (all metrics) and `.md` (the short table) anew; returns the table."""
    table = leaderboard(folder, split_sha256)
    write_text(folder / "leaderboard.csv", table.to_csv(index=False))
    content = {"dataset": dataset, "protocol": split, "split_sha256": split_sha256, "rows": table.to_dict("records")}
    write_json(folder / "leaderboard.json", content)
    write_text(folder / "leaderboard.md", markdown(table, dataset, split))
    return table


def short_table(table: pd.DataFrame, columns: dict[str, str]) -> tuple[list[str], list[list[str]]]:
    """Header and cells of a table of some metrics, with the seeds where a row has several."""
    compared = ("interval", "against") if "ndcg_10" in table else ()
    titles = {key: title for key, title in (columns | ENGINE).items() if key in table or key in compared}
    header = ["Model", "Preset", "val", *titles.values()]
    cells = []
    for _, row in table.iterrows():
        values = [DERIVED[key](row) if key in DERIVED else shown(key, row[key]) for key in ("valid_ndcg_10", *titles)]
        cells.append([row["model"], row["preset"], *values])
    return header, cells


def interval(row: Any) -> str:
    """The 95% interval of a row's NDCG@10, "-" without one."""
    if pd.isna(row.get("ndcg_10_low")):
        return "-"
    return f"{row['ndcg_10_low']:.4f}–{row['ndcg_10_high']:.4f}"


def against(row: Any) -> str:
    """A row's NDCG@10 against the reference's: more or less in percent, with ≈ where the difference is not significant.

    >>> row = {"ndcg_10": 0.11, "difference": 0.01}
    >>> against(row | {"p": 0.001}), against(row | {"p": 1.0})
    ('+10.0%', '≈ (+10.0%)')
    """
    if (row.get("model"), row.get("preset")) == REFERENCE:
        return "reference"
    if pd.isna(row.get("difference")):
        return "-"
    share = f"{row['difference'] / (row['ndcg_10'] - row['difference']):+.1%}"
    return share if row["p"] < LEVEL else f"≈ ({share})"


DERIVED: dict[str, Callable[[Any], str]] = {
    **{"interval": interval, "against": against},
    **{"engine": lambda row: str(row["engine"]), "cores": lambda row: f"{row['cores']:.0f}"},
}
"""Columns computed from several others."""


def text(table: pd.DataFrame, dataset: str, split: str) -> str:
    """The short table for a terminal."""
    columns = NEWCOMERS if "ndcg_10_given0" in table else labels(TERMINAL)
    header, cells = short_table(table, columns)
    lines = titled(f"{dataset} / {split}: leaderboard", [header, *cells], texts=2)
    return "\n".join([*lines, *filter(None, [popular_rows(table)])])


def popular_rows(table: pd.DataFrame) -> str:
    """A sentence on the rows that have just the figures of `popularity`, "" where there are none.

    >>> rows = {"model": ["popularity", "tag_knn", "als"], "preset": "tuned", "valid_ndcg_10": [0.1, 0.1, 0.2]}
    >>> popular_rows(pd.DataFrame(rows))
    'the same figures as popularity, since the data hold nothing else to go by: tag_knn'
    """
    keys = [key for key in ("valid_ndcg_10", *labels(TERMINAL)) if key in table]
    popular = table[table["model"] == POPULAR][keys]
    if popular.empty or popular.isna().all(axis=None):
        return ""
    same = (table[keys].fillna(-1) == popular.iloc[0].fillna(-1)).all(axis=1) & (table["model"] != POPULAR)
    names = ", ".join(dict.fromkeys(table["model"][same]))
    return f"the same figures as popularity, since the data hold nothing else to go by: {names}" if names else ""


def markdown(table: pd.DataFrame, dataset: str, split: str, note: bool = True) -> str:
    """The short table as Markdown, the best value of each accuracy column in bold."""
    header, cells = short_table(table, COLUMNS)
    titles = {"val", *(title for key, title in COLUMNS.items() if key not in DERIVED and is_bold(key))}
    for column in (place for place, title in enumerate(header) if title in titles):
        numbers = [float(row[column]) if row[column] != "-" else float("-inf") for row in cells]
        for row, number in zip(cells, numbers, strict=True):
            if number == max(numbers) > float("-inf"):
                row[column] = f"**{row[column]}**"
    body = Table(header, cells, texts=2).markdown()
    same = f"\n{said.capitalize()}.\n" if (said := popular_rows(table)) else ""
    notes = [NOTE, *([OUTSIDE_NOTE] if (table["preset"] == OUTSIDE).any() else [])] if note else []
    return f"**{dataset}, `{split}`**\n\n{body}{same}" + "".join(f"\n{said}\n" for said in notes)
