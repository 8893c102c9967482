"""Cross-fitting: visible pairs held out fold by fold, so that a ranker can learn from scores of models that lack them.

A ranker that saw how well a source knows its own training pairs would trust it too much. So the sources are fitted
again without the pairs of a fold, in every table, and the ranker learns to find these. What is held out looks like
what the protocol hides:

| protocol | scheme | fold f of n holds out | asked |
|---|---|---|---|
| `listen` | pairs | every n-th of each user's pairs, in random order | these pairs |
| `next`, `next-shuffled`, `temporal` | last | the last f events of each user | the first of these |
| `newcomer` | people | every n-th user, of whom a random rung of items is given | the rest of their items |
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from common.splits.histories import Histories, Query
from common.splits.protocols import N_GIVEN
from common.splits.train_view import TrainView

FOLDS = 5


@dataclass(frozen=True)
class Fold:
    """What is left of the visible data, who is asked, and what was held out of each of them.

    rows int64, items int32, log_weights float32, wanted bool, all (pairs,): the held-out pairs of the asked, sorted by
    row, then item; one that is not wanted is held out and not asked for (events after the next one).
    """

    train: TrainView
    asked: Query
    rows: np.ndarray
    items: np.ndarray
    log_weights: np.ndarray
    wanted: np.ndarray


def scheme_of(protocol: str) -> str:
    """The scheme that imitates what a protocol hides.

    >>> scheme_of("listen-s3"), scheme_of("next-shuffled"), scheme_of("newcomer")
    ('pairs', 'last', 'people')
    """
    if protocol.startswith(("next", "temporal")):
        return "last"
    return "people" if protocol.startswith("newcomer") else "pairs"


def folds(train: TrainView, seed: int, n: int = FOLDS) -> Iterator[Fold]:
    """The n folds of the module's table; people of whom nothing would be left are not asked."""
    rng = np.random.default_rng([seed, n])
    scheme = scheme_of(train.protocol)
    owner = np.repeat(np.arange(train.n_users), train.histories.lengths)
    if scheme == "people":
        of_user = rng.permutation(train.n_users) % n
        place = _random_places(owner, rng)
        n_given = rng.choice(N_GIVEN, train.n_users)
        for fold in range(n):
            yield _people(train, of_user[owner] == fold, place < n_given[owner])
        return
    if scheme == "pairs":
        shift = rng.integers(0, n, train.n_users)
        fold_of = (_random_places(owner, rng) + shift[owner]) % n
        for fold in range(n):
            yield _pairs(train, fold_of == fold, fold_of == fold)
        return
    from_end = np.repeat(train.histories.indptr[1:], train.histories.lengths) - 1 - np.arange(len(owner))
    for fold in range(n):
        yield _pairs(train, from_end <= fold, from_end == fold)


def without(train: TrainView, gone: np.ndarray) -> TrainView:
    """The visible data without some of its interactions, bool (interactions,), in the order of `seen.histories`.

    Their tag assignments go too, and what these add to the tags of the items. Codes stay what they were.
    """
    history = train.histories
    owner = np.repeat(np.arange(train.n_users), history.lengths)
    keys = owner[gone] * train.n_items + history.items[gone]
    changed: dict[str, Any] = {}
    rows = train.interactions
    changed["interactions"] = rows[~np.isin(_keys(rows, train.n_items), keys)].reset_index(drop=True)
    if train.user_item_tags is not None and train.item_tags is not None:
        hidden = np.isin(_keys(train.user_item_tags, train.n_items), keys)
        changed |= _without_assignments(train.user_item_tags, hidden, train.item_tags)
    return dataclasses.replace(train, **changed)


def _without_assignments(rows: pd.DataFrame, hidden: np.ndarray, tags: pd.DataFrame) -> dict[str, Any]:
    """Tag assignments without the hidden ones, and the items' tags without what these gave them."""
    removed = rows[hidden].groupby(["item", "tag"], observed=True).size().rename("removed").reset_index()
    left = tags.merge(removed, on=["item", "tag"], how="left")
    left["weight"] -= left.pop("removed").fillna(0)
    left = left[left["weight"] > 1e-9].reset_index(drop=True)
    return {"user_item_tags": rows[~hidden].reset_index(drop=True), "item_tags": left}


def _keys(rows: pd.DataFrame, n_items: int) -> np.ndarray:
    return rows["user"].to_numpy(np.int64) * n_items + rows["item"].to_numpy(np.int64)


def _random_places(owner: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Place 0, 1, ... of each event in a random order of its user's events."""
    order = np.lexsort((rng.random(len(owner)), owner))
    places = np.empty(len(owner), np.int64)
    starts = np.searchsorted(owner, owner)  # owners are sorted, and stay so in `order`
    places[order] = np.arange(len(owner)) - starts
    return places


def _pairs(train: TrainView, gone: np.ndarray, wanted: np.ndarray) -> Fold:
    """Known people are asked for some of the pairs that are gone."""
    left = without(train, gone)
    people = np.flatnonzero(left.histories.lengths > 0)
    return _fold(train, left, Query(people, left.histories.take(people)), gone, wanted)


def _people(train: TrainView, gone: np.ndarray, given: np.ndarray) -> Fold:
    """People who are gone altogether, friendships and tags included, come back with some of their items."""
    left, history = without(train, gone), train.histories
    owner = np.repeat(np.arange(train.n_users), history.lengths)
    people = np.unique(owner[gone])
    known = gone & given
    times = None if history.timestamps is None else history.timestamps[known]
    events = (owner[known], history.items[known], history.weights[known])
    kept = Histories.from_events(*events, train.n_users, train.n_items, times).take(people)
    if left.social is not None:
        strangers = left.social["user"].isin(people) | left.social["friend"].isin(people)
        left = dataclasses.replace(left, social=left.social[~strangers].reset_index(drop=True))
    if left.user_item_tags is not None and left.item_tags is not None:
        theirs = left.user_item_tags["user"].isin(people).to_numpy()
        left = dataclasses.replace(left, **_without_assignments(left.user_item_tags, theirs, left.item_tags))
    asked = Query(np.full(len(people), -1), kept)
    return _fold(train, left, asked, gone & ~given, gone & ~given, people)


def _fold(
    train: TrainView,
    left: TrainView,
    asked: Query,
    gone: np.ndarray,
    wanted: np.ndarray,
    people: np.ndarray | None = None,
) -> Fold:
    people = asked.users if people is None else people
    owner = np.repeat(np.arange(train.n_users), train.histories.lengths)
    held = np.flatnonzero(gone & np.isin(owner, people))
    held = held[np.lexsort((train.histories.items[held], owner[held]))]
    return Fold(
        train=left,
        asked=asked,
        rows=np.searchsorted(people, owner[held]),
        items=train.histories.items[held],
        log_weights=np.log1p(train.histories.weights[held]),
        wanted=wanted[held],
    )
