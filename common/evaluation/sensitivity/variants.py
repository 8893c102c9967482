"""The same scores under other protocols: other candidates, other held-out items, other orders of equal scores.

Nothing here fits a model. A variant of the protocol takes the scores of one that is fitted and differs from Encore's
own rule in one or two things, so that what a figure owes to the protocol can be told from what it owes to the model.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from common.data.dataset import Dataset
from common.evaluation import metrics
from common.evaluation.metric_suite import hits_from_ranks, one_by_one
from common.evaluation.ranking import BATCH_BYTES
from common.evaluation.task import Task
from common.models.top_items import check_scores
from common.splits.histories import Histories
from common.splits.negatives import NOT_DRAWN, draw_popular
from common.splits.protocols import PROTOCOLS
from common.splits.store import parse_folder_name
from common.utils.arrays import random_places

Score = Callable[[np.ndarray], np.ndarray]
K = 10
"""Length of the list that every variant looks at."""
ORDERS = ("hash", "id", "favour", "against")
"""Who stands first among equal scores: by a fixed hash of the id (Encore's rule), by the id, the target, the others."""
AT_ONCE = 256
"""Most evaluated rows that are scored together; fewer where their scores would not fit into BATCH_BYTES."""
LIBRARIES = ("recbole", "rectools")
"""Leave-one-out as two libraries evaluate it. RecBole (`FullSortEvalDataLoader`) masks nothing for a sequential model:
the history is ranked, too, and takes places. RecTools (`Splitter`, `filter_cold_items`) ranks only items that training
has seen, and evaluates no held-out item that it has not."""
TOGETHER = 512
"""Most held-out items whose candidates are compared together; fewer likewise."""


@dataclass(frozen=True, order=True)
class Variant:
    """A way of evaluating. held_out: "every" held-out item of a user or "one"; candidates: "all" items outside the
    history, or the held-out item among 99 "uniform" or "popular" ones, or those of a library; ties: one of ORDERS.
    """

    held_out: str = "every"
    candidates: str = "all"
    ties: str = "hash"


OWN_RULE = Variant()
VARIANTS = (
    *(Variant(held_out, candidates) for held_out in ("every", "one") for candidates in ("all", "uniform", "popular")),
    *(Variant("one", library) for library in LIBRARIES),
)
"""Variants that differ in what is held out and in the candidates."""
TIES = tuple(Variant("every", candidates, ties) for candidates in ("all", "uniform") for ties in ORDERS)
"""Variants that differ in the order of equal scores."""


@dataclass(frozen=True)
class VariantRanks:
    """One model on one protocol, under every variant.

    ndcg, hr: variant -> float64 (users,), at K, NaN for a user without a list there. ranks: a held-out item's
    rank under `OWN_RULE` and among the uniform negatives, int64 (targets,) each. tied: share of held-out items whose
    score at least one other candidate of the whole catalogue has, too.
    """

    ndcg: dict[Variant, np.ndarray]
    hr: dict[Variant, np.ndarray]
    ranks: tuple[np.ndarray, np.ndarray]
    tied: float


class Panel:
    """All variants of one protocol (a folder name such as `listen-s3`), on its test part.

    What does not depend on a model is made once: the negatives drawn by popularity and each user's one held-out item,
    both the same in every run.
    """

    def __init__(self, data: Dataset, protocol: str) -> None:
        self.evaluator = Task(data, protocol).test
        train, holdout = self.evaluator.train, self.evaluator.holdout
        if holdout.n_given is not None:
            raise ValueError("newcomers have six histories each: a panel takes users of one")
        name, seed = parse_folder_name(protocol)
        self.places = {"hash": self.evaluator.places, "id": id_places(train.items["item_id"])}
        rng = np.random.default_rng([seed, PROTOCOLS.index(name), K])
        owned = owned_keys(holdout.given, holdout.target_rows, holdout.target_items)
        self.drawn = holdout.negatives[:, 0] != NOT_DRAWN
        popular = draw_popular(holdout.target_rows[self.drawn], owned, train.popularity, rng)
        self.popular = np.full((len(self.drawn), popular.shape[1]), -1, np.int64)
        self.popular[self.drawn] = popular
        self.is_warm = train.counts > 0
        self.chosen = random_places(holdout.target_rows, rng) == 0  # one of each row, drawn by chance

    @property
    def leaves_one_out(self) -> bool:
        """Whether every user has one held-out item only, so that leaving one out is no other variant."""
        return bool(self.chosen.all())

    def evaluate(self, score: Score) -> VariantRanks:
        """Ranks from `score(rows)`, which gives evaluated rows their scores, float32 (len(rows), n_items)."""
        parts = [self._ranks(rows, scores) for rows, scores in self._scored(score)]
        ranks = {variant: np.concatenate([part[variant] for part in parts]) for variant in parts[0]}
        own, sampled = ranks[OWN_RULE], ranks[Variant("every", "uniform")]
        tied = ranks[Variant(ties="against")] > ranks[Variant(ties="favour")]
        shown = [variant for variant in ranks if self._is_shown(variant)]
        per_user = {variant: self._per_user(variant, ranks[variant]) for variant in shown}
        return VariantRanks(
            {variant: values[0] for variant, values in per_user.items()},
            {variant: values[1] for variant, values in per_user.items()},
            (own, np.where(self.drawn, sampled, 0)),
            float(tied.mean()),
        )

    def _is_shown(self, variant: Variant) -> bool:
        """Whether a variant is another than one that stands there already."""
        return variant.held_out == "every" or variant.candidates in LIBRARIES or not self.leaves_one_out

    def constant(self) -> VariantRanks:
        """Ranks of a baseline that knows nothing: every score is the same."""
        return self.evaluate(lambda rows: np.zeros((len(rows), self.evaluator.train.n_items), np.float32))

    def _scored(self, score: Score) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Evaluated rows batch by batch, with their scores."""
        n_rows, n_items = len(self.evaluator.holdout.users), self.evaluator.train.n_items
        step = max(1, min(AT_ONCE, BATCH_BYTES // (8 * n_items)))
        for start in tqdm(range(0, n_rows, step), "ranking", delay=2, leave=False, disable=None):
            rows = np.arange(start, min(start + step, n_rows))
            yield rows, check_scores(score(rows), (len(rows), n_items))

    def _ranks(self, rows: np.ndarray, scores: np.ndarray) -> dict[Variant, np.ndarray]:
        """Ranks of the held-out items of some rows under every variant, int64 (targets,) each."""
        holdout, masked = self.evaluator.holdout, scores.copy()
        given = holdout.given.take(rows)
        masked[given.rows, given.items] = np.nan
        first, last = np.searchsorted(holdout.target_rows, [rows[0], rows[-1] + 1])
        step = max(1, min(TOGETHER, BATCH_BYTES // scores.shape[1]))
        parts = [
            self._ranks_of(targets, holdout.target_rows[targets] - rows[0], masked, scores)
            for targets in np.array_split(np.arange(first, last), -(-(last - first) // step))
        ]
        return {variant: np.concatenate([part[variant] for part in parts]) for variant in parts[0]}

    def _ranks_of(
        self, targets: np.ndarray, local: np.ndarray, scores: np.ndarray, unmasked: np.ndarray
    ) -> dict[Variant, np.ndarray]:
        """Ranks of some targets, whose rows are `local` ones of scores that are NaN for the history, and of all."""
        holdout = self.evaluator.holdout
        items = holdout.target_items[targets]
        own, found = scores[local, items], dict[Variant, np.ndarray]()
        for name, codes in (("uniform", holdout.negatives[targets]), ("popular", self.popular[targets])):
            others = np.where(codes >= 0, scores[local[:, None], codes], np.nan)
            for ties, ranks in tied_ranks(own, items, others, codes, self.places).items():
                found |= {Variant(kind, name, ties): ranks for kind in ("every", "one")}
        everything, others = np.arange(scores.shape[1]), scores[local]
        others[np.arange(len(targets)), items] = np.nan
        fellows = self._held_out_of(targets)
        for ties, ranks in tied_ranks(own, items, others, everything, self.places, fellows).items():
            found[Variant("every", "all", ties)] = ranks
        one = np.flatnonzero(self.chosen[targets])  # were it the only one left out, the others would be history
        others = np.where(fellows[one], np.nan, others[one])
        with_history = unmasked[local[one]]
        with_history[np.arange(len(one)), items[one]] = np.nan
        among = {"all": others, "recbole": with_history, "rectools": np.where(self.is_warm, others, np.nan)}
        for candidates, theirs in among.items():
            ranks = np.zeros(len(targets), np.int64)
            ranks[one] = tied_ranks(own[one], items[one], theirs, everything, self.places)["hash"]
            found[Variant("one", candidates)] = ranks
        return {variant: found[variant] for variant in dict.fromkeys((*VARIANTS, *TIES))}

    def _held_out_of(self, targets: np.ndarray) -> np.ndarray:
        """Which items are held out for the user of each target, bool (targets, n_items)."""
        rows = self.evaluator.holdout.target_rows[targets]
        of_rows = np.zeros((rows[-1] + 1 - rows[0], self.evaluator.train.n_items), bool)
        of_rows[self.evaluator.targets_of(rows)] = True
        return of_rows[rows - rows[0]]

    def _per_user(self, variant: Variant, ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """NDCG and HR of each evaluated row, float64 (rows,)."""
        kept = self.chosen if variant.held_out == "one" else np.ones(len(ranks), bool)
        if variant.candidates in ("uniform", "popular"):
            kept = kept & self.drawn
        if variant.candidates == "rectools":
            holdout = self.evaluator.holdout
            kept = kept & self.is_warm[holdout.target_items] & (holdout.codes[holdout.target_rows] >= 0)
        rows, n_rows = self.evaluator.holdout.target_rows[kept], len(self.evaluator.holdout.users)
        if (variant.held_out, variant.candidates) == ("every", "all"):
            hits, n_relevant = hits_from_ranks(rows, ranks, n_rows, K)
            return metrics.ndcg(hits, n_relevant, K), metrics.hit_rate(hits, K)
        found = one_by_one(rows, ranks[kept], n_rows, (K,))
        return found[f"ndcg_{K}"], found[f"hr_{K}"]


def tied_ranks(
    own: np.ndarray,
    items: np.ndarray,
    others: np.ndarray,
    codes: np.ndarray,
    places: Mapping[str, np.ndarray],
    held_out: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Rank of each target among its candidates, 1 is best, int64 (targets,), for every order of equal scores.

    own: scores of the targets, float (targets,); items: their codes, int (targets,); others: scores of the candidates,
    float (targets, candidates), NaN where there is none; codes: theirs, int (targets, candidates) or (candidates,);
    places: order -> place of each item, int (n_items,), `hash` among them. Added are `favour`, held-out items before
    all others of their score, and `against`, behind them; `held_out`, bool (targets, candidates), marks candidates that
    are held-out items of the same user, which stand by hash among themselves.

    >>> ranks = tied_ranks(
    ...     own=np.array([0.5]),
    ...     items=np.array([1]),
    ...     others=np.array([[0.5, 0.9, 0.5, 0.1]]),
    ...     codes=np.array([0, 2, 3, 4]),
    ...     places={"hash": np.array([3, 2, 4, 1, 0]), "id": np.arange(5)},
    ... )
    >>> {order: int(rank[0]) for order, rank in ranks.items()}
    {'hash': 3, 'id': 3, 'favour': 2, 'against': 4}
    """
    above = 1 + (others > own[:, None]).sum(axis=1)
    target, column = np.nonzero(others == own[:, None])
    equal = np.broadcast_to(codes, others.shape)[target, column]
    ahead = {order: place[equal] < place[items[target]] for order, place in places.items()}
    fellow = np.zeros(len(target), bool) if held_out is None else held_out[target, column]
    ahead |= {"favour": fellow & ahead["hash"], "against": ~fellow | ahead["hash"]}
    return {order: above + np.bincount(target[first], minlength=len(own)) for order, first in ahead.items()}


def id_places(item_ids: pd.Series | np.ndarray) -> np.ndarray:
    """Place of each item in the order of the raw ids, int64 (n_items,): as numbers where all are, else as text.

    >>> id_places(np.array(["10", "9", "100"], object)), id_places(np.array(["b", "a", "10"], object))
    (array([1, 0, 2]), array([2, 1, 0]))
    """
    ids = np.asarray(item_ids, object)
    numbers = all(str(item).isdecimal() for item in ids)
    order = np.argsort(np.array([int(item) for item in ids], object) if numbers else ids.astype(str), kind="stable")
    places = np.empty(len(ids), np.int64)
    places[order] = np.arange(len(ids))
    return places


def owned_keys(given: Histories, target_rows: np.ndarray, target_items: np.ndarray) -> np.ndarray:
    """Sorted keys `row * n_items + item` of everything that the user of each row has, held-out items included."""
    keys = [given.rows * given.n_items + given.items, target_rows * given.n_items + target_items]
    return np.unique(np.concatenate(keys).astype(np.int64))
