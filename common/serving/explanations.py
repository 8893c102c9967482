"""Why a list is what it is, for every model, and what each reason is based on.

`reasons` gives a list's reasons in one form, whatever the model can honestly say: what the items of the history add,
what the parts or features of the model add, or what it looked at. Nothing is made up where a model cannot say: then
its list is asked for again without each item of the history, and what that takes away is the reason.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from common.models.base import Recommender
from common.models.explanation import Explanation
from common.models.knn.content_knn import ContentSimilarityKNN
from common.models.two_stage.base import TwoStageRecommender
from common.models.two_stage.feature_names import meaning
from common.splits.histories import Histories, Query

OCCLUDED = 60
"""Items of a history at most that are left out in turn, those of largest weight."""
COMPARED = 100
"""Items of the list among which a network's preference for one of them is measured."""
BY_POPULARITY = "popularity"
"""The only part of an item that nothing in the history speaks for."""
CHEAP = (
    *("random", "popularity", "trending", "content_knn", "tag_knn", "user_knn", "item_knn"),
    *("als", "ease", "ensemble", "sasrec", "two_tower"),
)
"""Models whose reasons take a few milliseconds, so that they stand beside every list."""


@dataclass(frozen=True)
class ItemReasons:
    """Reasons for one item: codes of the history's items and named parts, each with a number, strongest first."""

    items: list[tuple[int, float]] = field(default_factory=list)
    parts: list[tuple[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Explanations:
    """Reasons for a list: `basis` says in a sentence what the numbers are, `each` has one entry per item of the list.

    `shared` holds what is true of the whole list and not of one item more than of another.
    """

    basis: str
    each: list[ItemReasons]
    shared: ItemReasons = field(default_factory=ItemReasons)
    in_shares: bool = False
    """Whether parts are shares of the score and sum to 1."""
    terms: dict[str, str] = field(default_factory=dict)
    """What parts are, where their names alone do not say it."""


def reasons(
    model: Recommender, history: Histories, items: Sequence[int], user: int = -1, most: int = 3
) -> Explanations:
    """Why a model lists these items for one history (of length 1); `user` is the code of a known user.

    At most `most` items of the history and `most` parts for each.
    """
    explain = EXPLAINERS.get(model.name, leave_one_out)
    return explain(model, history, [int(item) for item in items], user, most)


def _from(explanations: Sequence[Explanation], most: int) -> list[ItemReasons]:
    """The history's items that add something, and the parts that move the score."""
    return [
        ItemReasons([(item, by) for item, by in why.strongest(most) if by > 0], why.strongest_parts(most))
        for why in explanations
    ]


def _in_shares(explanations: Sequence[Explanation], most: int) -> list[ItemReasons]:
    """The same with the parts as shares of what speaks for the item."""
    each = []
    for why, told in zip(explanations, _from(explanations, most), strict=True):
        speaking = [(name, by) for name, by in why.strongest_parts(len(why.parts)) if by > 0]
        total = sum(by for _, by in speaking)
        each.append(ItemReasons(told.items, [(name, by / total) for name, by in speaking]))
    return each


def _by_history(said: str) -> Callable[..., Explanations]:
    """For models whose score is a sum over the history."""

    def explain(model: Any, history: Histories, items: Sequence[int], user: int, most: int) -> Explanations:
        basis = said + _weighed(model)
        explained = model.explain_list(history, items, user)
        if model.name == "hybrid_knn":
            return Explanations(basis, _in_shares(explained, most), in_shares=True)
        return Explanations(basis, [_of_a_sum(why) for why in _from(explained, most)])

    return explain


def _of_a_sum(why: ItemReasons) -> ItemReasons:
    """The items of the history; where none speaks for it, that popularity alone does, or nothing."""
    return (
        ItemReasons(why.items)
        if why.items
        else ItemReasons(parts=[part for part in why.parts if part[0] == BY_POPULARITY])
    )


def _weighed(model: Any, of_history: bool = True) -> str:
    """What a likeness of items is multiplied by, as the model's settings say."""
    plays = of_history and getattr(model.settings, "history", "") == "log"
    lean = model.settings.popularity if isinstance(model, ContentSimilarityKNN) else 0
    times = ["log(1 + plays)"] * plays + [f"the item's own listeners to the power {lean:.3g}"] * (lean > 0)
    return f", times {' and '.join(times)}" if times else ""


def _at_once(basis: str) -> Callable[..., Explanations]:
    """For models that explain a whole list at once."""

    def explain(model: Any, history: Histories, items: Sequence[int], user: int, most: int) -> Explanations:
        explained = model.explain_list(history, items, user)
        if isinstance(model, TwoStageRecommender):
            each = _from(explained, most)
            names = dict.fromkeys(name for why in each for name, _ in why.parts)
            return Explanations(basis, each, terms={name: meaning(name) for name in names if meaning(name)})
        return Explanations(basis, _in_shares(explained, most), in_shares=True)

    return explain


def _popular(model: Any, history: Histories, items: Sequence[int], user: int, most: int) -> Explanations:
    name, fading = "listeners", ""
    if model.name == "trending":
        name, fading = "listeners of late", f", each for half as much after {model.settings.half_life_days:g} days"
    basis = f"how many listen to it{fading}; the same for everybody, whatever the history"
    return Explanations(basis, [ItemReasons(parts=[(name, float(model.popularity[item]))]) for item in items])


def _random(model: Any, history: Histories, items: Sequence[int], user: int, most: int) -> Explanations:
    return Explanations("chance alone; nothing speaks for any of them", [ItemReasons() for _ in items])


def _attended(model: Any, history: Histories, items: Sequence[int], user: int, most: int) -> Explanations:
    basis = (
        "attention of the last event, mean over layers and heads: what the model looked at before it foretold"
        " the whole list, not why one item of it comes before another"
    )
    if not len(history.items):
        return Explanations("no history to look at, so the popular list", [ItemReasons() for _ in items])
    train, weights = model.attention(history)
    share = weights.mean(axis=(0, 1))
    order = np.argsort(-share, kind="stable")[:most]
    return Explanations(
        basis,
        [ItemReasons() for _ in items],
        ItemReasons([(int(train[place]), float(share[place])) for place in order]),
    )


def _nearest_liked(model: Any, history: Histories, items: Sequence[int], user: int, most: int) -> Explanations:
    basis = "cosine of the item's vector with those of the history's items: the nearest of them"
    vectors, own = model.item_vectors(), np.unique(history.items)
    unit = vectors[own] / np.maximum(np.linalg.norm(vectors[own], axis=1, keepdims=True), 1e-12)
    each = []
    for item in items:
        cosine = unit @ vectors[item] / max(float(np.linalg.norm(vectors[item])), 1e-12)
        nearest = np.argsort(-cosine, kind="stable")[:most]
        each.append(ItemReasons([(int(own[place]), float(cosine[place])) for place in nearest if cosine[place] > 0]))
    return Explanations(basis, each)


def by_popularity(listeners: np.ndarray, items: Sequence[int]) -> Explanations:
    """For a list by popularity, of a model that finds all items alike for a history."""
    shares = listeners / max(float(listeners.max(initial=0)), 1) - 1
    each = [ItemReasons(parts=[(BY_POPULARITY, float(shares[item]))]) for item in items]
    return Explanations("the model knows nothing of this history, so the popular list", each)


def leave_one_out(model: Recommender, history: Histories, items: Sequence[int], user: int, most: int) -> Explanations:
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
        each.append(
            ItemReasons([(int(left_out[row]), float(falls[row, item])) for row in order if falls[row, item] > 0])
        )
    return Explanations(basis, each)


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
    if user >= 0 and isinstance(model, TwoStageRecommender):
        return model.score_query(Query(np.full(len(histories), user), histories))
    return model.fold_in(histories)


MIXED = "the share of each part in the score, and what each item of the history adds to it through the parts"
EXPLAINERS: dict[str, Callable[..., Explanations]] = {
    "random": _random,
    "popularity": _popular,
    "trending": _popular,
    "content_knn": _by_history("what adds up to the score: likeness in sound to each item of the history"),
    "tag_knn": _by_history("what adds up to the score: likeness in tags to each item of the history"),
    "item_knn": _by_history("what adds up to the score: listeners in common with each item of the history"),
    "user_knn": _by_history("votes of the most similar people who have it, shared among the items in common with them"),
    "hybrid_knn": _by_history(MIXED),
    "als": _by_history("what each item of the history adds to the predicted preference (Hu et al. 2008, section 5)"),
    "ease": _by_history("what each item of the history adds to the score, its weight in B (Steck 2019)"),
    "ensemble": _at_once(MIXED),
    "forest": _at_once("features that move the score most on the way down the trees (Saabas 2014)"),
    "sasrec": _attended,
    "two_tower": _nearest_liked,
}
_OF_PARTS = "{}, each in units of its largest"
SIMILARITY: dict[str, str] = {
    "random": "chance alone; this model knows no likeness",
    "popularity": "how many listen to it; this model knows no likeness",
    "trending": "how many listen to it of late; this model knows no likeness",
    "content_knn": "cosine of standardised audio features",
    "tag_knn": "cosine of tags, rare ones weighing more (TF-IDF)",
    "user_knn": "listeners in common, as the cosine of who has them",
    "item_knn": "listeners in common, as a cosine that trusts few of them less",
    "hybrid_knn": _OF_PARTS.format("likeness by listeners, tags and sound, weighed as in the lists"),
    "als": "cosine of the items' factors, which were learned from who listens to what",
    "ease": "what a listener of the one says for the other, its weight in B (Steck 2019)",
    "ensemble": _OF_PARTS.format("likeness by als, tags and sound, weighed as for long histories"),
    "sasrec": "cosine of the items' vectors, which were learned from sequences",
    "two_tower": "cosine of the items' vectors, which were learned from who listens to what and from content",
}
"""What `similar` of each model goes by; of models over candidates see `likeness`."""


def similarity(model: Recommender) -> str:
    """What makes items alike to a model, in a sentence."""
    of_sources = _OF_PARTS.format("likeness by als, by listeners and by tags, all with the same say")
    return SIMILARITY.get(model.name, of_sources) + _weighed(model, of_history=False)
