"""How well log plays of held-out pairs are predicted, beside what the means of user and item alone would say."""

import numpy as np

from common.splits.train_view import TrainView
from common.utils.arrays import slices

DAMPING = 5.0
"""Listeners of average residual that are added to every item, so that one listener's plays do not decide."""


def plays_metrics(true: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Root mean squared error, mean absolute error, R2, Pearson's and Spearman's correlation; NaN where undefined.

    R2 = 1 - sum of squared errors / sum of squared deviations from the mean of `true`. The correlations are NaN
    where either side is constant.

    >>> {k: round(v, 3) for k, v in plays_metrics(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 5.0])).items()}
    {'rmse': 1.155, 'mae': 0.667, 'r2': -1.0, 'pearson': 0.961, 'spearman': 1.0}
    """
    from scipy import stats
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    varies = len(true) > 1 and np.ptp(true) > 0 and np.ptp(predicted) > 0
    return {
        "rmse": float(root_mean_squared_error(true, predicted)),
        "mae": float(mean_absolute_error(true, predicted)),
        "r2": float(r2_score(true, predicted)) if len(true) > 1 else float("nan"),
        "pearson": float(stats.pearsonr(true, predicted).statistic) if varies else float("nan"),
        "spearman": float(stats.spearmanr(true, predicted).statistic) if varies else float("nan"),
    }


def order_ndcg(users: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> float:
    """NDCG of the order in which predictions put each user's pairs, mean over users with two or more of them.

    Gain: true log plays; discount: log2(rank + 1) over all of a user's pairs; equal predictions share their gains
    (McSherry & Najork 2008). NaN where nobody has two pairs.

    >>> round(order_ndcg(np.array([0, 0, 1, 1]), np.array([3.0, 1.0, 2.0, 4.0]), np.array([9.0, 8.0, 7.0, 6.0])), 4)
    0.9299
    """
    from sklearn.metrics import ndcg_score

    found = []
    for rows in np.split(order := np.argsort(users, kind="stable"), np.flatnonzero(np.diff(users[order])) + 1):
        if len(rows) > 1:
            found.append(1.0 if np.ptp(true[rows]) == 0 else ndcg_score(true[None, rows], predicted[None, rows]))
    return float(np.mean(found)) if found else float("nan")


def mean_plays(train: TrainView, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The reference: log(1 + plays) of pairs from visible means alone, float64 (pairs,).

        prediction = mean of the user + sum over the item's listeners of (log plays - mean of the listener)
                                        / (listeners + DAMPING)

    A user without history has the mean of all users.
    """
    histories, n = train.histories, len(train.histories.items)
    number = histories.lengths
    total, of_all = np.zeros(train.n_users), 0.0
    for some in slices(n):
        owner, _, plays = _log_plays(train, some)
        np.add.at(total, owner, plays)
        of_all += plays.sum()
    means = np.where(number > 0, total / np.maximum(number, 1), of_all / max(n, 1))
    more = np.zeros(train.n_items)
    for some in slices(n):
        owner, played, plays = _log_plays(train, some)
        np.add.at(more, played, plays - means[owner])
    return means[users] + (more / (train.counts + DAMPING))[items]


def _log_plays(train: TrainView, some: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Users, items and log(1 + plays), float64, of some of the visible pairs."""
    if train.stored is None:
        rows = train.interactions[some]
        return rows["user"].to_numpy(), rows["item"].to_numpy(), np.log1p(rows["weight"].to_numpy())
    owner = train.stored.owners(np.arange(some.start, some.stop))
    return owner, train.stored.items[some], np.log1p(train.stored.weights[some].astype(np.float64))
