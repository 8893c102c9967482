"""Stage 6: ablation of its parts, trade-off of accuracy and similarity inside lists, calibration; on validation."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from common.evaluation.evaluator import Evaluator
from common.evaluation.statistics import bootstrap_interval
from common.experiments.analysis.feature_importance import Order, compared
from common.models.neural.listnet.model import HybridListNet, HybridListNetSettings

PARTS: dict[str, dict[str, Any]] = {
    "without ILS": {"ils_weight": 0.0},
    "without audio": {"without": ("audio",)},
    "without tags": {"without": ("tags",)},
    "without ids": {"without": ("ids",)},
    "with all ids": {"without": ()},
    "without scores": {"inputs": "content"},
    "without shortcuts": {"residual": False},
    "order alone": {"task": "rank"},
    "plays alone": {"task": "plays"},
}
"""Ablations: name -> settings that differ."""
WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Trade-off weights on the curve of accuracy against similarity inside lists."""
BINS = 15
"""Groups of candidates, by their predicted probability, on the calibration curve."""
Fit = Callable[[HybridListNet], object]
"""Fits a model on train, with validation."""
BESIDE = ("ils_genre_10", "ils_tag_10", "ils_audio_10", "ils_tag_share_10", "coverage_10")


def ablation(model: HybridListNet, fit: Fit, evaluator: Evaluator) -> Iterator[dict[str, Any]]:
    """The model as it is, then without one part at a time, learned anew on the same cross-fitted lists.

    Rows: name, ndcg_10, loss against the whole with its 95% interval (low, high), plays_r2 (NaN where not predicted).
    Parts that the model does not have are left out. Without audio or tags their features are gone; the candidates
    that they propose stay.
    """
    base, whole = None, None
    for name, changes in {"all": {}, **PARTS}.items():
        settings = changed(model.settings, changes)
        if changes and (settings == model.settings or (whole and lacks(whole, changes))):
            continue
        variant = HybridListNet(settings, seed=model.seed, device=model.device)
        fit(variant)
        whole = whole or variant
        per_row = evaluator.ndcg_per_row(evaluator.rank(variant))
        base = per_row if base is None else base
        metrics = evaluator.evaluate(variant).metrics
        yield compared(name, "", base, per_row) | {"plays_r2": metrics.get("plays_r2", math.nan)}


def changed(settings: HybridListNetSettings, changes: dict[str, Any]) -> HybridListNetSettings:
    """Settings with some others; `without` adds to what is left out already; an empty one brings the ids back."""
    if "without" in changes:
        left = set(settings.without)
        left = left | set(changes["without"]) if changes["without"] else left - {"ids", "people"}
        changes = {"without": tuple(sorted(left))}
    return dataclasses.replace(settings, **changes)


def lacks(model: HybridListNet, changes: dict[str, Any]) -> bool:
    """Whether a fitted model lacks what a change would take away, as data without audio or tags do."""
    content = set(changes.get("without", ())) & {"audio", "tags"}
    no_content = bool(content) and not any(model.ranker.uses(what) for what in content)
    no_spaces = "ils_weight" in changes and not model.ranker.spaces
    return no_content or no_spaces or ("task" in changes and not np.isfinite(model.ranker.mean_plays))


def trade_off(model: HybridListNet, fit: Fit, evaluator: Evaluator) -> Iterator[dict[str, Any]]:
    """Accuracy and similarity inside lists for each of WEIGHTS: ils_weight, ndcg_10 with its 95% interval (low, high),
    and the evaluator's metrics of similarity and coverage."""
    for weight in WEIGHTS:
        settings = dataclasses.replace(model.settings, ils_weight=weight)
        variant = HybridListNet(settings, seed=model.seed, device=model.device)
        fit(variant)
        ranking = evaluator.rank(variant)
        per_row, measured = evaluator.ndcg_per_row(ranking), evaluator.evaluate_ranking(ranking).metrics
        low, high = bootstrap_interval(per_row)
        row = {"ils_weight": weight, "ndcg_10": float(per_row.mean()), "low": low, "high": high}
        yield row | {name: measured[name] for name in BESIDE if name in measured}


def calibration(model: HybridListNet, evaluator: Evaluator) -> pd.DataFrame:
    """Predicted and true share of relevant candidates in groups of rising probability: expected, found, candidates.

    With n relevant candidates of a user, candidate i is expected to be relevant with min(1, n P(i)), P the softmax of
    the scores over the user's candidates. All groups have the same sum of expectations, so the lists' heads count.
    """
    order = Order(model, evaluator)
    pool, n_users = order.pool, len(order.pool.rest)
    scores = model.ranker.order(pool) / model.settings.temperature
    probabilities = softmax_of_rows(scores, pool.rows, n_users)
    keys = pool.rows * np.int64(pool.rest.shape[1]) + pool.items
    owners, items = evaluator.targets_of(np.arange(n_users))
    relevant = np.isin(keys, owners * np.int64(pool.rest.shape[1]) + items)
    expected = np.minimum(1.0, probabilities * np.bincount(pool.rows, relevant, n_users)[pool.rows])
    by_probability = np.argsort(expected, kind="stable")
    total = np.cumsum(expected[by_probability])
    group = np.minimum(BINS - 1, (BINS * total / max(total[-1], 1e-12)).astype(int)) if len(total) else total
    table = pd.DataFrame({"expected": expected[by_probability], "found": relevant[by_probability], "group": group})
    means = table.groupby("group")[["expected", "found"]].mean()
    return means.assign(candidates=table.groupby("group").size()).reset_index(drop=True)


def calibration_error(table: pd.DataFrame) -> float:
    """Mean distance of expected and found shares, weighed by what is expected in each group (all the same)."""
    return float((table["expected"] - table["found"]).abs().mean())


def softmax_of_rows(scores: np.ndarray, rows: np.ndarray, n_rows: int) -> np.ndarray:
    """exp(score) over the sum of its row's, float64 (n,).

    >>> softmax_of_rows(np.log([1.0, 3.0, 5.0]), np.array([0, 0, 1]), 2).round(3).tolist()
    [0.25, 0.75, 1.0]
    """
    top = np.full(n_rows, -np.inf)
    np.maximum.at(top, rows, scores)
    weights = np.exp(scores - top[rows], dtype=np.float64)
    return weights / np.bincount(rows, weights, n_rows)[rows]
