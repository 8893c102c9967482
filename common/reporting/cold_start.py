"""Cold start in a terminal: newcomers by the number of known items, held-out items by what is known of the item."""

from collections.abc import Mapping

import pandas as pd

from common.evaluation.registry import label, shown
from common.evaluation.segments import by_item_coldness
from common.experiments.run import PartResults
from common.splits.protocols import N_GIVEN
from common.splits.train_view import TrainView
from common.utils.terminal import headed

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
    return [[name, *(shown(key, figures.get(key)) for key in COLDNESS)] for name, figures in found.items()]


def coldness_text(rows: Mapping[str, PartResults], train: TrainView) -> str:
    """The rows of the leaderboard by what is known of the held-out item."""
    note = "share among the first 5 of 100, by what is known of the held-out item: a listener, content, nothing"
    return "\n".join([*headed([["held-out pairs", *COLDNESS.values()], *coldness_cells(rows, train)]), note])


def cold_start_text(curves: Mapping[str, pd.DataFrame]) -> str:
    """NDCG@10 of each model by the number of known items, "-" where nobody has so many."""
    means = {name: values["mean"].reindex(N_GIVEN) for name, values in curves.items()}
    cells = [[name, *(shown("ndcg_10", value) for value in values)] for name, values in means.items()]
    return "\n".join(headed([["known items", *map(str, N_GIVEN)], *cells]))
