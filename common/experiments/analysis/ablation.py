"""What stage 6's parts are worth, what unlike lists cost, and whether its chances are what they say; on validation."""

import dataclasses
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
"""Prices of likeness on the curve of accuracy against likeness."""
BINS = 15
"""Groups of candidates, by their predicted chance, on the calibration curve."""
Fit = Callable[[HybridListNet], object]
"""Fits a model on what `select` shows, judged on validation."""
BESIDE = ("ils_genre_10", "ils_tag_10", "ils_audio_10", "ils_tag_share_10", "coverage_10")


def ablation(model: HybridListNet, fit: Fit, evaluator: Evaluator) -> Iterator[dict[str, Any]]:
    """The model as it is, then without one part at a time, learned anew on the same cross-fitted lists.

    Rows: name, ndcg_10, loss against the whole with its 95% interval (low, high), plays_r2 (NaN where not predicted).
    Parts that the model does not have are left out. Without audio or tags, what is told of them is gone; the candidates
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
        row = compared(name, "", base, per_row)
        yield row | {"plays_r2": plays_r2(variant, evaluator)}


def changed(settings: HybridListNetSettings, changes: dict[str, Any]) -> HybridListNetSettings:
    """Settings with some others; what is left out is left out besides what was, and ids come back if nothing is."""
    if "without" in changes:
        left = set(settings.without)
        left = left | set(changes["without"]) if changes["without"] else left - {"ids", "people"}
        changes = {"without": tuple(sorted(left))}
    return dataclasses.replace(settings, **changes)


def lacks(model: HybridListNet, changes: dict[str, Any]) -> bool:
    """Whether a fitted model has nothing of what a change would take away: data without sound, without tags, ..."""
    content = set(changes.get("without", ())) & {"audio", "tags"}
    no_content = bool(content) and not any(model.is_told(what) for what in content)
    no_price = "ils_weight" in changes and not model.spaces
    return no_content or no_price or ("task" in changes and not np.isfinite(model.mean_plays))


def plays_r2(model: HybridListNet, evaluator: Evaluator) -> float:
    """R2 of the log plays of hidden pairs, NaN where they are not predicted."""
    found = evaluator.evaluate(model).metrics
    return found.get("plays_r2", float("nan"))


def trade_off(model: HybridListNet, fit: Fit, evaluator: Evaluator) -> Iterator[dict[str, Any]]:
    """Accuracy and likeness of lists for each price in WEIGHTS: ils_weight, ndcg_10 with its 95% interval (low, high),
    and the scorer's measures of likeness."""
    for weight in WEIGHTS:
        variant = HybridListNet(
            dataclasses.replace(model.settings, ils_weight=weight), seed=model.seed, device=model.device
        )
        fit(variant)
        ranking = evaluator.rank(variant)
        per_row, measured = evaluator.ndcg_per_row(ranking), evaluator.evaluate_ranking(ranking).metrics
        low, high = bootstrap_interval(per_row)
        row = {"ils_weight": weight, "ndcg_10": float(per_row.mean()), "low": low, "high": high}
        yield row | {name: measured[name] for name in BESIDE if name in measured}


def calibration(model: HybridListNet, evaluator: Evaluator) -> pd.DataFrame:
    """Predicted and true share of wanted candidates in groups of rising chance: expected, found, candidates.

    A person's n wanted candidates are expected to be n P(i), P the softmax of the scores over the person's candidates;
    at most 1. Groups have equal sums of expectation, so that each says something of the lists' heads.
    """
    order = Order(model, evaluator)
    pool, n_people = order.pool, len(order.pool.rest)
    scores = model.order(pool) / model.settings.temperature
    chances = softmax_of_rows(scores, pool.rows, n_people)
    keys = pool.rows * np.int64(pool.rest.shape[1]) + pool.items
    owners, items = evaluator.targets_of(np.arange(n_people))
    wanted = np.isin(keys, owners * np.int64(pool.rest.shape[1]) + items)
    expected = np.minimum(1.0, chances * np.bincount(pool.rows, wanted, n_people)[pool.rows])
    by_chance = np.argsort(expected, kind="stable")
    total = np.cumsum(expected[by_chance])
    group = np.minimum(BINS - 1, (BINS * total / max(total[-1], 1e-12)).astype(int)) if len(total) else total
    table = pd.DataFrame({"expected": expected[by_chance], "found": wanted[by_chance], "group": group})
    means = table.groupby("group")[["expected", "found"]].mean()
    return means.assign(candidates=table.groupby("group").size()).reset_index(drop=True)


def calibration_error(table: pd.DataFrame) -> float:
    """Mean distance of expected and found shares, weighed by what is expected in each group (all alike)."""
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
