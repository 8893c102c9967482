"""Why a list is what it is, for every model, and what each reason is based on.

`reasons` gives a list's reasons in one form, whatever the model can honestly say: what the items of the history add,
what the parts or features of the model add, or what it looked at. Nothing is made up where a model cannot say: then
its list is asked for again without each item of the history, and what that takes away is the reason.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from common.data.folds import Asked
from common.data.histories import Histories
from common.models.candidates import OverCandidates
from common.models.contract import Recommender
from common.models.explanation import Explanation

OCCLUDED = 60
"""Items of a history at most that are left out in turn, those of largest weight."""
COMPARED = 100
"""Items of the list among which a network's preference for one of them is measured."""
CHEAP = (
    *("random", "popularity", "trending", "content_knn", "tag_knn", "user_knn", "item_knn"),
    *("als", "ease", "ensemble", "two_tower"),
)
"""Models whose reasons take a few milliseconds, so that they stand beside every list."""


@dataclass(frozen=True)
class Why:
    """Reasons for one item: codes of the history's items and named parts, each with a number, strongest first."""

    items: list[tuple[int, float]] = field(default_factory=list)
    parts: list[tuple[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Reasons:
    """Reasons for a list: `basis` says in a sentence what the numbers are, `each` has one entry per item of the list.

    `shared` holds what is true of the whole list and not of one item more than of another.
    """

    basis: str
    each: list[Why]
    shared: Why = field(default_factory=Why)
    in_shares: bool = False
    """Whether parts are shares of the score and sum to 1."""


def reasons(model: Recommender, history: Histories, items: Sequence[int], user: int = -1, most: int = 3) -> Reasons:
    """Why a model lists these items for one history (of length 1); `user` is the code of a known user.

    At most `most` items of the history and `most` parts for each.
    """
    explain = EXPLAINERS.get(model.name, leave_one_out)
    return explain(model, history, [int(item) for item in items], user, most)


def _from(explanations: Sequence[Explanation], most: int) -> list[Why]:
    """The history's items that add something, and the parts that move the score."""
    return [
        Why([(item, by) for item, by in why.strongest(most) if by > 0], why.strongest_parts(most))
        for why in explanations
    ]


def _in_shares(explanations: Sequence[Explanation], most: int) -> list[Why]:
    """The same with the parts as shares of the score."""
    each = []
    for why, told in zip(explanations, _from(explanations, most), strict=True):
        parts = [(name, by / why.score) for name, by in why.strongest_parts(len(why.parts)) if by > 0 and why.score > 0]
        each.append(Why(told.items, parts))
    return each


def _by_history(basis: str) -> Callable[..., Reasons]:
    """For models whose score is a sum over the history."""

    def explain(model: Any, history: Histories, items: Sequence[int], user: int, most: int) -> Reasons:
        told = {"user": user} if model.name in ("user_knn", "hybrid_knn") else {}
        explained = model.explain_all(history, items, **told)
        if model.name == "hybrid_knn":
            return Reasons(basis, _in_shares(explained, most), in_shares=True)
        return Reasons(basis, [Why(why.items) if why.items else why for why in _from(explained, most)])

    return explain


def _at_once(basis: str) -> Callable[..., Reasons]:
    """For models that explain a whole list at once."""

    def explain(model: Any, history: Histories, items: Sequence[int], user: int, most: int) -> Reasons:
        told = {"user": user} if isinstance(model, OverCandidates) else {}
        explained = model.explain_all(history, items, **told)
        if isinstance(model, OverCandidates):
            return Reasons(basis, _from(explained, most))
        return Reasons(basis, _in_shares(explained, most), in_shares=True)

    return explain


def _popular(model: Any, history: Histories, items: Sequence[int], user: int, most: int) -> Reasons:
    basis = "how many listen to it; the same for everybody, whatever the history"
    name = "listeners" if model.name == "popularity" else "recent listeners"
    return Reasons(basis, [Why(parts=[(name, float(model.popularity[item]))]) for item in items])


def _random(model: Any, history: Histories, items: Sequence[int], user: int, most: int) -> Reasons:
    return Reasons("chance alone; nothing speaks for any of them", [Why() for _ in items])


def _attended(model: Any, history: Histories, items: Sequence[int], user: int, most: int) -> Reasons:
    basis = (
        "attention of the last event, mean over layers and heads: what the model looked at before it foretold"
        " the whole list, not why one item of it comes before another"
    )
    if not len(history.items):
        return Reasons("no history to look at, so the popular list", [Why() for _ in items])
    seen, weights = model.attention(history)
    share = weights.mean(axis=(0, 1))
    order = np.argsort(-share, kind="stable")[:most]
    return Reasons(basis, [Why() for _ in items], Why([(int(seen[place]), float(share[place])) for place in order]))


def _nearest_liked(model: Any, history: Histories, items: Sequence[int], user: int, most: int) -> Reasons:
    basis = "cosine of the item's vector with those of the history's items: the nearest of them"
    vectors, own = model.item_vectors(), np.unique(history.items)
    unit = vectors[own] / np.maximum(np.linalg.norm(vectors[own], axis=1, keepdims=True), 1e-12)
    each = []
    for item in items:
        cosine = unit @ vectors[item] / max(float(np.linalg.norm(vectors[item])), 1e-12)
        nearest = np.argsort(-cosine, kind="stable")[:most]
        each.append(Why([(int(own[place]), float(cosine[place])) for place in nearest if cosine[place] > 0]))
    return Reasons(basis, each)


def leave_one_out(model: Recommender, history: Histories, items: Sequence[int], user: int, most: int) -> Reasons:
    """Occlusion: how much an item's score falls when one item of the history is left out.

    Of a network that learned lists, the fall of the logarithm of the item's share among the best COMPARED.
    """
    of_lists = model.name == "hybrid_listnet"
    what = "the log of its probability among the best 100" if of_lists else "its score"
    basis = f"how much {what} falls when one item of the history is left out (occlusion)"
    left_out = history.items[np.argsort(-history.weights, kind="stable")[:OCCLUDED]]
    scores = asked_again(model, history, left_out, user)
    if of_lists:
        best = np.argsort(-scores[0], kind="stable")[:COMPARED]
        scores = scores - np.logaddexp.reduce(scores[:, best], axis=1, keepdims=True)
    falls = scores[:1] - scores[1:]
    each = []
    for item in items:
        order = np.argsort(-falls[:, item], kind="stable")[:most]
        each.append(Why([(int(left_out[row]), float(falls[row, item])) for row in order if falls[row, item] > 0]))
    return Reasons(basis, each)


def asked_again(model: Recommender, history: Histories, left_out: np.ndarray, user: int) -> np.ndarray:
    """Scores with the whole history, then without each of some items, float64 (1 + len(left_out), n_items)."""
    kept = [np.arange(len(history.items)), *(np.flatnonzero(history.items != item) for item in left_out)]
    rows = np.concatenate(kept)
    indptr = np.concatenate([[0], np.cumsum([len(places) for places in kept])]).astype(np.int64)
    times = None if history.timestamps is None else history.timestamps[rows]
    shorter = Histories(indptr, history.items[rows], history.weights[rows], history.n_items, times)
    return scores_of(model, shorter, user).astype(np.float64)


def scores_of(model: Recommender, histories: Histories, user: int = -1) -> np.ndarray:
    """Scores of histories that differ from the one seen in `fit`; with the code of a known user also what else is
    known of this person, where the model makes use of it. float32 (len(histories), n_items)."""
    if user >= 0 and isinstance(model, OverCandidates):
        return model.score_asked(Asked(np.full(len(histories), user), histories))
    return model.fold_in(histories)


MIXED = "the share of each part in the score, and what each item of the history adds to it through the parts"
EXPLAINERS: dict[str, Callable[..., Reasons]] = {
    "random": _random,
    "popularity": _popular,
    "trending": _popular,
    "content_knn": _by_history("likeness in sound to each item of the history; they add up to the score"),
    "tag_knn": _by_history("likeness in tags to each item of the history; they add up to the score"),
    "item_knn": _by_history("listeners in common with each item of the history; they add up to the score"),
    "user_knn": _by_history("votes of the most similar people who have it, shared among the items in common with them"),
    "hybrid_knn": _by_history(MIXED),
    "als": _by_history("what each item of the history adds to the predicted preference (Hu et al. 2008, section 5)"),
    "ease": _by_history("what each item of the history adds to the score, its weight in B (Steck 2019)"),
    "ensemble": _at_once(MIXED),
    "forest": _at_once(
        "features that move the score most on the way down the trees (Saabas 2014); docs/features.md tells of them"
    ),
    "sasrec": _attended,
    "two_tower": _nearest_liked,
}
