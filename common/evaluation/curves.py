"""Metrics against the cut-off, and precision against recall, from a run's targets."""

import numpy as np
import pandas as pd

from common.evaluation import metrics
from common.evaluation.metric_suite import hits_from_ranks
from common.models.top_items import DEPTH

CUTOFFS = range(1, DEPTH + 1)


def curves(targets: pd.DataFrame) -> dict[str, np.ndarray]:
    """NDCG@k and recall@k for k = 1..DEPTH from a run's targets, float (DEPTH,) each."""
    hits, n_relevant = _hits(targets)
    return {
        "NDCG@k": np.array([metrics.ndcg(hits, n_relevant, k).mean() for k in CUTOFFS]),
        "Recall@k": np.array([metrics.recall(hits, n_relevant, k).mean() for k in CUTOFFS]),
    }


def precision_and_recall(targets: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Mean precision and recall of the first 1..DEPTH places from a run's targets, float64 (DEPTH,) each."""
    hits, n_relevant = _hits(targets)
    precision = np.array([metrics.precision(hits, k).mean() for k in CUTOFFS])
    return precision, np.array([metrics.recall(hits, n_relevant, k).mean() for k in CUTOFFS])


def _hits(targets: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """See `hits_from_ranks`; a row for each user, of a newcomer for each number of items given."""
    keys = ["user_id", "given"] if "given" in targets else ["user_id"]
    rows = targets.groupby(keys, sort=False, observed=True).ngroup().to_numpy()
    return hits_from_ranks(rows, targets["rank"].to_numpy(), rows.max() + 1, DEPTH)
