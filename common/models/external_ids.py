"""From ids and names to the codes that models compute with, and from top lists of codes back to tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from common.splits.histories import Histories, Query
from common.splits.train_view import TrainView
from common.utils.errors import UserError, short

NamedHistories = Histories | Sequence[Sequence[str] | Mapping[str, float]]
"""Histories as users give them: of each a list of item ids or names, or such ids or names with plays."""

FEWEST_PLAYS, MOST_PLAYS = 1e-30, 1e30
"""What the weights of a history and their sums can hold."""


def checked_view(train: Any) -> TrainView:
    """The train view itself; a UserError for anything else."""
    if not isinstance(train, TrainView):
        raise UserError(f"train: {type(train).__name__} is no train view; give task.train or task.train_valid")
    return train


def to_query(
    train: TrainView, users: Sequence[str] | None, histories: NamedHistories | None
) -> tuple[np.ndarray, Query]:
    """Ids, object (n,), and codes and histories: of known users (None: all), or of new ones, numbered from 0.

    Raises a UserError for an unknown id or name, for users and histories together, and for what `to_histories` refuses.
    """
    if users is not None and histories is not None:
        raise UserError("recommend takes users or histories, not both; call it once for each")
    if histories is None:
        known = train.users["user_id"].to_numpy(object)
        chosen = (
            known if users is None else listed("users", users, f"give a list of ids, such as users=[{short(users)}]")
        )
        codes = np.array([train.user_code(user) for user in chosen], np.int64)
        return known[codes], Query(codes, train.histories.take(codes))
    new = to_histories(train, histories)
    ids = np.array([str(row) for row in range(len(new))], object)
    return ids, Query(np.full(len(new), -1), new)


def to_histories(train: TrainView, histories: NamedHistories) -> Histories:
    """Histories of codes; every weight is 1 where no plays are given.

    A list may be any iterable of ids and names, such as an array or the values of a Series; a mapping has plays.
    Raises a UserError for an unknown id or name, for plays that are not finite or not above 0, and for one history in
    place of a list of them.
    """
    if isinstance(histories, Histories):
        return histories
    remedy = "give a list of histories, each a list of item ids or names"
    rows = listed("histories", histories, remedy)
    rows = [row if isinstance(row, Mapping) else listed("histories", row, remedy) for row in rows]
    coded = Histories.from_lists([[train.item_code(item) for item in row] for row in rows], train.n_items)
    weights = [_plays(row, item) for row in rows for item in row]
    return replace(coded, weights=np.array(weights, np.float32))


def _plays(history: Sequence[str] | Mapping[str, float], item: str) -> float:
    plays = history[item] if isinstance(history, Mapping) else 1.0
    return checked_plays(f"plays of {short(item)}", plays)


def checked_plays(what: str, plays: Any) -> float:
    """Plays as a number; a UserError, `what` first, for what is none or out of bounds."""
    if not isinstance(plays, Real) or isinstance(plays, bool) or not FEWEST_PLAYS <= plays <= MOST_PLAYS:  # type: ignore[operator]
        bounds = f"from {FEWEST_PLAYS:g} to {MOST_PLAYS:g}"
        raise UserError(f"{what} = {short(plays)}: give a finite number above 0, {bounds}")
    return float(plays)


def listed(argument: str, values: Any, remedy: str) -> list[Any]:
    """The elements of a list, tuple, array, Series or other iterable; a UserError for a lone value, a text, a mapping
    or a table, over which a loop would go without a complaint."""
    one = isinstance(values, str | bytes | Mapping | pd.DataFrame) or not isinstance(values, Iterable)
    if one or (isinstance(values, np.ndarray) and not values.ndim):
        raise UserError(f"{argument} = {short(values)}: {remedy}")
    return list(values)


def item_table(train: TrainView, ids: np.ndarray, items: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    """Top lists, codes and scores (rows, k), -1 where one ends, as a table: user_id, rank, item_id, [name], score."""
    rows, places = np.nonzero(items >= 0)
    codes = items[rows, places]
    columns = {"user_id": ids[rows], "rank": (places + 1).astype(np.int32)}
    columns["item_id"] = train.items["item_id"].to_numpy(object)[codes]
    if "name" in train.items:
        columns["name"] = train.names.to_numpy(object)[codes]
    return pd.DataFrame(columns | {"score": scores[rows, places].astype(np.float32)})
