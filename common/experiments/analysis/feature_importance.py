"""Stage 3: recall of its candidates, importance of its features, and their ablation; on validation."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from common.evaluation.evaluator import Evaluator
from common.evaluation.statistics import bootstrap_interval
from common.models.inference.trees import Trees
from common.models.two_stage.base import Candidates, TwoStageRecommender
from common.models.two_stage.candidates import CandidateGenerator
from common.models.two_stage.tree_ranker import TreeRecommender

DEEPEST = 200
"""The longest list of candidates of a source."""
STRONGEST = 25
"""Features whose permutation is tried: those of the largest impurity importance."""
PAIRS, USERS = 800, (200, 500)
"""Held-out pairs on which permutations are tried, and the least and the most users that they belong to."""
ROWS = 500
"""Candidates over which a partial dependence is averaged."""
GRID = 30


class Order:
    """The candidates of all users of an evaluator, generated once, to be ranked by any scores."""

    def __init__(self, model: TwoStageRecommender, evaluator: Evaluator) -> None:
        self.evaluator, asked, stage = evaluator, evaluator.query, model.feature_builder.generator
        pools = [(rows[0], model.candidates(asked.take(rows))) for rows in stage.blocks(asked)]
        parts = ((start + pool.rows, pool.items, pool.features, pool.rest) for start, pool in pools)
        self.pool = Candidates(asked.users, *map(np.concatenate, zip(*parts, strict=True)))

    def ndcg(self, of_candidates: np.ndarray) -> np.ndarray:
        """NDCG@10 of each evaluated row with these scores of the candidates, float64 (rows,)."""
        pool, starts = self.pool, np.searchsorted(self.pool.rows, np.arange(len(self.pool.rest) + 1))

        def score(rows: np.ndarray) -> np.ndarray:
            own = slice(starts[rows[0]], starts[rows[-1] + 1])
            scores = pool.rest[rows].copy()
            scores[pool.rows[own] - rows[0], pool.items[own]] = of_candidates[own]
            return scores

        return self.evaluator.ndcg_per_row(self.evaluator.rank_scores(score))


def compared(name: str, group: str, base: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    """A row of a table: mean NDCG@10, what was lost against `base`, and the 95% interval of the loss over users."""
    low, high = bootstrap_interval(base - other)
    loss = {"loss": float((base - other).mean()), "low": low, "high": high}
    return {"name": name, "group": group, "ndcg_10": float(other.mean()), **loss}


def candidate_ranks(stage: CandidateGenerator, evaluator: Evaluator) -> pd.DataFrame:
    """Rank of every held-out pair under every source among the items that the user does not have, 1 is best.

    A row per held-out pair, a column per source; equal scores are ordered by code, as when candidates are proposed.
    """
    asked, ranks = evaluator.query, []
    for rows in stage.blocks(asked):
        part = asked.take(rows)
        scores = stage.propose(part).scores
        scores[:, part.given.rows, part.given.items] = -np.inf
        owner, held_out = evaluator.targets_of(rows)
        starts = np.searchsorted(owner, np.arange(len(rows) + 1))
        own = [held_out[start:end] for start, end in pairwise(starts)]
        for row, items in enumerate(own):
            ranks.append(np.stack([ranks_of(of_source[row], items) for of_source in scores], axis=1))
    return pd.DataFrame(np.concatenate(ranks), columns=list(stage.sources))


def ranks_of(scores: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Rank of some items among all by their scores, 1 is best, equal scores by code, int64 (len(items),).

    >>> ranks_of(np.array([0.1, 0.7, 0.7, 0.3]), np.array([2, 0]))
    array([2, 4])
    """
    better = [
        np.count_nonzero(scores > scores[item]) + np.count_nonzero(scores[:item] == scores[item]) for item in items
    ]
    return 1 + np.array(better, np.int64)


def recall_by_length(ranks: pd.DataFrame) -> pd.DataFrame:
    """Share of the held-out pairs among the first n = 1..DEEPEST proposals of each source, and of `all` together.

    >>> recall_by_length(pd.DataFrame({"als": [1, 9], "ease": [4, 2]})).loc[[1, 2], ["als", "all"]].to_numpy().tolist()
    [[0.5, 0.5], [0.5, 1.0]]
    """
    with_all = ranks.assign(all=ranks.min(axis=1))
    lengths = np.arange(1, DEEPEST + 1)
    shares = {name: (with_all[[name]].to_numpy() <= lengths).mean(axis=0) for name in with_all}
    return pd.DataFrame(shares, index=pd.Index(lengths, name="n"))


def recall_table(ranks: pd.DataFrame, top: int) -> pd.DataFrame:
    """Per source the share of held-out pairs among its first `top`, and the share that it alone finds."""
    found = ranks.to_numpy() <= top
    alone = found & (found.sum(axis=1) == 1)[:, None]
    table = pd.DataFrame({"source": ranks.columns, "found": found.mean(axis=0), "alone": alone.mean(axis=0)})
    union = pd.DataFrame({"source": ["all"], "found": [found.any(axis=1).mean()], "alone": [np.nan]})
    return pd.concat([table.sort_values("found", ascending=False), union], ignore_index=True)


def importances(model: TreeRecommender, evaluator: Evaluator, seed: int = 0) -> pd.DataFrame:
    """Importance of features by impurity, and by what permuting them costs in NDCG@10 on validation, with intervals.

    A row per feature: name, group, impurity (shares that sum to 1), and of the STRONGEST loss, low, high: the mean
    loss over some users and its 95% interval. Rows `group` permute all features of a group together, since of two that
    say the same each can stand in for the other.
    """
    order = Order(model, evaluator.sample(enough_users(evaluator), seed))
    trees, features, columns = model.ranker.trees, order.pool.features, model.feature_builder.columns
    assert trees is not None
    groups = {name: group for group, names in columns.items() for name in names}
    place = {name: column for column, name in enumerate(groups)}
    base = order.ndcg(trees.predict(features))
    impurity = pd.Series(trees.estimator.feature_importances_, index=list(groups)).sort_values(ascending=False)
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for name, share in impurity.items():
        row = {"name": name, "group": groups[str(name)], "impurity": share}
        if len(rows) < STRONGEST:
            permuted = with_permuted(features, [place[str(name)]], rng)
            row |= compared(str(name), row["group"], base, order.ndcg(trees.predict(permuted)))
        rows.append(row)
    for group, names in columns.items():
        permuted = with_permuted(features, [place[name] for name in names], rng)
        row = compared(group, "group", base, order.ndcg(trees.predict(permuted)))
        rows.append(row | {"impurity": float(impurity[names].sum())})
    return pd.DataFrame(rows)


def enough_users(evaluator: Evaluator) -> int:
    """Number of users with about PAIRS held-out pairs."""
    pairs_each = evaluator.n_targets / len(evaluator.query)
    return int(np.clip(PAIRS / pairs_each, *USERS))


def with_permuted(features: np.ndarray, columns: list[int], rng: np.random.Generator) -> np.ndarray:
    """Features with some columns, together, handed to other rows.

    >>> with_permuted(np.array([[1, 1, 7], [2, 2, 8]]), [0, 1], np.random.default_rng(3)).tolist()
    [[2, 2, 7], [1, 1, 8]]
    """
    permuted = features.copy()
    permuted[:, columns] = features[rng.permutation(len(features))][:, columns]
    return permuted


def partial_dependences(
    model: TreeRecommender, evaluator: Evaluator, names: list[str], seed: int = 0
) -> dict[str, np.ndarray]:
    """Mean score of validation candidates if a feature had another value, name -> float64 (2, grid): values, scores.

    Averaged over ROWS candidates of which the feature is known (Friedman 2001), of a source's score those that it
    scores (below -1 it only orders by popularity). A feature that is the same for all is left out.
    """
    features = Order(model, evaluator.sample(USERS[0], seed)).pool.features
    rng, found = np.random.default_rng(seed), dict[str, np.ndarray]()
    for name in names:
        column = model.feature_builder.names.index(name)
        lowest = -1 if name in model.feature_builder.columns["sources"] else -np.inf
        known = features[features[:, column] >= lowest]
        sample = known[np.sort(rng.permutation(len(known))[:ROWS])]
        if not len(sample) or np.ptp(sample[:, column]) == 0:
            continue
        assert model.ranker.trees is not None
        found[name] = partial_dependence(model.ranker.trees, sample, column)
    return found


def partial_dependence(trees: Trees, sample: np.ndarray, column: int) -> np.ndarray:
    """Values of one feature, and the mean prediction over a sample if all had that value, float64 (2, grid).

    The values are those of the sample, or GRID between its 5th and 95th percentile, or its ends where these are the
    same. This is `partial_dependence` of scikit-learn by its method `brute`, which asks the trees once for each value.
    """
    from scipy.stats.mstats import mquantiles

    values = np.unique(sample[:, column])
    if len(values) >= GRID:
        low, high = mquantiles(sample[:, column], prob=(0.05, 0.95))
        if low == high:
            low, high = values[[0, -1]]
        values = np.linspace(low, high, GRID)
    rows = np.tile(sample, (len(values), 1))
    rows[:, column] = np.repeat(values, len(sample))
    return np.stack([values, trees.predict(rows).reshape(len(values), -1).mean(axis=1, dtype=float)])


def ablation(model: TreeRecommender, evaluator: Evaluator) -> Iterator[dict[str, Any]]:
    """NDCG@10 on validation with all features, without each group, and with the sources alone; learned anew each time.

    Rows as of `compared`; `loss` is against all features.
    """
    order, data, columns = Order(model, evaluator), model.training_data, model.feature_builder.columns
    groups = np.array([group for group, names in columns.items() for _ in names])

    def ndcg_with(kept: np.ndarray) -> np.ndarray:
        trees = model.ranker.learn(data.candidate_features[:, kept], data.labels)
        assert trees is not None
        return order.ndcg(trees.predict(order.pool.features[:, kept]))

    base = ndcg_with(np.ones(len(groups), bool))
    yield compared("all features", "", base, base)
    for group in columns:
        yield compared(f"without {group}", group, base, ndcg_with(groups != group))
    yield compared("sources alone", "sources", base, ndcg_with(groups == "sources"))
