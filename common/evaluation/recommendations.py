"""The two tables that carry a result: recommendations (top lists) and targets (every held-out pair with its ranks)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from common.evaluation.ranking import Ranking
from common.splits.holdout import Holdout
from common.splits.train_view import TrainView


@dataclass(frozen=True)
class Evaluation:
    """What one phase of one model gave.

    recommendations: user_id, [given,] rank, item_id, score. targets: user_id, [given,] item_id, score, rank,
    rank_sampled99, listeners (visible), and of a model that predicts plays log_plays and predicted_log_plays.
    per_user: user_id, [given,] and one column per metric. overall: metric -> value. `given` is the rung of a newcomer.
    """

    recommendations: pd.DataFrame
    targets: pd.DataFrame
    per_user: pd.DataFrame
    overall: dict[str, float]


def recommendations_table(ranking: Ranking, hidden: Holdout, train: TrainView) -> pd.DataFrame:
    """One row per recommended item, best first within a user."""
    rows, places = np.nonzero(ranking.items >= 0)
    return pd.DataFrame(
        {
            **_row_columns(hidden, rows),
            "rank": (places + 1).astype(np.int32),
            "item_id": _ids(train.items["item_id"], ranking.items[rows, places]),
            "score": ranking.scores[rows, places],
        }
    )


def targets_table(ranking: Ranking, hidden: Holdout, train: TrainView) -> pd.DataFrame:
    """One row per hidden pair: its score, its rank among all items and among its own 99 negatives."""
    return pd.DataFrame(
        {
            **_row_columns(hidden, hidden.target_rows),
            "item_id": _ids(train.items["item_id"], hidden.target_items),
            "score": ranking.target_scores,
            "rank": ranking.target_ranks.astype(np.int32),
            "rank_sampled99": ranking.target_ranks_sampled.astype(np.int32),
            "listeners": train.counts[hidden.target_items].astype(np.int32),
        }
    )


def _row_columns(hidden: Holdout, rows: np.ndarray) -> dict[str, object]:
    if hidden.n_given is None:
        return {"user_id": _ids(pd.Series(hidden.users), rows)}
    users, codes = np.unique(hidden.users, return_inverse=True)
    return {"user_id": _ids(pd.Series(users), codes[rows]), "given": hidden.n_given[rows].astype(np.int32)}


def _ids(ids: pd.Series, codes: np.ndarray) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, categories=pd.Index(ids))
