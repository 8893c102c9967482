"""Metrics against the cut-off, precision against recall, and what scores say of relevance."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from common.evaluation import metrics
from common.evaluation.metric_suite import hits_from_ranks
from common.evaluation.registry import CORE
from common.models.top_items import DEPTH

CUTOFFS = range(1, DEPTH + 1)
GROUPS, SAMPLED = 10, 20_000
"""Groups of scores on a calibration curve, and other items at most whose scores are looked at."""


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


def diversity(measured: Mapping[str, Mapping[str, float]]) -> tuple[str, dict[str, pd.Series]]:
    """1 - similarity inside the first k items of a list at each cut-off of the suite, of every model.

    measured: model -> its metrics. The space is the first of tags, genres and sound that all have; "" where none is.

    >>> diversity({"als": {"ils_tag_5": 0.25, "ils_tag_10": 0.5, "ils_tag_20": 0.75}})[1]["als"].tolist()
    [0.75, 0.5, 0.25]
    """
    for name in CORE["diversity"].names:
        keys = {k: f"{name}_{k}" for k in (5, 10, 20)}
        if all(key in values for values in measured.values() for key in keys.values()):
            found = {model: {k: 1 - values[key] for k, key in keys.items()} for model, values in measured.items()}
            return name.removeprefix("ils_"), {model: pd.Series(values) for model, values in found.items()}
    return "", {}


def score_calibration(held_out: np.ndarray, others: np.ndarray) -> pd.DataFrame:
    """How often items are held out beside how often a score says so, in GROUPS of rising score: expected, found.

    held_out, others: scores of held-out and of all other items outside the histories. A score says it through the
    logistic curve of two parameters that fits these scores best (Platt 1999). All groups expect equally many held-out
    items, so the heads of the lists count. Empty where all scores are one.
    """
    step = max(1, len(others) // SAMPLED)
    score = np.concatenate([held_out, others[::step]]).astype(np.float64)
    relevant = np.arange(len(score)) < len(held_out)
    weight = np.where(relevant, 1.0, step)
    if relevant.all() or not relevant.any() or np.ptp(score) == 0:
        return pd.DataFrame({"expected": [], "found": []})
    chance = _logistic((score - score.mean()) / score.std(), relevant, weight)
    order = np.argsort(chance, kind="stable")
    passed = np.cumsum((weight * chance)[order])
    group = np.minimum((passed / passed[-1] * GROUPS).astype(int), GROUPS - 1)
    values = pd.DataFrame({"weight": weight, "expected": weight * chance, "found": weight * relevant}).iloc[order]
    sums = values.groupby(group).sum()
    return sums[["expected", "found"]].div(sums["weight"], axis=0).reset_index(drop=True)


def _logistic(score: np.ndarray, relevant: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Chances by the logistic curve of greatest likelihood, float64 (scores,)."""
    from scipy import optimize, special

    inputs = np.stack([np.ones(len(score)), score])
    share = np.average(relevant, weights=weight)

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        logits = at @ inputs
        value = weight @ (np.logaddexp(0, logits) - relevant * logits)
        return float(value) / weight.sum(), inputs @ (weight * (special.expit(logits) - relevant)) / weight.sum()

    found = optimize.minimize(loss, np.array([special.logit(share), 0.0]), jac=True)
    return special.expit(found.x @ inputs)


def _hits(targets: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """See `hits_from_ranks`; a row for each user, of a newcomer for each number of items given."""
    keys = ["user_id", "given"] if "given" in targets else ["user_id"]
    rows = targets.groupby(keys, sort=False, observed=True).ngroup().to_numpy()
    return hits_from_ranks(rows, targets["rank"].to_numpy(), rows.max() + 1, DEPTH)
