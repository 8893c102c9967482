"""What pages show of a data set, as one JSON file without a row of the data: metrics, significance, settings.

`docs/results/<dataset>.json` is written by `make table`; the tables of README and docs are made from it alone.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from common.data.dataset import Dataset
from common.data.reading.schema import columns_table
from common.evaluation.core_metrics import core_metrics
from common.evaluation.registry import CORE, METRICS, label, shown, title
from common.evaluation.segments import segments
from common.evaluation.statistics import REFERENCE
from common.experiments.outputs import results_at
from common.experiments.run import PartResults
from common.reporting.extra_tables import TABLES
from common.reporting.leaderboard import RowKeys, finished_runs, interval, markdown, tested_rows
from common.reporting.markdown_blocks import Table
from common.splits.protocols import PROTOCOLS
from common.splits.store import folder_name, load_split
from common.splits.train_view import load_train_view

ABOUT = ("config_sha256", "commit", "dirty", "device", "machine", "threads", "versions")
"""What is noted of each run that a row is made of; null where a run of long ago did not record it."""
HEADLINE = ("random", "popularity", "item_knn", "als", "forest", "sasrec", "two_tower", "hybrid_listnet")
"""Models of the headline table, tuned, in its order."""
log = logging.getLogger(__name__)


def gather(results: Path, data: Dataset, only: Mapping[str, RowKeys] | None = None, seed: int = 0) -> dict[str, Any]:
    """Everything that pages show of the runs under `outputs/<dataset>`.

    `only` names the rows of each protocol; others, and protocols it lacks, are left out. Without it every row with test
    results counts. `seed` is that of the splits.
    """
    protocols: dict[str, Any] = {}
    for protocol in PROTOCOLS:
        split = folder_name(protocol, seed)
        if (only is None or protocol in only) and (results / split).exists():
            found = _protocol(results, data, split, None if only is None else only[protocol])
            protocols |= {split: found} if found["rows"] else {}
    more = {
        f"{kind} {protocol}": asdict(table)
        for protocol in PROTOCOLS
        if (results / protocol).exists()
        for kind, table_of in TABLES.items()
        if (table := table_of(results, data, protocol)) and table.cells
    }
    return {"dataset": data.name, "data_sha256": data.sha256, "protocols": protocols, "tables": more}


def _protocol(results: Path, data: Dataset, protocol: str, only: RowKeys | None) -> dict[str, Any]:
    sha256 = load_split(data, protocol).info["split_sha256"]
    table = tested_rows(results / protocol, sha256, only)
    found: dict[str, Any] = {"split_sha256": sha256, "reference": " ".join(REFERENCE), "rows": []}
    if table.empty:
        return found
    _, runs = finished_runs(results / protocol, sha256, only)
    grouped = runs.groupby(["model", "preset"])["folder"]
    seeds = {(str(model), str(preset)): [results_at(folder) for folder in of] for (model, preset), of in grouped}
    found["rows"] = [_row(row, seeds[row["model"], row["preset"]]) for row in table.to_dict("records")]
    names = [row["model"] for row in found["rows"] if row["preset"] == "tuned" and "+" not in row["model"]]
    tuned = {model: seeds[model, "tuned"] for model in names if model != "random"}
    if tuned and not protocol.startswith("newcomer"):  # newcomers are grouped by n_given already
        found["segments"] = segments(tuned, load_train_view(data, protocol, "final"))
    return found


def _row(row: dict[Any, Any], seeds: list[PartResults]) -> dict[str, Any]:
    """A row of the leaderboard with the settings and the runs that it is made of."""
    runs = [results.metrics for results in seeds]
    kept = {str(key): value for key, value in row.items() if not pd.isna(value)}
    settings = seeds[0].config["settings"]
    about = [{"seed": run["seed"], **{key: run.get(key) for key in ABOUT}} for run in runs]
    return {**kept, "settings": settings, "runs": about}


def blocks(results: dict[str, Any]) -> dict[str, str]:
    """The blocks of a page by the text of their marker: `leaderboard lastfm-2k listen` -> Markdown."""
    name, made = results["dataset"], {"metrics": metrics_table(), "tables": columns_table()}
    for protocol, found in results["protocols"].items():
        rows = pd.DataFrame(found["rows"])
        made[f"leaderboard {name} {protocol}"] = markdown(rows, name, protocol, note=False)
        made[f"headline {name} {protocol}"] = headline_table(found["rows"])
        made[f"nine {name} {protocol}"] = core_metrics_table(found["rows"])
        if "segments" in found:
            made[f"segments {name} {protocol}"] = segments_table(found["segments"])
    for key, table in results["tables"].items():
        kind, protocol = key.split(" ", 1)
        made[f"{kind} {name} {protocol}"] = Table(**table).markdown()
    return made


def headline_table(rows: Sequence[dict[str, Any]]) -> str:
    """Five columns of the tuned rows of `HEADLINE` as Markdown; a model without such a row is left out."""
    tuned = {row["model"]: row for row in rows if row["preset"] == "tuned"}
    cells = []
    for row in (tuned[name] for name in HEADLINE if name in tuned):
        others = (shown(key, row[key]) for key in ("recall_20", "coverage_10", "fit_cpu_seconds"))
        cells.append([row["model"], f"{row['ndcg_10']:.4f} ({interval(row)})", *others])
    header = ["Model", f"{label('ndcg_10')} (95% interval)", title("recall_20"), title("coverage_10"), "Fit, CPU s"]
    return Table(header, cells, texts=1).markdown()


def core_metrics_table(rows: Sequence[dict[str, Any]]) -> str:
    """The core metrics of tuned rows as Markdown."""
    cells = []
    for row in rows:
        if row["preset"] == "tuned":
            values = core_metrics(row).values()
            cells.append([row["model"], *("-" if value is None else f"{value:.4f}" for value in values)])
    return Table(["Model", *(name.replace("_", " ") for name in CORE)], cells, texts=1).markdown()


def metrics_table() -> str:
    """Every metric of the registry as Markdown: key, label, group, and whether more of it is better."""
    better = {1: "more", -1: "less", 0: ""}
    cells = []
    for metric in METRICS:
        key = f"`{metric.name}_k`" if metric.cutoffs else f"`{metric.name}`"
        cells.append(
            [key, metric.label.format(k="k"), metric.group, better[metric.better], ", ".join(map(str, metric.cutoffs))]
        )
    return Table(["Key", "Label", "Group", "Better", "k"], cells, texts=5).markdown()


def segments_table(found: dict[str, Any]) -> str:
    """Results by group as Markdown: users by history length (NDCG@10), held-out pairs by popularity (recall@20)."""
    groups = {**found["history"], **found["target"], **found.get("popularity", {})}
    header = ["Model", *(f"{group} ({count:,})" for group, count in groups.items())]
    cells = [[name, *(f"{row[group]:.4f}" for group in groups)] for name, row in found["rows"].items()]
    return Table(header, cells, texts=1).markdown()
