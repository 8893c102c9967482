"""What the parts of a split give away: pairs in two parts, events from the future, order that follows ids.

Every check returns a finding with a severity: `ok`, `look` (legitimate, but a reader of the figures has to know it) or
`leak` (a model or an evaluation is told what it is asked for).
"""

from itertools import combinations

import numpy as np
import pandas as pd

from common.evaluation.leakage.findings import LEAK, LOOK, OK, Finding, Parts, finding, times_of
from common.evaluation.leakage.order_checks import follows, place_within
from common.splits.negatives import NEGATIVES

HELD_OUT = ("valid", "test")
TIED_SHARE = 0.05
"""Share of neighbouring events with the same date above which order is a matter of the file."""
FOLLOWS = 0.3
"""Spearman's rho from which an order follows another, either way."""


def check_parts(split: Parts) -> list[Finding]:
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
    advice = "a repeated pair counts twice in training or among the held-out ones: add its rows up before splitting"
    found = [finding("repeated pairs in a part", LOOK, pairs, where, advice)]
    if split.has_times:
        same = rows.duplicated(["part", "key", "time"]).to_numpy()
        advice = "the same event was written more than once: drop the copies"
        found.append(finding("repeated events in a part", LOOK, same, where, advice))
        across = rows.duplicated(["key", "time"]).to_numpy() & ~same
        advice = "a copy of a held-out event is known: drop copies before splitting, not after"
        found.append(finding("events copied to another part", LEAK, across, where, advice))
    return found


def unknown(split: Parts) -> list[Finding]:
    """Rows of test whose item, or whose user, nothing else names."""
    test, rest = split.parts["test"], split.joined(("train", "valid", "given"))
    items, users = ~np.isin(test.item, rest.item), ~np.isin(test.user, rest.user)
    advice = (
        "no model that learns from listeners can find them; report them separately, and do not take them out of test "
        "silently"
    )
    found = [finding("test rows of items only test knows", LOOK, items, test.where, advice)]
    advice = "nothing is known of these users, so they get one list for all; report them separately"
    return [*found, finding("test rows of users only test knows", LOOK, users, test.where, advice)]


def newcomers_in_train(split: Parts) -> Finding:
    """Held-out newcomers who are in train."""
    asked = split.joined(HELD_OUT)
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
            else "other users' later events tell what becomes popular; a cut at one date (temporal) rules that out"
        )
        severity = LEAK if split.protocol == "temporal" else LOOK
        found.append(finding("known events after test begins", severity, later, events.where, advice))
    return found


def ties(split: Parts) -> list[Finding]:
    """Neighbouring events of one user with the same date, and users whose held-out event shares its date."""
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
        found.append(_held_out_by_file_order(split))
    return found


def _held_out_by_file_order(split: Parts) -> Finding:
    """Users whose test event has the date of another event of theirs: which of them is last, only the file says."""
    test, known = split.parts["test"], split.joined(("train", "valid"))
    dates = pd.MultiIndex.from_arrays([known.user, times_of(known)])
    tied = pd.MultiIndex.from_arrays([test.user, times_of(test)]).isin(dates)
    chance = split.protocol == "next-shuffled"
    advice = (
        "which event of the last date is held out was drawn by chance, as it should be where dates tie"
        if chance
        else "the order of rows in the file decides which event is held out: draw it by chance, as next-shuffled does"
    )
    severity = OK if chance or tied.mean() <= TIED_SHARE else LOOK
    return finding("held-out events that share their date", severity, tied, test.where, advice)


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
