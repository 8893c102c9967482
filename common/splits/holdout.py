"""What is held out: the pairs that a model is to find. Only `common/evaluation` imports this file."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from common.data.ids import codes_of, sorted_ids
from common.splits.histories import Histories
from common.splits.negatives import MOST_PAIRS, NOT_DRAWN
from common.splits.protocols import N_GIVEN
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
    many.
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


def make_holdout(split: Split, train: TrainView) -> Holdout:
    """What is held out of `split` for models that are fitted on `train`: valid in phase select, test in final."""
    name = "valid" if train.phase == "select" else "test"
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
        given = _histories_of(train.histories, codes)
        return Holdout(name, users, codes, given, None, target_rows, target_items, negatives, weights)
    everything = _given_histories(split.given, users, items)
    n, n_given = len(users), np.array(N_GIVEN)
    return Holdout(
        part=name,
        users=np.tile(users, len(n_given)),
        codes=np.tile(codes, len(n_given)),
        given=stack_histories([everything.first(number) for number in N_GIVEN]),
        n_given=np.repeat(n_given, n),
        target_rows=(target_rows + n * np.arange(len(n_given))[:, None]).ravel(),
        target_items=np.tile(target_items, len(n_given)),
        negatives=np.tile(negatives, (len(n_given), 1)),
        target_weights=np.tile(weights, len(n_given)),
    )


def _histories_of(known: Histories, codes: np.ndarray) -> Histories:
    """Histories by user code, empty for -1."""
    lengths = np.where(codes >= 0, known.lengths[codes], 0)
    found = known.take(codes[codes >= 0])
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Histories(indptr, found.items, found.weights, found.n_items, found.timestamps)


def _given_histories(given: pd.DataFrame, users: np.ndarray, items: pd.Index) -> Histories:
    rows = pd.Index(users).get_indexer(given["user_id"])
    given, rows = given[rows >= 0], rows[rows >= 0]
    order = np.lexsort((given["position"].to_numpy(), rows))
    given, rows = given.iloc[order], rows[order]
    times = given["timestamp"].to_numpy() if "timestamp" in given else None
    codes = codes_of(given["item_id"], items)
    return Histories.from_events(rows, codes, given["weight"].to_numpy(), len(users), len(items), times)


def stack_histories(histories: list[Histories]) -> Histories:
    """Histories of several sets of users, one below the other."""
    times = [h.timestamps for h in histories if h.timestamps is not None]
    lengths = np.concatenate([h.lengths for h in histories])
    return Histories(
        indptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        items=np.concatenate([h.items for h in histories]),
        weights=np.concatenate([h.weights for h in histories]),
        n_items=histories[0].n_items,
        timestamps=np.concatenate(times) if times else None,
    )


def _negatives(
    table: pd.DataFrame, users: np.ndarray, items: pd.Index, target_rows: np.ndarray, target_items: np.ndarray
) -> np.ndarray:
    """Negatives of each target, int32 (targets, 99), -1 where the table has fewer."""
    rows = codes_of(table["user_id"], pd.Index(users))
    known = rows >= 0
    keys = rows[known] * len(items) + codes_of(table["item_id"], items)[known]
    target_keys = target_rows * len(items) + target_items
    place = np.searchsorted(target_keys, keys)
    place = np.minimum(place, len(target_keys) - 1)
    of_target = target_keys[place] == keys
    place, negatives = place[of_target], codes_of(table["negative_id"], items)[known][of_target]
    order = np.argsort(place, kind="stable")
    place, negatives = place[order], negatives[order]
    start = np.concatenate([[0], np.cumsum(np.bincount(place, minlength=len(target_keys)))])
    width = int(np.diff(start).max(initial=1))
    result = np.full((len(target_keys), width), -1, np.int32)
    result[place, np.arange(len(place)) - start[place]] = negatives
    return result
