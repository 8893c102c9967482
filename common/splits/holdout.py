"""What is held out: the pairs that a model is to find. Only `common/evaluation` imports this file."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from common.data.ids import codes_of, sorted_ids
from common.splits.cross_fitting import scheme_of
from common.splits.histories import Histories
from common.splits.mapped.split import MappedSplit
from common.splits.mapped.targets import targets_of
from common.splits.negatives import MOST_PAIRS, NOT_DRAWN
from common.splits.protocols import N_GIVEN
from common.splits.request_time import hour_of_week
from common.splits.split import Split
from common.splits.train_view import TrainView


@dataclass(frozen=True)
class Holdout:
    """The valid or the test part. Row r means the r-th evaluated user (with some of their items given, for newcomers).

    part: "valid" or "test", which models are scored on;
    users: object (rows,) ids; codes: int64 (rows,) user codes of the train view, -1 for users that it lacks;
    given: Histories of what is known of each row's user, masked in the lists; n_given: int64 (rows,), how many
    items are given of each row's newcomer, or None;
    target_rows, target_items: int64 (targets,), sorted by row; target_weights: float32 (targets,), their plays;
    negatives: int32 (targets, 99), -1 as padding, NOT_DRAWN throughout for a target that got none because there are so
    many; masked: whether what is given is left out of the lists; repeats: what will be played next, known items
    included, of data that keep repeats: a holdout of its own, not masked, or None; shown: what models may know of what
    is given, where they are fitted on train alone and valid is masked besides, else None; hours: int64 (rows,), the
    hour of the week of each row's first held-out event, at which the list is asked for, or None where that is unknown.
    """

    part: str
    users: np.ndarray
    codes: np.ndarray
    given: Histories
    n_given: np.ndarray | None
    target_rows: np.ndarray
    target_items: np.ndarray
    negatives: np.ndarray
    target_weights: np.ndarray | None = None
    masked: bool = True
    repeats: "Holdout | None" = None
    shown: Histories | None = None
    hours: np.ndarray | None = None

    @property
    def known(self) -> Histories:
        """What a model may know of each row's user: what is given, without what is masked only."""
        return self.given if self.shown is None else self.shown


def make_holdout(split: Split, train: TrainView) -> Holdout:
    """What is held out of `split` for models that are fitted on `train`: valid in phase select, test in final."""
    name = "valid" if train.phase == "select" else "test"
    if isinstance(split, MappedSplit):
        repeats = _of_matrices(split, train, name, with_repeats=True) if split.files.repeats else None
        return replace(_of_matrices(split, train, name), repeats=repeats)
    part = split.parts()[name]
    items = pd.Index(train.items["item_id"])
    users = sorted_ids(part["user_id"])
    codes = pd.Index(train.users["user_id"]).get_indexer(users)
    target_rows, target_items = codes_of(part["user_id"], pd.Index(users)), codes_of(part["item_id"], items)
    order = np.lexsort((target_items, target_rows))
    target_rows, target_items = target_rows[order], target_items[order]
    weights = part["weight"].to_numpy(np.float32)[order]
    negatives = _negatives(split.negatives99, users, items, target_rows, target_items)
    if len(split.valid) + len(split.test) > MOST_PAIRS:
        negatives[(negatives < 0).all(axis=1)] = NOT_DRAWN
    if split.given is None:
        given = train.histories.take(codes)
        shown = None if split.fits_valid or name == "valid" else given
        given = given if shown is None else _with_pairs(given, split.valid, users, items)
        found = (users, codes, given, None, target_rows, target_items, negatives, weights)
        return Holdout(name, *found, shown=shown, hours=_hours(part, users, train.protocol))
    n, times = len(users), len(N_GIVEN)
    n_given, everybody = np.repeat(N_GIVEN, n), np.tile(np.arange(n), times)
    return Holdout(
        part=name,
        users=users[everybody],
        codes=codes[everybody],
        given=_given_histories(split.given, users, items).take(everybody).first(n_given),
        n_given=n_given,
        target_rows=(target_rows + n * np.arange(times)[:, None]).ravel(),
        target_items=np.tile(target_items, times),
        negatives=np.tile(negatives, (times, 1)),
        target_weights=np.tile(weights, times),
    )


def _of_matrices(split: MappedSplit, train: TrainView, part: str, with_repeats: bool = False) -> Holdout:
    """What is held out of a folder of matrix form for the users who are evaluated."""
    found = targets_of(split, part, with_repeats)
    codes = pd.Index(train.users["user_id"]).get_indexer(found.users)
    return Holdout(
        part=part,
        users=found.users,
        codes=codes,
        given=train.histories.take(codes),
        n_given=None,
        target_rows=found.rows,
        target_items=found.items,
        negatives=found.negatives,
        target_weights=found.weights,
        masked=not with_repeats,
    )


def _hours(part: pd.DataFrame, users: np.ndarray, protocol: str) -> np.ndarray | None:
    """The hour of the week of each user's first event; None without times, and where what is held out has no order."""
    if "timestamp" not in part or scheme_of(protocol) != "last":
        return None
    first = part.astype({"user_id": object}).groupby("user_id")["timestamp"].min()
    return hour_of_week(first.loc[users].to_numpy())


def _with_pairs(given: Histories, pairs: pd.DataFrame, users: np.ndarray, items: pd.Index) -> Histories:
    """Histories (users,) and, behind them, the pairs of these users, which weigh 0; without times."""
    rows, codes = codes_of(pairs["user_id"], pd.Index(users)), codes_of(pairs["item_id"], items)
    rows, codes = np.append(given.rows, rows[rows >= 0]), np.append(given.items, codes[rows >= 0])
    weights = np.append(given.weights, np.zeros(len(rows) - len(given.items), np.float32))
    return Histories.from_events(rows, codes, weights, len(users), len(items))


def _given_histories(given: pd.DataFrame, users: np.ndarray, items: pd.Index) -> Histories:
    """All that may be given of each user, by position."""
    given = given[given["user_id"].isin(users)].sort_values("position")
    rows, codes = codes_of(given["user_id"], pd.Index(users)), codes_of(given["item_id"], items)
    times = given["timestamp"].to_numpy() if "timestamp" in given else None
    return Histories.from_events(rows, codes, given["weight"].to_numpy(), len(users), len(items), times)


def _negatives(
    table: pd.DataFrame, users: np.ndarray, items: pd.Index, target_rows: np.ndarray, target_items: np.ndarray
) -> np.ndarray:
    """Negatives of each target, int32 (targets, 99), -1 where the table has fewer."""
    rows, target_keys = codes_of(table["user_id"], pd.Index(users)), target_rows * len(items) + target_items
    keys = rows * len(items) + codes_of(table["item_id"], items)
    place = np.minimum(np.searchsorted(target_keys, keys), len(target_keys) - 1)
    of_target = (rows >= 0) & (target_keys[place] == keys)
    place, negatives = place[of_target], codes_of(table["negative_id"], items)[of_target]
    column = pd.Series(place).groupby(place).cumcount().to_numpy()
    result = np.full((len(target_keys), column.max(initial=0) + 1), -1, np.int32)
    result[place, column] = negatives
    return result
