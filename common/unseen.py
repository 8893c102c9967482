"""Hidden items apart by what is known of them: some listener, content alone, or nothing."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from common.comparison import run_folders
from common.data.visible import Visible
from common.evaluation.leaderboard import aligned, leaderboard
from common.evaluation.measures import described_items, found_by_visibility
from common.experiment import PARTS, Experiment
from common.files import read_parquet

COLUMNS = {
    "recall_100": "Recall@100",
    "hr_5_sampled99": "all",
    "hr_5_sampled99_seen": "heard",
    "hr_5_sampled99_unseen_content": "content",
    "hr_5_sampled99_unseen_bare": "bare",
}
"""Recall@100 over the whole catalogue, the mean over people; then the share of hidden pairs that are among the first 5
of 100 (99 sampled negatives): all; of items that somebody has; of those that nobody has, with content and without."""


def apart(folder: Path, seen: Visible) -> dict[str, float]:
    """The figures of COLUMNS of one run, from its `targets.parquet`; all pairs weigh alike but in Recall@100."""
    targets = read_parquet(folder / "targets.parquet")
    codes = pd.Index(seen.items["item_id"]).get_indexer(targets["item_id"].astype(object))
    found = found_by_visibility(targets, described_items(seen)[codes])
    keys = [targets[key].astype(str) for key in ("user_id", "given") if key in targets]
    among = pd.Series(targets["rank"].to_numpy() <= 100).groupby([key.to_numpy() for key in keys]).mean()
    sampled = targets["rank_sampled99"].to_numpy()
    drawn = sampled[sampled > 0]
    return found | {
        "recall_100": float(among.mean()),
        "hr_5_sampled99": float((drawn <= 5).mean()) if len(drawn) else np.nan,
    }


def unseen_cells(folders: Mapping[str, Path], seen: Visible) -> list[list[str]]:
    """A row per model: its name and the figures of COLUMNS, "-" where there are no such pairs."""
    found = {name: apart(folder, seen) for name, folder in folders.items()}
    return [
        [name, *(f"{figures[key]:.4f}" if key in figures else "-" for key in COLUMNS)]
        for name, figures in found.items()
    ]


def unseen_text(experiment: Experiment) -> str:
    """A table for a terminal: the rows of the leaderboard, items apart by what is known of them."""
    table = leaderboard(experiment.folder, experiment.select.split_sha256)
    folders = run_folders(experiment.folder, table)
    phase = next((phase for phase, part in PARTS.items() if next(iter(folders.values())).name == part), "select")
    if phase not in experiment.seen:
        return ""
    cells = [["hidden pairs", *COLUMNS.values()], *unseen_cells(folders, experiment.seen[phase])]
    lines = aligned(cells, texts=1)
    note = "share among the first 5 of 100, by what is known of the hidden item: a listener, content, nothing"
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], note])
