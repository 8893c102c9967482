"""The protocols: which interactions a model is fitted on and which are held out.

Another protocol is one more function here that draws the parts, and a line at the end of `DRAW`. Its folder is named
after it; split seed s > 0 adds `-s<s>`. Rows keep the order that the protocol gives a history: event order in `next`,
`next-shuffled` and `temporal`, id order in `listen`, its variant and the random ones, where order means nothing.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from common.data.dataset import Dataset
from common.data.ids import PAIR, among_pairs, codes_of, sorted_ids, stack
from common.splits.negatives import draw_negatives
from common.splits.predefined import predefined_parts
from common.splits.split import Split
from common.utils.arrays import random_places
from common.utils.errors import UserError

Parts = dict[str, Any]
"""Tables train, valid and test, of newcomers also given; columns user_id, item_id, weight, [timestamp]."""
N_GIVEN = (0, 1, 2, 5, 10, 20)
"""Sizes of the nested sets of a new user's items that a model is given (the cold-start curve)."""
NEWCOMER_TARGETS = 10
"""Items of a new user that are held out."""
STRATA = 5
"""Groups of users by the number of their items, from each of which `listen-stratified` draws the same shares."""
FITTED_ON_TRAIN = ("random-811",)
"""Protocols under which test, too, is scored by models fitted on train alone: valid is masked, and not fitted."""


def draw_split(data: Dataset, protocol: str, seed: int = 0) -> Split:
    """Draw a protocol's split. The draw depends on the rows and the seed, not on the order of rows in a table."""
    rng = np.random.default_rng([seed, PROTOCOLS.index(protocol)])
    given = data.predefined
    parts = predefined_parts(given, data.name, protocol, rng) if given else DRAW[protocol](data, rng)
    for name in ("train", "valid", "test"):
        if not len(parts[name]):
            raise UserError(
                f"data set {data.name!r} is too small for protocol {protocol}: nothing is left for {name}; use another "
                "protocol or more data"
            )
    everything = stack([part[PAIR] for part in parts.values()])
    held_out = stack([parts["valid"][PAIR], parts["test"][PAIR]])
    negatives = given.get("negatives99")
    fits_valid = protocol not in FITTED_ON_TRAIN
    if negatives is None:
        return Split(**parts, negatives99=draw_negatives(everything, held_out, rng), fits_valid=fits_valid)
    drawn = draw_negatives(everything, held_out[~among_pairs(held_out, negatives)], rng)
    both = pd.concat([negatives, drawn], ignore_index=True)
    return Split(**parts, negatives99=both, fits_valid=fits_valid)


def _part(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[[c for c in [*PAIR, "weight", "timestamp"] if c in rows]].reset_index(drop=True)


def _user_codes(rows: pd.DataFrame) -> np.ndarray:
    return codes_of(rows["user_id"], pd.Index(sorted_ids(rows["user_id"])))


def _listen(data: Dataset, rng: np.random.Generator) -> Parts:
    """Random items of each user: max(1, n // 5) of n >= 5 are test, max(1, rest // 10) of the rest valid."""
    rows = data.tables.interactions.sort_values(PAIR, ignore_index=True)
    n = rows.groupby("user_id", observed=True)["item_id"].transform("size").to_numpy()
    n_test = np.where(n >= 5, np.maximum(1, n // 5), 0)
    n_valid = np.where(n >= 5, np.maximum(1, (n - n_test) // 10), 0)
    place = random_places(_user_codes(rows), rng)
    test, valid = place < n_test, (place >= n_test) & (place < n_test + n_valid)
    return {"train": _part(rows[~test & ~valid]), "valid": _part(rows[valid]), "test": _part(rows[test])}


def events_in_time(data: Dataset) -> pd.DataFrame:
    """Dated events, one per pair, users sorted, each user's events oldest first, ties in file order.

    Interactions where they have times; else (Last.fm-2K) each tagged pair, dated by its first row in the file,
    reduced to the iterated k-core: every user and every item keeps at least k events. An event weighs 1: plays are
    summed over all times, those after the event included. Raises UserError where nothing has a time.
    """
    tables = data.tables
    if "timestamp" in tables.interactions:
        events = tables.interactions
    elif tables.user_item_tags is not None and "timestamp" in tables.user_item_tags:
        events = tables.user_item_tags.drop_duplicates(PAIR)[[*PAIR, "timestamp"]].assign(weight=1.0)
        events = _core(events, data.next_core)
    else:
        raise UserError(
            f"data set {data.name!r} has no times{_why(data)}, so nothing is next in it; use --protocol listen"
        )
    return events.assign(weight=1.0).sort_values(["user_id", "timestamp"], kind="stable", ignore_index=True)


def _why(data: Dataset) -> str:
    """What became of times that were there, in brackets."""
    timeless = data.manifest["notes"].get("timeless")
    return f" ({timeless})" if timeless else ""


def _core(events: pd.DataFrame, k: int) -> pd.DataFrame:
    while True:
        per_user = events.groupby("user_id")["item_id"].transform("size")
        per_item = events.groupby("item_id")["user_id"].transform("size")
        keep = (per_user >= k) & (per_item >= k)
        if keep.all():
            return events
        events = events[keep]


def _next(data: Dataset, rng: np.random.Generator) -> Parts:
    """Leave one out in time order."""
    return _leave_one_out(events_in_time(data))


def _next_shuffled(data: Dataset, rng: np.random.Generator) -> Parts:
    """Leave one out with the events of a user and time in random order."""
    events = events_in_time(data).sort_values(PAIR, ignore_index=True)
    time = events["timestamp"].to_numpy()
    return _leave_one_out(events.iloc[np.lexsort((rng.random(len(events)), time, _user_codes(events)))])


def _leave_one_out(events: pd.DataFrame) -> Parts:
    """A user's last event is test, the one before valid; users of fewer than 3 events stay in train."""
    by_user = events.groupby("user_id", sort=False)["item_id"]
    from_end = by_user.cumcount(ascending=False).to_numpy()
    enough = by_user.transform("size").to_numpy() >= 3
    test, valid = enough & (from_end == 0), enough & (from_end == 1)
    return {"train": _part(events[~test & ~valid]), "valid": _part(events[valid]), "test": _part(events[test])}


def _newcomer(data: Dataset, rng: np.random.Generator) -> Parts:
    """10% of all users are new in valid, 10% in test, drawn from those with enough items for every n_given."""
    rows = data.tables.interactions.sort_values(PAIR, ignore_index=True)
    sizes = rows.groupby("user_id", observed=True)["item_id"].size()
    needed = NEWCOMER_TARGETS + max(N_GIVEN)
    eligible = sizes.index[sizes >= needed].to_numpy(dtype=object)
    count = max(1, len(sizes) // 10)
    if len(eligible) < 2 * count:
        raise UserError(
            f"protocol newcomer needs {2 * count} users of at least {needed} items and data set {data.name!r} has "
            f"{len(eligible)}; use --protocol listen"
        )
    drawn = rng.permutation(eligible)
    place = random_places(_user_codes(rows), rng)
    of_valid, of_test = rows["user_id"].isin(drawn[:count]), rows["user_id"].isin(drawn[count : 2 * count])
    target = place < NEWCOMER_TARGETS
    given = rows.assign(position=place - NEWCOMER_TARGETS)[(of_valid | of_test) & ~target]
    given = given.sort_values(["user_id", "position"], ignore_index=True)
    return {
        "train": _part(rows[~of_valid & ~of_test]),
        "valid": _part(rows[of_valid & target]),
        "test": _part(rows[of_test & target]),
        "given": _part(given).assign(position=given["position"].astype("int32")),
    }


def _temporal(data: Dataset, rng: np.random.Generator) -> Parts:
    """A global cut in time: the first 80% of events train, the next 10% valid, the rest test; an event weighs 1.

    Where the authors of the data fix the cut (`cut` in its notes), that one, of which the tables lack the gaps.
    """
    events = data.tables.interactions
    if "timestamp" not in events:
        raise UserError(
            f"data set {data.name!r} has no time of each interaction{_why(data)}; use --protocol listen or next"
        )
    if cut := data.manifest["notes"].get("cut"):
        valid_from, test_from = cut["valid_from"], cut["test_from"]
    else:
        times = np.sort(events["timestamp"].to_numpy())
        valid_from, test_from = times[int(0.8 * len(times))], times[int(0.9 * len(times))]
    events = events.assign(weight=1.0).sort_values(["user_id", "timestamp", "item_id"], ignore_index=True)
    test = (events["timestamp"] >= test_from).to_numpy()
    valid = (events["timestamp"] >= valid_from).to_numpy() & ~test
    return {"train": _part(events[~test & ~valid]), "valid": _part(events[valid]), "test": _part(events[test])}


def _random_8020(data: Dataset, rng: np.random.Generator) -> Parts:
    """A fifth of each user's items, rounded down, is test, as in much work on social recommendation; of all other pairs
    a tenth is valid, drawn whosever they are, and is fitted with them in the end."""
    rows = data.tables.interactions.sort_values(PAIR, ignore_index=True)
    n = rows.groupby("user_id", observed=True)["item_id"].transform("size").to_numpy()
    test = random_places(_user_codes(rows), rng) < n // 5
    rest = rng.permutation(np.flatnonzero(~test))
    return _drawn(rows, rest[: len(rest) // 10], np.flatnonzero(test))


def _random_811(data: Dataset, rng: np.random.Generator) -> Parts:
    """A tenth of all pairs is valid and another one test, drawn whosever they are: ratio 8:1:1, as in RecBole."""
    rows = data.tables.interactions.sort_values(PAIR, ignore_index=True)
    order, tenth = rng.permutation(len(rows)), len(rows) // 10
    return _drawn(rows, order[:tenth], order[tenth : 2 * tenth])


def _listen_stratified(data: Dataset, rng: np.random.Generator) -> Parts:
    """Of the pairs of each stratum of users a fifth is test and a tenth of the rest valid, both rounded down.

    A stratum is a fifth of all users by how many items they have, or more where many have as many. Within it pairs are
    drawn whosever they are, but for one of each user, drawn at random, which stays in train. So light and heavy users
    have the same share of the held-out pairs as of all pairs, and no user is left out for having few.
    """
    rows = data.tables.interactions.sort_values(PAIR, ignore_index=True)
    users = _user_codes(rows)
    n = np.bincount(users)
    least = np.unique(np.quantile(n, np.arange(1, STRATA) / STRATA, method="higher"))
    stratum = np.searchsorted(least, n, side="right")[users]
    rest = np.flatnonzero(random_places(users, rng) > 0)
    place = random_places(stratum[rest], rng)
    n_test = np.bincount(stratum, minlength=STRATA)[stratum[rest]] // 5
    n_valid = (np.bincount(stratum, minlength=STRATA)[stratum[rest]] - n_test) // 10
    return _drawn(rows, rest[(place >= n_test) & (place < n_test + n_valid)], rest[place < n_test])


def _drawn(rows: pd.DataFrame, valid: np.ndarray, test: np.ndarray) -> Parts:
    """The parts of rows whose places in valid and test are drawn; each keeps the order of the rows."""
    part = np.zeros(len(rows), np.int8)
    part[valid], part[test] = 1, 2
    return {name: _part(rows[part == number]) for number, name in enumerate(("train", "valid", "test"))}


DRAW: dict[str, Callable[[Dataset, np.random.Generator], Parts]] = {
    "listen": _listen,
    "next": _next,
    "next-shuffled": _next_shuffled,
    "newcomer": _newcomer,
    "temporal": _temporal,
    "random-8020": _random_8020,
    "random-811": _random_811,
    "listen-stratified": _listen_stratified,
}
"""How each protocol draws its parts. A place in this order is the protocol's stream of random numbers: append only."""
PROTOCOLS = tuple(DRAW)
