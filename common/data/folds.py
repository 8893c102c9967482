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

from common.data.histories import Histories
from common.data.splits import RUNGS
from common.data.visible import Visible

FOLDS = 5


@dataclass(frozen=True)
class Asked:
    """People who are asked for: codes int64 (rows,), -1 for somebody unknown, and what is known of each."""

    users: np.ndarray
    given: Histories

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.users)

    def take(self, rows: np.ndarray) -> "Asked":
        """Some of the rows."""
        return Asked(self.users[rows], self.given.take(rows))


@dataclass(frozen=True)
class Fold:
    """What is left of the visible data, who is asked, and what was held out of each of them.

    rows int64, items int32, log_weights float32, wanted bool, all (pairs,): the held-out pairs of the asked, sorted by
    row, then item; one that is not wanted is held out and not asked for (events after the next one).
    """

    seen: Visible
    asked: Asked
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


def folds(seen: Visible, seed: int, n: int = FOLDS) -> Iterator[Fold]:
    """The n folds of the module's table; people of whom nothing would be left are not asked."""
    rng = np.random.default_rng([seed, n])
    scheme = scheme_of(seen.protocol)
    owner = np.repeat(np.arange(seen.n_users), seen.histories.lengths)
    if scheme == "people":
        of_user = rng.permutation(seen.n_users) % n
        place = _random_places(owner, rng)
        rungs = rng.choice(RUNGS, seen.n_users)
        for fold in range(n):
            yield _people(seen, of_user[owner] == fold, place < rungs[owner])
        return
    if scheme == "pairs":
        shift = rng.integers(0, n, seen.n_users)
        fold_of = (_random_places(owner, rng) + shift[owner]) % n
        for fold in range(n):
            yield _pairs(seen, fold_of == fold, fold_of == fold)
        return
    from_end = np.repeat(seen.histories.indptr[1:], seen.histories.lengths) - 1 - np.arange(len(owner))
    for fold in range(n):
        yield _pairs(seen, from_end <= fold, from_end == fold)


def without(seen: Visible, gone: np.ndarray) -> Visible:
    """The visible data without some of its interactions, bool (interactions,), in the order of `seen.histories`.

    Their tag assignments go too, and what these add to the tags of the items. Codes stay what they were.
    """
    history = seen.histories
    owner = np.repeat(np.arange(seen.n_users), history.lengths)
    keys = owner[gone] * seen.n_items + history.items[gone]
    changed: dict[str, Any] = {}
    rows = seen.interactions
    changed["interactions"] = rows[~np.isin(_keys(rows, seen.n_items), keys)].reset_index(drop=True)
    if seen.user_item_tags is not None and seen.item_tags is not None:
        hidden = np.isin(_keys(seen.user_item_tags, seen.n_items), keys)
        changed |= _without_assignments(seen.user_item_tags, hidden, seen.item_tags)
    return dataclasses.replace(seen, **changed)


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


def _pairs(seen: Visible, gone: np.ndarray, wanted: np.ndarray) -> Fold:
    """Known people are asked for some of the pairs that are gone."""
    left = without(seen, gone)
    people = np.flatnonzero(left.histories.lengths > 0)
    return _fold(seen, left, Asked(people, left.histories.take(people)), gone, wanted)


def _people(seen: Visible, gone: np.ndarray, given: np.ndarray) -> Fold:
    """People who are gone altogether, friendships and tags included, come back with some of their items."""
    left, history = without(seen, gone), seen.histories
    owner = np.repeat(np.arange(seen.n_users), history.lengths)
    people = np.unique(owner[gone])
    known = gone & given
    times = None if history.timestamps is None else history.timestamps[known]
    events = (owner[known], history.items[known], history.weights[known])
    kept = Histories.from_events(*events, seen.n_users, seen.n_items, times).take(people)
    if left.social is not None:
        strangers = left.social["user"].isin(people) | left.social["friend"].isin(people)
        left = dataclasses.replace(left, social=left.social[~strangers].reset_index(drop=True))
    if left.user_item_tags is not None and left.item_tags is not None:
        theirs = left.user_item_tags["user"].isin(people).to_numpy()
        left = dataclasses.replace(left, **_without_assignments(left.user_item_tags, theirs, left.item_tags))
    asked = Asked(np.full(len(people), -1), kept)
    return _fold(seen, left, asked, gone & ~given, gone & ~given, people)


def _fold(
    seen: Visible,
    left: Visible,
    asked: Asked,
    gone: np.ndarray,
    wanted: np.ndarray,
    people: np.ndarray | None = None,
) -> Fold:
    people = asked.users if people is None else people
    owner = np.repeat(np.arange(seen.n_users), seen.histories.lengths)
    held = np.flatnonzero(gone & np.isin(owner, people))
    held = held[np.lexsort((seen.histories.items[held], owner[held]))]
    return Fold(
        seen=left,
        asked=asked,
        rows=np.searchsorted(people, owner[held]),
        items=seen.histories.items[held],
        log_weights=np.log1p(seen.histories.weights[held]),
        wanted=wanted[held],
    )
