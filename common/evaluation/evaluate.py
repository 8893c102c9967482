"""The scorer: a fitted model in; recommendations, targets and metrics out.

Two tables carry everything: `recommendations` (top lists) and `targets` (every hidden pair with its ranks). The
metrics are computed from these two and the visible data alone, so they can be computed again without the model.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from common.data.histories import Histories
from common.data.prepare import Dataset
from common.data.visible import Hidden, Visible, hidden
from common.evaluation import metrics
from common.evaluation.measures import Measures, hits_from_ranks
from common.evaluation.ranking import Ranking, rank, tie_places
from common.models.contract import Recommender


@dataclass(frozen=True)
class Evaluation:
    """What one phase of one model gave.

    recommendations: user_id, [given,] rank, item_id, score. targets: user_id, [given,] item_id, score, rank,
    rank_sampled99, listeners (visible). per_user: user_id, [given,] and one column per metric. overall: metric ->
    value. `given` is the rung of a newcomer.
    """

    recommendations: pd.DataFrame
    targets: pd.DataFrame
    per_user: pd.DataFrame
    overall: dict[str, float]


class Scorer:
    """Judges models on one phase of one protocol; what does not depend on a model is made once."""

    def __init__(self, data: Dataset, seen: Visible) -> None:
        self.seen = seen
        self.hidden = hidden(data, seen.protocol, seen.phase)
        self.places = tie_places(seen.items["item_id"])
        self.measures = Measures(seen, self.hidden, self.places)

    def rank(self, model: Recommender) -> Ranking:
        """Lists and ranks; people whom the visible data lacks are scored through `fold_in`."""
        codes, given = self.hidden.codes, self.hidden.given

        def score(rows: np.ndarray) -> np.ndarray:
            known = codes[rows] >= 0
            if known.all():
                return model.score(codes[rows])
            scores = np.empty((len(rows), self.seen.n_items), np.float32)
            scores[~known] = model.fold_in(given.take(rows[~known]))
            if known.any():
                scores[known] = model.score(codes[rows[known]])
            return scores

        return self.rank_scores(score)

    @property
    def given(self) -> Histories:
        """What is known of the user of each evaluated row."""
        return self.hidden.given

    def rank_scores(self, score: Callable[[np.ndarray], np.ndarray]) -> Ranking:
        """Lists and ranks from `score(rows)`, which gives evaluated rows their scores, float32 (len(rows), n_items)."""
        return rank(score, self.hidden, self.places)

    def ndcg_per_row(self, ranking: Ranking, k: int = 10) -> np.ndarray:
        """NDCG@k of each evaluated row, float64 (rows,)."""
        hits, n_hidden = hits_from_ranks(self.hidden.target_rows, ranking.target_ranks, len(self.hidden.users), k)
        return metrics.ndcg(hits, n_hidden, k)

    def ndcg(self, ranking: Ranking, k: int = 10) -> float:
        """Mean NDCG@k: the one number by which settings are chosen."""
        return float(self.ndcg_per_row(ranking, k).mean())

    def sample_scores(self, model: Recommender, rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Scores of hidden items, and of all other items that are not in the history, of at most `rows` rows."""
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.permutation(len(self.hidden.users))[:rows])
        given = self.given.take(chosen)
        scores = model.fold_in(given)
        others = given.matrix().toarray() == 0
        among = np.isin(self.hidden.target_rows, chosen)
        places = np.searchsorted(chosen, self.hidden.target_rows[among]), self.hidden.target_items[among]
        others[places] = False
        return scores[places], scores[others]

    def evaluate(self, ranking: Ranking) -> Evaluation:
        """The two tables of a ranking and the metrics computed from them."""
        recommendations = recommendations_table(ranking, self.hidden, self.seen)
        targets = targets_table(ranking, self.hidden, self.seen)
        per_user, overall = self.measures.measure(recommendations, targets)
        return Evaluation(recommendations, targets, per_user, overall)


def recommendations_table(ranking: Ranking, hidden: Hidden, seen: Visible) -> pd.DataFrame:
    """One row per recommended item, best first within a user."""
    rows, places = np.nonzero(ranking.items >= 0)
    return pd.DataFrame(
        {
            **_row_columns(hidden, rows),
            "rank": (places + 1).astype(np.int32),
            "item_id": _ids(seen.items["item_id"], ranking.items[rows, places]),
            "score": ranking.scores[rows, places],
        }
    )


def targets_table(ranking: Ranking, hidden: Hidden, seen: Visible) -> pd.DataFrame:
    """One row per hidden pair: its score, its rank among all items and among its own 99 negatives."""
    return pd.DataFrame(
        {
            **_row_columns(hidden, hidden.target_rows),
            "item_id": _ids(seen.items["item_id"], hidden.target_items),
            "score": ranking.target_scores,
            "rank": ranking.target_ranks.astype(np.int32),
            "rank_sampled99": ranking.target_ranks_sampled.astype(np.int32),
            "listeners": seen.counts[hidden.target_items].astype(np.int32),
        }
    )


def _row_columns(hidden: Hidden, rows: np.ndarray) -> dict[str, object]:
    if hidden.rungs is None:
        return {"user_id": _ids(pd.Series(hidden.users), rows)}
    users, codes = np.unique(hidden.users, return_inverse=True)
    return {"user_id": _ids(pd.Series(users), codes[rows]), "given": hidden.rungs[rows].astype(np.int32)}


def _ids(ids: pd.Series, codes: np.ndarray) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, categories=pd.Index(ids))
