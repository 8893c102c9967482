"""Cross-fitting: training pairs held out fold by fold, so that a ranker learns from scores of models that lack them.

A ranker that is trained on a model's scores for that model's own training pairs would trust them too much. So the
candidate models are fitted again without the pairs of a fold, in every table, and the ranker learns to find these.
What a fold holds out looks like what the protocol holds out:

| protocol | scheme | fold f of n holds out | labels |
|---|---|---|---|
| `listen` | pairs | every n-th of each user's pairs, in random order | these pairs |
| `next`, `next-shuffled`, `temporal` | last | the last f events of each user | the first of these |
| `newcomer` | users | every n-th user, of whom a random n_given of items is given | the rest of their items |
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd

from common.splits.histories import Query
from common.splits.mapped.visible import StoredInteractions
from common.splits.protocols import N_GIVEN
from common.splits.request_time import hour_of_week
from common.splits.train_view import TrainView
from common.utils.arrays import random_places

FOLDS = 5


@dataclass(frozen=True)
class Fold:
    """The train view without the fold's pairs, the users to rank for, and the pairs held out of each of them.

    rows int64, items int32, log_weights float32, labels bool, all (pairs,): the held-out pairs of the query's rows,
    sorted by row, then item; label False: held out, and not to be found (events after the next one).
    """

    train: TrainView
    query: Query
    rows: np.ndarray
    items: np.ndarray
    log_weights: np.ndarray
    labels: np.ndarray


def scheme_of(protocol: str) -> str:
    """The scheme that imitates what a protocol holds out.

    >>> scheme_of("listen-s3"), scheme_of("next-shuffled"), scheme_of("newcomer")
    ('pairs', 'last', 'users')
    """
    if protocol.startswith(("next", "temporal")):
        return "last"
    return "users" if protocol.startswith("newcomer") else "pairs"


def folds(train: TrainView, seed: int, n: int = FOLDS) -> Iterator[Fold]:
    """The n folds of the module's table; users of whom nothing would be left are not in the query."""
    rng = np.random.default_rng([seed, n])
    scheme = scheme_of(train.protocol)
    if scheme == "last":
        gone = np.zeros(len(train.histories.items), bool)
        for fold in range(n):
            labels = train.histories.has_after(fold)
            gone |= labels
            yield _fold_of_pairs(train, gone, labels, _hours(train, labels))
        return
    owner = train.histories.rows
    if scheme == "users":
        of_user = rng.permutation(train.n_users) % n
        place = random_places(owner, rng)
        n_given = rng.choice(N_GIVEN, train.n_users)
        for fold in range(n):
            yield _fold_of_users(train, of_user[owner] == fold, place < n_given[owner])
        return
    shift = rng.integers(0, n, train.n_users)
    place = (random_places(owner, rng) + shift[owner]) % n
    for fold in range(n):
        yield _fold_of_pairs(train, place == fold, place == fold)


def without(train: TrainView, gone: np.ndarray) -> TrainView:
    """The train view without some of its interactions, bool (interactions,), in the order of `train.histories`.

    Their tag assignments go too, and what these add to the tags of the items. Codes stay what they were. Of data of
    matrix form the arrays of what is left are held in memory, and no table is made.
    """
    if train.stored is not None:
        left = train.stored.keep(~gone)
        return dataclasses.replace(train, stored=left, interactions=cast(pd.DataFrame, StoredInteractions(left)))
    keys = train.histories.rows[gone] * train.n_items + train.histories.items[gone]
    rows = train.interactions[~np.isin(_keys(train.interactions, train.n_items), keys)]
    changed: dict[str, Any] = {"interactions": rows.reset_index(drop=True)}
    if train.user_item_tags is not None and train.item_tags is not None:
        gone_tags = np.isin(_keys(train.user_item_tags, train.n_items), keys)
        changed |= _without_assignments(train.user_item_tags, gone_tags, train.item_tags)
    return dataclasses.replace(train, **changed)


def _without_assignments(rows: pd.DataFrame, gone: np.ndarray, tags: pd.DataFrame) -> dict[str, Any]:
    """Tag assignments without those that are gone, and the items' tags without what these added."""
    removed = rows[gone].groupby(["item", "tag"], observed=True).size().rename("removed").reset_index()
    left = tags.merge(removed, on=["item", "tag"], how="left")
    left["weight"] -= left.pop("removed").fillna(0)
    left = left[left["weight"] > 1e-9].reset_index(drop=True)
    return {"user_item_tags": rows[~gone].reset_index(drop=True), "item_tags": left}


def _keys(rows: pd.DataFrame, n_items: int) -> np.ndarray:
    return rows["user"].to_numpy(np.int64) * n_items + rows["item"].to_numpy(np.int64)


def _hours(train: TrainView, labels: np.ndarray) -> np.ndarray | None:
    """The hour of the week of each user's one labelled event, int64 (users,), 0 without one; None without times."""
    if train.histories.timestamps is None:
        return None
    hours, events = np.zeros(train.n_users, np.int64), np.flatnonzero(labels)
    hours[train.histories.owners(events)] = hour_of_week(train.histories.timestamps[events])
    return hours


def _fold_of_pairs(train: TrainView, gone: np.ndarray, labels: np.ndarray, hours: np.ndarray | None = None) -> Fold:
    """Known users, of whom some of the pairs that are gone are to be found."""
    left = without(train, gone)
    users = np.flatnonzero(left.histories.lengths > 0)
    query = Query(users, left.histories.take(users), None if hours is None else hours[users])
    return _fold(train, left, query, users, gone, labels)


def _fold_of_users(train: TrainView, gone: np.ndarray, given: np.ndarray) -> Fold:
    """Users who are gone altogether, friendships and tags included, come back with some of their items."""
    left, users = without(train, gone), np.unique(train.histories.rows[gone])
    if left.social is not None:
        left_out = left.social["user"].isin(users) | left.social["friend"].isin(users)
        left = dataclasses.replace(left, social=left.social[~left_out].reset_index(drop=True))
    if left.user_item_tags is not None and left.item_tags is not None:
        theirs = left.user_item_tags["user"].isin(users).to_numpy()
        left = dataclasses.replace(left, **_without_assignments(left.user_item_tags, theirs, left.item_tags))
    query = Query(np.full(len(users), -1), train.histories.keep(gone & given).take(users))
    return _fold(train, left, query, users, gone & ~given, gone & ~given)


def _fold(
    train: TrainView, left: TrainView, query: Query, users: np.ndarray, gone: np.ndarray, labels: np.ndarray
) -> Fold:
    held = np.flatnonzero(gone)
    owner = train.histories.owners(held)
    among = np.isin(owner, users)
    held, owner = held[among], owner[among]
    order = np.lexsort((train.histories.items[held], owner))
    held, owner = held[order], owner[order]
    return Fold(
        train=left,
        query=query,
        rows=np.searchsorted(users, owner),
        items=train.histories.items[held],
        log_weights=np.log1p(train.histories.weights[held]),
        labels=labels[held],
    )
