"""A fitted model in; recommendations, targets and metrics out.

Two tables carry everything: `recommendations` (top lists) and `targets` (every held-out pair with its ranks). The
metrics are computed from these two and the train view alone, so they can be computed again without the model.
"""

import time
from collections.abc import Callable
from copy import copy
from dataclasses import replace

import numpy as np
import pandas as pd

from common.evaluation import metrics
from common.evaluation.metric_suite import MetricSuite, accuracy_with_repeats, hits_from_ranks
from common.evaluation.play_counts import mean_plays, plays_metrics
from common.evaluation.ranking import Ranking, rank
from common.evaluation.recommendations import Evaluation, ranking_of, recommendations_table, targets_table
from common.models.base import Recommender
from common.models.top_items import tie_places
from common.splits.histories import Histories, Query
from common.splits.holdout import Holdout
from common.splits.train_view import TrainView


class Evaluator:
    """Scores models on one holdout; what does not depend on a model is made once.

    An evaluator is a `Validation`: called with a model it gives the mean NDCG@10, by which settings are chosen.
    """

    def __init__(self, train: TrainView, holdout: Holdout) -> None:
        self.train, self.holdout = train, holdout
        self.places = tie_places(train.items["item_id"])
        self.metric_suite = MetricSuite(train, holdout, self.places)

    def __call__(self, model: Recommender) -> float:
        """Mean NDCG@10 of a fitted model."""
        return float(self.ndcg_per_row(self.rank(model)).mean())

    def evaluate(self, model: Recommender) -> Evaluation:
        """Rank a fitted model and measure it; `costs` has `recommend_ms_per_user`, wall time per evaluated row."""
        start = time.perf_counter()
        ranking = self.rank(model)
        spent = 1000 * (time.perf_counter() - start) / len(ranking.items)
        evaluation = self.evaluate_ranking(ranking, self.predict_plays(model))
        evaluation.metrics.update(self._with_repeats(model))
        return replace(evaluation, costs={"recommend_ms_per_user": spent})

    def _with_repeats(self, model: Recommender) -> dict[str, float]:
        """`<metric>_<k>_repeats`: how well what is played next is found, what the user had before included.

        Nothing is masked then. Empty where the data keep no repeats.
        """
        whole, asked = copy(self), self.holdout.repeats
        if asked is None:
            return {}
        whole.holdout = asked
        return accuracy_with_repeats(asked, whole.rank(model).target_ranks)

    def rank(self, model: Recommender) -> Ranking:
        """Lists and ranks; users whom the train view lacks are scored through `fold_in`."""
        return self.rank_scores(lambda rows: self.scores_of(model, rows))

    def rank_scores(self, score: Callable[[np.ndarray], np.ndarray]) -> Ranking:
        """Lists and ranks from `score(rows)`, which gives evaluated rows their scores, float32 (len(rows), n_items)."""
        return rank(score, self.holdout, self.places)

    def scores_of(self, model: Recommender, rows: np.ndarray) -> np.ndarray:
        """A model's scores of all items for some evaluated rows, float32 (len(rows), n_items)."""
        if model.knows_hours and self.holdout.hours is not None:
            return model.scores_of(self.query.take(rows))
        codes = self.holdout.codes[rows]
        known = codes >= 0
        if known.all():
            return model.score(codes)
        scores = np.empty((len(rows), self.train.n_items), np.float32)
        scores[~known] = model.fold_in(self.given.take(rows[~known]))
        if known.any():
            scores[known] = model.score(codes[known])
        return scores

    def ranking_of(self, recommendations: pd.DataFrame, targets: pd.DataFrame) -> Ranking:
        """The ranking that gave the two tables of an earlier evaluation; see `recommendations.ranking_of`."""
        return ranking_of(recommendations, targets, self.holdout, self.train)

    def evaluate_ranking(self, ranking: Ranking, log_plays: np.ndarray | None = None) -> Evaluation:
        """The two tables of a ranking (and of predicted plays) and the metrics computed from them."""
        recommendations = recommendations_table(ranking, self.holdout, self.train)
        targets = targets_table(ranking, self.holdout, self.train)
        per_user, overall = self.metric_suite.measure(recommendations, targets)
        if log_plays is not None and self.holdout.target_weights is not None:
            targets["log_plays"] = np.log1p(self.holdout.target_weights)
            targets["predicted_log_plays"] = log_plays
            overall |= self._plays_metrics(targets)
        return Evaluation(self.holdout.part, recommendations, targets, per_user, overall)

    @property
    def users(self) -> np.ndarray:
        """Id of the user of each evaluated row, object (rows,)."""
        return self.holdout.users

    @property
    def given(self) -> Histories:
        """What a model may know of the user of each evaluated row."""
        return self.holdout.known

    @property
    def n_given(self) -> np.ndarray | None:
        """How many items are given of each row's newcomer, int64 (rows,); None in other protocols."""
        return self.holdout.n_given

    @property
    def n_targets(self) -> int:
        """Number of held-out pairs."""
        return len(self.holdout.target_rows)

    @property
    def query(self) -> Query:
        """The user of each evaluated row, and what is known of them."""
        return Query(self.holdout.codes, self.holdout.known, self.holdout.hours)

    def targets_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Held-out pairs of consecutive evaluated rows: the place in `rows`, and the item, int64 (targets,) each."""
        mine = slice(*np.searchsorted(self.holdout.target_rows, [rows[0], rows[-1] + 1]))
        return self.holdout.target_rows[mine] - rows[0], self.holdout.target_items[mine]

    def ndcg_per_row(self, ranking: Ranking, k: int = 10) -> np.ndarray:
        """NDCG@k of each evaluated row, float64 (rows,)."""
        hits, n_targets = hits_from_ranks(self.holdout.target_rows, ranking.target_ranks, len(self.users), k)
        return metrics.ndcg(hits, n_targets, k)

    def sample_scores(self, model: Recommender, rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Scores of held-out items, and of all other items outside the history, of at most `rows` rows."""
        chosen = self._draw(rows, seed)
        given = self.given.take(chosen)
        scores = model.fold_in(given)
        others, masked = np.ones((len(chosen), self.train.n_items), bool), self.holdout.given.take(chosen)
        others[masked.rows, masked.items] = False
        among = np.isin(self.holdout.target_rows, chosen)
        places = np.searchsorted(chosen, self.holdout.target_rows[among]), self.holdout.target_items[among]
        others[places] = False
        return scores[places], scores[others]

    def predict_plays(self, model: Recommender) -> np.ndarray | None:
        """Predicted log plays of the held-out pairs, float32 (targets,); None from a model that does not predict them.

        Users whom the train view lacks are left out, NaN.
        """
        codes = self.holdout.codes[self.holdout.target_rows]
        known = codes >= 0
        if not known.any():
            return None
        predicted = model.predict_plays(codes[known], self.holdout.target_items[known])
        if predicted is None:
            return None
        of_all = np.full(len(codes), np.nan, np.float32)
        of_all[known] = predicted
        return of_all

    def _plays_metrics(self, targets: pd.DataFrame) -> dict[str, float]:
        """`plays_rmse`, `plays_r2`, ..., and `plays_reference_...` of the means of the user and the item alone."""
        known = targets["predicted_log_plays"].notna().to_numpy()
        true, predicted = (targets[name].to_numpy(float)[known] for name in ("log_plays", "predicted_log_plays"))
        users, items = self.holdout.codes[self.holdout.target_rows][known], self.holdout.target_items[known]
        reference = plays_metrics(true, mean_plays(self.train, users, items))
        measured = {f"plays_{name}": value for name, value in plays_metrics(true, predicted).items()}
        return measured | {f"plays_reference_{name}": value for name, value in reference.items()}

    def sample(self, rows: int, seed: int = 0) -> "Evaluator":
        """The same evaluator for some of the evaluated rows, drawn evenly."""
        return self.of_rows(self._draw(rows, seed))

    def _draw(self, rows: int, seed: int) -> np.ndarray:
        return np.sort(np.random.default_rng(seed).permutation(len(self.users))[:rows])

    def of_rows(self, rows: np.ndarray) -> "Evaluator":
        """The same evaluator for some of the evaluated rows, in rising order."""
        subset, holdout = copy(self), self.holdout
        targets = np.flatnonzero(np.isin(holdout.target_rows, rows))
        subset.holdout = Holdout(
            part=holdout.part,
            users=holdout.users[rows],
            codes=holdout.codes[rows],
            given=holdout.given.take(rows),
            n_given=None if holdout.n_given is None else holdout.n_given[rows],
            target_rows=np.searchsorted(rows, holdout.target_rows[targets]),
            target_items=holdout.target_items[targets],
            negatives=holdout.negatives[targets],
            target_weights=None if holdout.target_weights is None else holdout.target_weights[targets],
            shown=None if holdout.shown is None else holdout.shown.take(rows),
            hours=None if holdout.hours is None else holdout.hours[rows],
        )
        subset.metric_suite = MetricSuite(self.train, subset.holdout, self.places)
        return subset


class NoEvaluation:
    """Stands for an evaluator in a process that only helps to train: the first process alone evaluates."""

    def __init__(self, train: TrainView) -> None:
        self.train = train

    def __call__(self, model: Recommender) -> float:
        """Nothing: the trainer takes the first process' value."""
        return float("nan")

    def evaluate(self, model: Recommender) -> None:
        """Nothing, which no run keeps."""
