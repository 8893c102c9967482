"""Re-ranking: the candidates of any model put into another order, by more than how relevant they are.

    facts = item_facts(seen)
    rerank(items, scores, seen.histories.take(users), facts, Reranking(diversity=0.3, one_version=True), k=10)

A pipeline in three steps: filters leave candidates out; weights make one value of relevance, novelty and popularity;
a greedy choice fills one place after the other, in view of what stands above it, under caps and quotas.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from common.data.histories import Histories
from common.data.visible import Visible


@dataclass(frozen=True)
class Reranking:
    """What a list is to be besides relevant; by default nothing, and the order stays as it is."""

    diversity: float = 0.0
    """Share of unlikeness to the items above, 0 to 1 (MMR); the textbook's is 0.3."""
    space: str = "auto"
    """genre, tag or audio: where likeness is measured; auto: the first of tag, genre, audio that the data has."""
    calibration: float = 0.0
    """Share of nearness to the mix of the user's history, 0 to 1 (Steck's lambda)."""
    mix: str = "auto"
    """genre or tag: what the mix is made of; auto: the first of genre, tag that the data has."""
    novelty: float = 0.0
    """Weight of how few people have an item, -log2 of the share of users who do, scaled to 0..1."""
    unpopularity: float = 0.0
    """Weight that takes away from popular items, by listeners over those of the most popular item."""
    per_artist: int = 0
    """At most so many items of one artist; 0 sets no cap."""
    per_genre: int = 0
    """At most so many items of one genre; 0 sets no cap."""
    balance: bool = False
    """Places go to genres in proportion to their shares of the user's history."""
    no_explicit: bool = False
    """Leave out items with the explicit flag."""
    one_version: bool = False
    """Of the versions of one work (group_id) keep the best alone."""
    recent_items: int = 0
    """Leave out the works of the last so many items of the history; 0 leaves in."""
    recent_days: float = 0.0
    """Leave out the works heard within so many days of the newest event; 0 leaves in."""


@dataclass(frozen=True)
class ItemFacts:
    """What re-ranking knows of the items. Codes are those of the visible data; None where the data lacks it.

    counts: visible listeners, int (n_items,); n_users: visible users; places: fixed hash order of ties, int (n_items,);
    groups: work of each item, int (n_items,); vectors: space -> unit rows (n_items, dimensions);
    genres, artists: multi-hot (n_items, values); explicit: bool (n_items,); now: the newest event in seconds.
    """

    counts: np.ndarray
    n_users: int
    places: np.ndarray
    groups: np.ndarray
    vectors: dict[str, sparse.csr_array]
    genres: sparse.csr_array | None
    artists: sparse.csr_array | None
    explicit: np.ndarray | None
    now: int | None


def item_facts(seen: Visible) -> ItemFacts:
    """The facts of what a phase shows; made once for any number of calls."""
    raise NotImplementedError


def rerank(
    items: np.ndarray,
    scores: np.ndarray,
    histories: Histories | Sequence[Sequence[int]],
    facts: ItemFacts,
    settings: Reranking,
    k: int = 20,
) -> tuple[np.ndarray, np.ndarray]:
    """The best k of each user's candidates: items int32 (users, k), -1 padded, and their own scores, NaN padded.

    items: item codes int (users, candidates), -1 where a list is shorter; scores: relevance, alike, higher is better.
    One user alone may be given as one row (candidates,) with a single history; the answer is then one row too.
    Fewer than k come back where filters or caps leave fewer.
    Raises UserError for settings out of range, or that ask for what the data lacks.
    """
    raise NotImplementedError
