"""Cold start in a terminal: newcomers by the number of known items, held-out items by what is known of the item."""

from collections.abc import Mapping

import pandas as pd

from common.evaluation.registry import label
from common.evaluation.segments import by_item_coldness
from common.experiments.run import PartResults
from common.splits.protocols import N_GIVEN
from common.splits.train_view import TrainView
from common.utils.terminal import aligned

COLDNESS = {
    "recall_100": label("recall_100"),
    "hr_5_sampled99": "all",
    "hr_5_sampled99_seen": "heard",
    "hr_5_sampled99_unseen_content": "content",
    "hr_5_sampled99_unseen_bare": "bare",
}
"""Recall@100 over the whole catalogue, the mean over users; then the share of held-out pairs that are among the first 5
of 100 (99 sampled negatives): all; of items with a listener; of those without, with content and without."""


def coldness_cells(rows: Mapping[str, PartResults], train: TrainView) -> list[list[str]]:
    """A row per model: its name and the figures of COLDNESS, "-" where there are no such pairs."""
    found = {name: by_item_coldness(row.targets, train) for name, row in rows.items()}
    return [
        [name, *(f"{figures[key]:.4f}" if key in figures else "-" for key in COLDNESS)]
        for name, figures in found.items()
    ]


def coldness_text(rows: Mapping[str, PartResults], train: TrainView) -> str:
    """The rows of the leaderboard by what is known of the held-out item."""
    lines = aligned([["held-out pairs", *COLDNESS.values()], *coldness_cells(rows, train)], texts=1)
    note = "share among the first 5 of 100, by what is known of the held-out item: a listener, content, nothing"
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], note])


def cold_start_text(curves: Mapping[str, pd.DataFrame]) -> str:
    """NDCG@10 of each model by the number of known items."""
    header = ["known items", *(str(n) for n in N_GIVEN)]
    cells = [[name, *(_cell(values, n) for n in N_GIVEN)] for name, values in curves.items()]
    lines = aligned([header, *cells], texts=1)
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _cell(values: pd.DataFrame, n_given: int) -> str:
    return f"{float(values['mean'][n_given]):.4f}" if n_given in values.index else "-"
