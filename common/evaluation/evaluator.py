"""The scorer: a fitted model in; recommendations, targets and metrics out.

Two tables carry everything: `recommendations` (top lists) and `targets` (every hidden pair with its ranks). The
metrics are computed from these two and the visible data alone, so they can be computed again without the model.
"""

from collections.abc import Callable
from copy import copy

import numpy as np
import pandas as pd

from common.data.dataset import Dataset
from common.evaluation import metrics
from common.evaluation.metric_suite import MetricSuite, hits_from_ranks
from common.evaluation.play_counts import mean_plays, plays_metrics
from common.evaluation.ranking import Ranking, rank, tie_places
from common.evaluation.recommendations import Evaluation, recommendations_table, targets_table
from common.models.base import PredictsPlays, Recommender
from common.splits.histories import Histories, Query
from common.splits.holdout import Holdout, load_holdout
from common.splits.train_view import TrainView


class Evaluator:
    """Judges models on one phase of one protocol; what does not depend on a model is made once."""

    def __init__(self, data: Dataset, train: TrainView) -> None:
        self.train = train
        self.hidden = load_holdout(data, train.protocol, train.phase)
        self.places = tie_places(train.items["item_id"])
        self.measures = MetricSuite(train, self.hidden, self.places)

    def rank(self, model: Recommender) -> Ranking:
        """Lists and ranks; people whom the visible data lacks are scored through `fold_in`."""
        return self.rank_scores(lambda rows: self.scores_of(model, rows))

    def scores_of(self, model: Recommender, rows: np.ndarray) -> np.ndarray:
        """A model's scores of all items for some evaluated rows, float32 (len(rows), n_items)."""
        codes, given = self.hidden.codes, self.hidden.given
        known = codes[rows] >= 0
        if known.all():
            return model.score(codes[rows])
        scores = np.empty((len(rows), self.train.n_items), np.float32)
        scores[~known] = model.fold_in(given.take(rows[~known]))
        if known.any():
            scores[known] = model.score(codes[rows[known]])
        return scores

    @property
    def given(self) -> Histories:
        """What is known of the user of each evaluated row."""
        return self.hidden.given

    @property
    def people(self) -> np.ndarray:
        """Id of the user of each evaluated row, object (rows,)."""
        return self.hidden.users

    @property
    def n_given(self) -> np.ndarray | None:
        """How many items are given of each row's newcomer, int64 (rows,); None in other protocols."""
        return self.hidden.n_given

    @property
    def asked(self) -> Query:
        """The user of each evaluated row, and what is known of them."""
        return Query(self.hidden.codes, self.hidden.given)

    def targets_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Hidden pairs of consecutive evaluated rows: the place in `rows`, and the item, int64 (targets,) each."""
        mine = slice(*np.searchsorted(self.hidden.target_rows, [rows[0], rows[-1] + 1]))
        return self.hidden.target_rows[mine] - rows[0], self.hidden.target_items[mine]

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

    def predict_plays(self, model: Recommender) -> np.ndarray | None:
        """Predicted log plays of the hidden pairs, float32 (targets,); None from a model that does not predict them.

        People whom the visible data lack are left out, NaN.
        """
        codes = self.hidden.codes[self.hidden.target_rows]
        known = codes >= 0
        if not isinstance(model, PredictsPlays) or not known.any():
            return None
        predicted = model.predict_plays(codes[known], self.hidden.target_items[known])
        if predicted is None:
            return None
        of_all = np.full(len(codes), np.nan, np.float32)
        of_all[known] = predicted
        return of_all

    def evaluate(self, ranking: Ranking, log_plays: np.ndarray | None = None) -> Evaluation:
        """The two tables of a ranking (and of predicted plays) and the metrics computed from them."""
        recommendations = recommendations_table(ranking, self.hidden, self.train)
        targets = targets_table(ranking, self.hidden, self.train)
        per_user, overall = self.measures.measure(recommendations, targets)
        if log_plays is not None and self.hidden.target_weights is not None:
            targets["log_plays"] = np.log1p(self.hidden.target_weights)
            targets["predicted_log_plays"] = log_plays
            overall |= self._of_plays(targets)
        return Evaluation(recommendations, targets, per_user, overall)

    def _of_plays(self, targets: pd.DataFrame) -> dict[str, float]:
        """`plays_rmse`, `plays_r2`, ..., and `plays_reference_...` of the means of the user and the item alone."""
        known = targets["predicted_log_plays"].notna().to_numpy()
        true, predicted = (targets[name].to_numpy(float)[known] for name in ("log_plays", "predicted_log_plays"))
        users, items = self.hidden.codes[self.hidden.target_rows][known], self.hidden.target_items[known]
        reference = plays_metrics(true, mean_plays(self.train, users, items))
        measured = {f"plays_{name}": value for name, value in plays_metrics(true, predicted).items()}
        return measured | {f"plays_reference_{name}": value for name, value in reference.items()}

    def sample(self, rows: int, seed: int = 0) -> "Evaluator":
        """The same scorer for some of the evaluated rows, drawn evenly."""
        rng = np.random.default_rng(seed)
        return self.of_rows(np.sort(rng.permutation(len(self.hidden.users))[:rows]))

    def of_rows(self, rows: np.ndarray) -> "Evaluator":
        """The same scorer for some of the evaluated rows, in rising order."""
        part, hidden = copy(self), self.hidden
        targets = np.flatnonzero(np.isin(hidden.target_rows, rows))
        part.hidden = Holdout(
            users=hidden.users[rows],
            codes=hidden.codes[rows],
            given=hidden.given.take(rows),
            n_given=None if hidden.n_given is None else hidden.n_given[rows],
            target_rows=np.searchsorted(rows, hidden.target_rows[targets]),
            target_items=hidden.target_items[targets],
            negatives=hidden.negatives[targets],
            target_weights=None if hidden.target_weights is None else hidden.target_weights[targets],
        )
        part.measures = MetricSuite(self.train, part.hidden, self.places)
        return part
