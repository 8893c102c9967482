"""Explanations of a list in one form for every model, and what their numbers are.

A model that has `explain_list` says what each item of the history and each part or feature adds to a score. Of the
others attention or nearest items are shown, or by occlusion how much a score falls without an item of the history.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from common.models.base import Recommender
from common.models.explanation import Explanation
from common.models.two_stage.feature_names import meaning
from common.splits.histories import Histories, Query

OCCLUDED = 60
"""Items of a history at most that are left out in turn, those of largest weight."""
COMPARED = 100
"""Best items over which the probability of a listwise network is taken."""
BY_POPULARITY = "popularity"
"""The only part of an item to which nothing in the history adds."""
CHEAP = (
    *("random", "popularity", "trending", "content_knn", "tag_knn", "user_knn", "item_knn"),
    *("als", "ials", "ease", "ensemble", "sasrec", "two_tower"),
)
"""Models whose explanations take a few milliseconds, so that they stand beside every list."""


@dataclass(frozen=True)
class ItemExplanation:
    """Why one item: codes of the history's items and named parts, each with a number, strongest first."""

    items: list[tuple[int, float]] = field(default_factory=list)
    parts: list[tuple[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Explanations:
    """Why a list: `basis` says in a sentence what the numbers are, `each` has one entry per item of the list.

    `shared` holds what is true of the whole list and not of one item more than of another.
    """

    basis: str
    each: list[ItemExplanation]
    shared: ItemExplanation = field(default_factory=ItemExplanation)
    in_shares: bool = False
    """Whether parts are shares of the score and sum to 1."""
    terms: dict[str, str] = field(default_factory=dict)
    """What parts are, where their names alone do not say it."""


def explain(
    model: Recommender, history: Histories, items: Sequence[int], user: int = -1, most: int = 3
) -> Explanations:
    """Why a model lists these items for one history (of length 1); `user` is the code of a known user.

    At most `most` items of the history and `most` parts for each.
    """
    items = [int(item) for item in items]
    explained = model.explain_list(history, items, user)
    if explained is None:
        return OTHERWISE.get(model.name, leave_one_out)(model, history, items, user, most)
    in_shares = model.name in IN_SHARES
    each = [_strongest(one, model.name, most, in_shares) for one in explained]
    terms = {name: meaning(name) for one in each for name, _ in one.parts if meaning(name)}
    return Explanations(BASIS[model.name] + _weighed(model), each, in_shares=in_shares, terms=terms)


def _strongest(explained: Explanation, model: str, most: int, in_shares: bool) -> ItemExplanation:
    """The history's items that add something, and the parts that move the score; a part that is all of it says nothing.

    Shares are those of what speaks for the item.
    """
    items = _largest(explained.items, explained.contributions, most).items
    if in_shares:
        positive = [(name, by) for name, by in explained.strongest_parts(len(explained.parts)) if by > 0]
        total = sum(by for _, by in positive)
        return ItemExplanation(items, [(name, by / total) for name, by in positive])
    return ItemExplanation(items, [part for part in explained.strongest_parts(most) if part[0] != model])


def _weighed(model: Any, of_history: bool = True) -> str:
    """What a similarity of items is multiplied by, as the model's settings say."""
    from common.models.knn.content_knn import ContentSimilarityKNN

    plays = of_history and getattr(model.settings, "history", "") == "log"
    lean = model.settings.popularity if isinstance(model, ContentSimilarityKNN) else 0
    times = ["log(1 + plays)"] * plays + [f"the item's own listeners to the power {lean:.3g}"] * (lean > 0)
    return f", times {' and '.join(times)}" if times else ""


def _popular(model: Any, history: Histories, items: Sequence[int], user: int, most: int) -> Explanations:
    name, fading = "listeners", ""
    if model.name == "trending":
        name, fading = "listeners of late", f", each for half as much after {model.settings.half_life_days:g} days"
    basis = f"how many listen to it{fading}; the same for everybody, whatever the history"
    return Explanations(basis, [ItemExplanation(parts=[(name, float(model.popularity[item]))]) for item in items])


def _random(model: Any, history: Histories, items: Sequence[int], user: int, most: int) -> Explanations:
    return basis_alone("chance alone; nothing speaks for any of them", items)


def _attended(model: Any, history: Histories, items: Sequence[int], user: int, most: int) -> Explanations:
    basis = (
        "attention of the last event, mean over layers and heads: what the model looked at before it predicted"
        " the whole list, not why one item of it comes before another"
    )
    if not len(history.items):
        return basis_alone("no history to look at, so the popular list", items)
    train, weights = model.attention(history)
    return replace(basis_alone(basis, items), shared=_largest(train, weights.mean(axis=(0, 1)), most))


def _nearest_liked(model: Any, history: Histories, items: Sequence[int], user: int, most: int) -> Explanations:
    basis = "cosine of the item's vector with those of the history's items: the nearest of them"
    vectors, own = model.item_vectors(), np.unique(history.items)
    unit = vectors[own] / np.maximum(np.linalg.norm(vectors[own], axis=1, keepdims=True), 1e-12)
    cosines = [unit @ vectors[item] / max(float(np.linalg.norm(vectors[item])), 1e-12) for item in items]
    return Explanations(basis, [_largest(own, cosine, most) for cosine in cosines])


def _largest(items: np.ndarray, values: np.ndarray, most: int) -> ItemExplanation:
    """The items of the largest values above 0."""
    order = np.argsort(-values, kind="stable")[:most]
    return ItemExplanation([(int(items[place]), float(values[place])) for place in order if values[place] > 0])


def basis_alone(basis: str, items: Sequence[int]) -> Explanations:
    """For a list in which nothing speaks for one item more than for another."""
    return Explanations(basis, [ItemExplanation() for _ in items])


def by_popularity(listeners: np.ndarray, items: Sequence[int]) -> Explanations:
    """For the popular list that stands in where a model scores all items the same."""
    shares = listeners / max(float(listeners.max(initial=0)), 1) - 1
    each = [ItemExplanation(parts=[(BY_POPULARITY, float(shares[item]))]) for item in items]
    return Explanations("the model knows nothing of this history, so the popular list", each)


def leave_one_out(model: Recommender, history: Histories, items: Sequence[int], user: int, most: int) -> Explanations:
    """Occlusion: how much an item's score falls when one item of the history is left out.

    Of a listwise network, the fall of the logarithm of the item's share among the best COMPARED.
    """
    of_lists = model.name == "hybrid_listnet"
    what = "the log of its probability among the best 100" if of_lists else "its score"
    basis = f"how much {what} falls when one item of the history is left out (occlusion)"
    left_out = history.items[np.argsort(-history.weights, kind="stable")[:OCCLUDED]]
    scores = occluded_scores(model, history, left_out, user)
    if of_lists:
        best = np.argsort(-scores[0], kind="stable")[:COMPARED]
        scores = scores - np.logaddexp.reduce(scores[:, best], axis=1, keepdims=True)
    falls = scores[:1] - scores[1:]
    return Explanations(basis, [_largest(left_out, falls[:, item], most) for item in items])


def occluded_scores(model: Recommender, history: Histories, left_out: np.ndarray, user: int) -> np.ndarray:
    """Scores with the whole history, then without each of some items, float64 (1 + len(left_out), n_items)."""
    copies = history.take(np.zeros(1 + len(left_out), np.int64))
    shorter = copies.keep(copies.items != np.concatenate([[-1], left_out])[copies.rows])
    return scores_of(model, shorter, user).astype(np.float64)


def scores_of(model: Recommender, histories: Histories, user: int = -1) -> np.ndarray:
    """Scores of histories that differ from the one in the train view; with the code of a known user also what else is
    known of this user, where the model makes use of it. float32 (len(histories), n_items)."""
    if user >= 0:
        from common.models.two_stage.base import TwoStageRecommender

        if isinstance(model, TwoStageRecommender):
            return model.score_query(Query(np.full(len(histories), user), histories))
    return model.fold_in(histories)


MIXED = "the share of each part in the score, and what each item of the history adds to it through the parts"
BASIS = {
    "content_knn": "what adds up to the score: similarity in sound to each item of the history",
    "tag_knn": "what adds up to the score: similarity in tags to each item of the history",
    "item_knn": "what adds up to the score: listeners in common with each item of the history",
    "user_knn": "votes of the most similar people who have it, shared among the items in common with them",
    "hybrid_knn": MIXED,
    "als": "what each item of the history adds to the predicted preference (Hu et al. 2008, section 5)",
    "ials": "what each item of the history adds to the predicted preference (Hu et al. 2008, section 5)",
    "ease": "what each item of the history adds to the score, its weight in B (Steck 2019)",
    "kernel_ridge": "what each item of the history adds to the score: its weight times the derivative by it (Euler)",
    "graph_filter": "what each item of the history adds to the score, by way of the filter (Shen et al. 2021)",
    "ensemble": MIXED,
    "forest": "features that move the score most on the way down the trees (Saabas 2014)",
}
"""What the numbers are, of the models that explain themselves."""
IN_SHARES = ("hybrid_knn", "ensemble")
"""Models whose parts are shown as shares of the score."""
OTHERWISE: dict[str, Callable[..., Explanations]] = {
    "random": _random,
    "popularity": _popular,
    "trending": _popular,
    "sasrec": _attended,
    "two_tower": _nearest_liked,
}
"""How other models are explained, where it is not by occlusion."""
_OF_PARTS = "{}, each in units of its largest"
SIMILARITY: dict[str, str] = {
    "random": "chance alone; this model knows no similarity",
    "popularity": "how many listen to it; this model knows no similarity",
    "trending": "how many listen to it of late; this model knows no similarity",
    "content_knn": "cosine of standardised audio features",
    "tag_knn": "cosine of tags, rare ones weighing more (TF-IDF)",
    "user_knn": "listeners in common, as the cosine of who has them",
    "item_knn": "listeners in common, as a cosine that trusts few of them less",
    "hybrid_knn": _OF_PARTS.format("similarity by listeners, tags and sound, weighed as in the lists"),
    "als": "cosine of the items' factors, which were learned from who listens to what",
    "ials": "cosine of the items' factors, which were learned from who listens to what and from tags",
    "ease": "what a listener of the one says for the other, its weight in B (Steck 2019)",
    "kernel_ridge": "how it scores for somebody who has this item alone",
    "ensemble": _OF_PARTS.format("similarity by als, tags and sound, weighed as for long histories"),
    "graph_filter": "what a listener of the one says for the other, by way of the filter (Shen et al. 2021)",
    "sasrec": "cosine of the items' vectors, which were learned from sequences",
    "two_tower": "cosine of the items' vectors, which were learned from who listens to what and from content",
    "lightgcn": "cosine of the items' vectors, averaged over the graph of who listens to what",
    "rank_fusion": _OF_PARTS.format("similarity by the models whose ranks are fused, weighed as in the lists"),
}
"""What `similar` of each model goes by; of models over candidates see `similarity`."""


def similarity(model: Recommender) -> str:
    """What a model's similarity of items is, in a sentence."""
    of_sources = _OF_PARTS.format("similarity by als, by listeners and by tags, all with the same say")
    return SIMILARITY.get(model.name, of_sources) + _weighed(model, of_history=False)
