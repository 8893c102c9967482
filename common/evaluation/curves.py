"""Metrics against the cut-off, and precision against recall, from a run's targets."""

import numpy as np
import pandas as pd

from common.evaluation import metrics
from common.evaluation.metric_suite import hits_from_ranks
from common.models.top_items import DEPTH


def curves(targets: pd.DataFrame) -> dict[str, np.ndarray]:
    """NDCG@k and recall@k for k = 1..DEPTH from a run's targets, float (DEPTH,) each."""
    keys = ["user_id", "given"] if "given" in targets else ["user_id"]
    rows = targets.groupby(keys, sort=False, observed=True).ngroup().to_numpy()
    hits, n_hidden = hits_from_ranks(rows, targets["rank"].to_numpy(), rows.max() + 1, DEPTH)
    cutoffs = range(1, DEPTH + 1)
    return {
        "NDCG@k": np.array([metrics.ndcg(hits, n_hidden, k).mean() for k in cutoffs]),
        "Recall@k": np.array([metrics.recall(hits, n_hidden, k).mean() for k in cutoffs]),
    }


def precision_and_recall(targets: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Mean precision and recall of the first 1..DEPTH places from a run's targets, float64 (DEPTH,) each."""
    keys = ["user_id", "given"] if "given" in targets else ["user_id"]
    rows = targets.groupby(keys, sort=False, observed=True).ngroup().to_numpy()
    hits, n_hidden = hits_from_ranks(rows, targets["rank"].to_numpy(), rows.max() + 1, DEPTH)
    cutoffs = range(1, DEPTH + 1)
    precision = np.array([metrics.precision(hits, k).mean() for k in cutoffs])
    return precision, np.array([metrics.recall(hits, n_hidden, k).mean() for k in cutoffs])
