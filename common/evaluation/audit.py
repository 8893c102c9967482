"""What the parts of a split give away: pairs in two parts, events from the future, order that follows ids.

Every check returns a finding with a severity: `ok`, `look` (legitimate, but a reader of the figures has to know it) or
`leak` (a model or a judge is told what it is asked for).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from common.data.ids import codes_of, sorted_ids
from common.data.negatives import NEGATIVES
from common.evaluation.audit_order import follows, place_within

OK, LOOK, LEAK = "ok", "look", "leak"
KNOWN, ASKED = ("train", "given"), ("valid", "test")
TIED_SHARE = 0.05
"""Share of neighbouring events with the same date above which order is a matter of the file."""
FOLLOWS = 0.3
"""Spearman's rho from which an order follows another, either way."""
Where = Callable[[int], str]


@dataclass(frozen=True)
class Finding:
    """One check. `count` of `of` rows (or users) are touched, or `value` was measured; `example` says where the first
    one stands; `advice` is one sentence on what it means and what to do."""

    check: str
    severity: str
    count: int
    of: int
    example: str = ""
    advice: str = ""
    value: float | None = None

    @property
    def found(self) -> str:
        """What was found, in words."""
        return f"{self.count:,} of {self.of:,}" if self.value is None else f"{self.value:+.2f}"


@dataclass(frozen=True)
class Part:
    """Rows of a part in file order: codes int64 (rows,) of user and item; time in seconds int64 (rows,) or None."""

    user: np.ndarray
    item: np.ndarray
    time: np.ndarray | None
    where: Where

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.user)


@dataclass(frozen=True)
class Parts:
    """A split to look into. negatives: user, item, negative as int64 codes (rows, 3), -1 for an unknown id."""

    protocol: str
    parts: dict[str, Part]
    item_ids: np.ndarray
    n_users: int
    negatives: np.ndarray | None = None
    negatives_where: Where = str

    def keys(self, part: Part) -> np.ndarray:
        """One number per (user, item) pair, int64 (rows,)."""
        return part.user * len(self.item_ids) + part.item

    @property
    def has_times(self) -> bool:
        """Whether every part has times."""
        return all(part.time is not None for part in self.parts.values())

    def joined(self, names: tuple[str, ...]) -> Part:
        """Some parts one below the other, those that are there; `where` names the part, too."""
        there = [self.parts[name] for name in names if name in self.parts]
        ends = np.cumsum([len(part) for part in there])

        def where(row: int) -> str:
            place = int(np.searchsorted(ends, row, side="right"))
            return there[place].where(row - int(ends[place]) + len(there[place]))

        times = [part.time for part in there if part.time is not None]
        return Part(
            np.concatenate([part.user for part in there]),
            np.concatenate([part.item for part in there]),
            np.concatenate(times) if len(times) == len(there) else None,
            where,
        )


def make_parts(
    protocol: str,
    frames: Mapping[str, tuple[pd.DataFrame, Where]],
    negatives: tuple[pd.DataFrame, Where] | None = None,
) -> Parts:
    """`Parts` from tables with user_id, item_id and perhaps timestamp; of negatives user_id, negative_id and item_id,
    which may be left out where each user has one row in test."""
    users = np.unique(np.concatenate([sorted_ids(frame["user_id"]) for frame, _ in frames.values()]))
    items = np.unique(np.concatenate([sorted_ids(frame["item_id"]) for frame, _ in frames.values()]))
    user_index, item_index = pd.Index(users), pd.Index(items)
    parts = {
        name: Part(
            codes_of(frame["user_id"], user_index),
            codes_of(frame["item_id"], item_index),
            frame["timestamp"].to_numpy() if "timestamp" in frame else None,
            where,
        )
        for name, (frame, where) in frames.items()
    }
    if negatives is None:
        return Parts(protocol, parts, items, len(users))
    table, where = negatives
    user = codes_of(table["user_id"], user_index)
    hidden = np.full(len(users), -1)
    hidden[parts["test"].user] = parts["test"].item
    item = codes_of(table["item_id"], item_index) if "item_id" in table else np.where(user >= 0, hidden[user], -1)
    rows = np.stack([user, item, codes_of(table["negative_id"], item_index)], axis=1)
    return Parts(protocol, parts, items, len(users), rows, where)


def audit_parts(split: Parts) -> list[Finding]:
    """Every check that the parts alone allow."""
    found = [*shared_pairs(split), *repeated(split), *unknown(split)]
    if split.protocol == "newcomer":
        found.append(newcomers_in_train(split))
    if split.has_times:
        found += [*future(split), *ties(split)]
    found += order_of_ids(split)
    return found if split.negatives is None else [*found, *wrong_negatives(split)]


def shared_pairs(split: Parts) -> list[Finding]:
    """Pairs that stand in two parts, and events (same time, too) that do."""
    found = []
    for one, other in combinations(split.parts, 2):
        asked = split.parts[other]
        both = np.isin(split.keys(asked), split.keys(split.parts[one]))
        advice = (
            f"what is in {one} is known before {other} is asked for, so it is found by looking it up, or masked and "
            f"never found: take the pair out of one of the two"
        )
        found.append(finding(f"pairs in {one} and {other}", LEAK, both, asked.where, advice))
    return found


def repeated(split: Parts) -> list[Finding]:
    """Rows that repeat a pair, or a pair and its time, inside a part."""
    frames = []
    for place, part in enumerate(split.parts.values()):
        time = np.zeros(len(part), np.int64) if part.time is None else part.time
        frames.append(pd.DataFrame({"part": place, "key": split.keys(part), "time": time}))
    rows, where = pd.concat(frames), split.joined(tuple(split.parts)).where
    pairs = rows.duplicated(["part", "key"]).to_numpy()
    advice = "a repeated pair counts twice in training or among the hidden: add its rows up before splitting"
    found = [finding("repeated pairs in a part", LOOK, pairs, where, advice)]
    if split.has_times:
        same = rows.duplicated(["part", "key", "time"]).to_numpy()
        advice = "the same event was written more than once: drop the copies"
        found.append(finding("repeated events in a part", LOOK, same, where, advice))
        across = rows.duplicated(["key", "time"]).to_numpy() & ~same
        advice = "a copy of a hidden event is known: drop copies before splitting, not after"
        found.append(finding("events copied to another part", LEAK, across, where, advice))
    return found


def unknown(split: Parts) -> list[Finding]:
    """Hidden rows of test whose item, or whose user, nothing else names."""
    test, rest = split.parts["test"], split.joined(("train", "valid", "given"))
    items, users = ~np.isin(test.item, rest.item), ~np.isin(test.user, rest.user)
    advice = (
        "no model that learns from listeners can find them; report them apart, and do not take them out of test "
        "silently"
    )
    found = [finding("test rows of items only test knows", LOOK, items, test.where, advice)]
    advice = "nothing is known of these people, so they get one list for all; report them apart"
    return [*found, finding("test rows of users only test knows", LOOK, users, test.where, advice)]


def newcomers_in_train(split: Parts) -> Finding:
    """Hidden newcomers who are in train."""
    asked = split.joined(ASKED)
    known = np.isin(asked.user, split.parts["train"].user)
    advice = "a newcomer whom training has seen is none: take all rows of that user out of train"
    return finding("newcomers who are in train", LEAK, known, asked.where, advice)


def future(split: Parts) -> list[Finding]:
    """Known events later than what the same user, or anybody, is asked for."""
    by_time = split.protocol in ("next", "next-shuffled", "temporal")
    found = []
    for asked, known in (("valid", ("train",)), ("test", ("train", "valid"))):
        if asked not in split.parts or split.protocol == "newcomer":
            continue
        first = np.full(split.n_users, np.iinfo(np.int64).max)
        np.minimum.at(first, split.parts[asked].user, times_of(split.parts[asked]))
        events = split.joined(known)
        later = times_of(events) > first[events.user]
        advice = (
            f"the model is told what the user did after {asked}: cut each user's events in time"
            if by_time
            else "a random hold-out mixes past and future: fine for 'what else', no ground for 'what comes next'"
        )
        name = f"known events after the user's own {asked}"
        found.append(finding(name, LEAK if by_time else LOOK, later, events.where, advice))
    if by_time:
        events = split.joined(("train", "valid"))
        later = times_of(events) > times_of(split.parts["test"]).min()
        advice = (
            "a cut in time has to leave nothing later than test's first event: cut all events at one date"
            if split.protocol == "temporal"
            else "other people's later events tell what becomes popular; a cut at one date (temporal) rules that out"
        )
        severity = LEAK if split.protocol == "temporal" else LOOK
        found.append(finding("known events after test begins", severity, later, events.where, advice))
    return found


def ties(split: Parts) -> list[Finding]:
    """Neighbouring events of one user with the same date, and users whose hidden event shares its date."""
    events = split.joined(("train", "given", "valid", "test"))
    time = times_of(events)
    order = np.lexsort((np.arange(len(events)), time, events.user))
    neighbours = events.user[order][1:] == events.user[order][:-1]
    same = neighbours & (time[order][1:] == time[order][:-1])
    in_order = split.protocol in ("next", "next-shuffled", "temporal")
    severity = LOOK if in_order and same.sum() > TIED_SHARE * max(1, neighbours.sum()) else OK
    advice = "dates are too coarse to say what came first: say which order a sequence has inside a date"
    name = "neighbouring events of one date"
    example = events.where(int(order[1:][same][0])) if same.any() else ""
    found = [Finding(name, severity, int(same.sum()), int(neighbours.sum()), example, advice)]
    if split.protocol in ("next", "next-shuffled"):
        found.append(_hidden_by_file_order(split))
    return found


def _hidden_by_file_order(split: Parts) -> Finding:
    """Users whose test event has the date of another event of theirs: which of them is last, only the file says."""
    test, known = split.parts["test"], split.joined(("train", "valid"))
    dates = pd.MultiIndex.from_arrays([known.user, times_of(known)])
    tied = pd.MultiIndex.from_arrays([test.user, times_of(test)]).isin(dates)
    chance = split.protocol == "next-shuffled"
    advice = (
        "which event of the last date is hidden was drawn by chance, as it should be where dates tie"
        if chance
        else "the order of rows in the file decides which event is hidden: compare with next-shuffled, which draws it"
    )
    severity = OK if chance or tied.mean() <= TIED_SHARE else LOOK
    return finding("hidden events that share their date", severity, tied, test.where, advice)


def order_of_ids(split: Parts) -> list[Finding]:
    """Whether raw ids, or the order of a user's rows, follow popularity or time: then ties broken by them leak."""
    known, n_items = split.joined(("train", "valid", "given")), len(split.item_ids)
    counts = np.bincount(known.item, minlength=n_items)
    heard = counts > 0
    advice = (
        "equal scores ordered by {} help a model that cannot decide: break ties by a hash of the id, as Encore does"
    )
    found = [_rho("item ids against popularity", follows(split.item_ids[heard], counts[heard]), advice.format("id"))]
    place = place_within(known.user)
    told = "a user's rows are sorted by popularity, so whoever takes them for a sequence learns the chart: shuffle them"
    found.append(_rho("rows of a user against popularity", follows(place, counts[known.item]), told))
    if known.time is not None:
        first = np.full(n_items, np.iinfo(np.int64).max)
        np.minimum.at(first, known.item, known.time)
        found.insert(
            1, _rho("item ids against time", follows(split.item_ids[heard], first[heard]), advice.format("id"))
        )
    return found


def _rho(check: str, rho: float, advice: str) -> Finding:
    severity = LOOK if abs(rho) >= FOLLOWS else OK
    return Finding(check, severity, 0, 0, "", advice, 0.0 if np.isnan(rho) else rho)


def wrong_negatives(split: Parts) -> list[Finding]:
    """Sampled negatives that the user has, and lists that are not 99 different items."""
    rows = split.negatives if split.negatives is not None else np.empty((0, 3), np.int64)
    n_items = len(split.item_ids)
    owned = np.concatenate([split.keys(part) for part in split.parts.values()])
    positive = np.isin(rows[:, 0] * n_items + rows[:, 2], owned) & (rows[:, [0, 2]] >= 0).all(axis=1)
    advice = "a positive among the negatives counts against the model that finds it: draw outside all the user has"
    where = split.negatives_where
    found = [finding("negatives that are positives", LEAK, positive, where, advice)]
    again = pd.DataFrame(rows).duplicated().to_numpy()
    advice = "a negative that stands twice in one list makes it shorter than it says: draw without replacement"
    found.append(finding("negatives repeated in their list", LOOK, again, where, advice))
    lists = pd.DataFrame(rows[~again]).groupby([0, 1]).size()
    unlike = int((lists != NEGATIVES).sum())
    advice = "figures of lists of another length than 99 compare with no others: say how long the lists are"
    return [
        *found,
        Finding(f"lists not of {NEGATIVES} negatives", LOOK if unlike else OK, unlike, len(lists), "", advice),
    ]


def finding(check: str, severity: str, bad: np.ndarray, where: Where, advice: str) -> Finding:
    """A finding from marks of the touched rows: `ok` where none is."""
    touched = np.flatnonzero(bad)
    if not len(touched):
        return Finding(check, OK, 0, len(bad), "", advice)
    return Finding(check, severity, len(touched), len(bad), where(int(touched[0])), advice)


def times_of(part: Part) -> np.ndarray:
    """Times of a part that has them."""
    if part.time is None:
        raise ValueError("this part has no times")
    return part.time
