"""What the parts of a split give away: pairs in two parts, events from the future, order that follows ids.

Every check returns a finding with a severity: `ok`, `look` (legitimate, but a reader of the figures has to know it) or
`leak` (a model or an evaluation is told what it is asked for).
"""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd

from common.data.sources.custom.folder import NEGATIVES as NEGATIVES_TABLE
from common.evaluation.leakage.findings import LEAK, LOOK, OK, Finding, Parts, finding
from common.evaluation.sensitivity.variants import id_places
from common.splits.negatives import NEGATIVES

TIED_SHARE = 0.05
"""Share of neighbouring events with the same date above which order is a matter of the file."""
FOLLOWS = 0.3
"""Spearman's rho from which an order follows another, either way."""
FEWEST = 10
"""Below so many values a correlation says nothing."""


def check_parts(split: Parts) -> list[Finding]:
    """Every check that the parts alone allow."""
    found = [*shared_pairs(split), *repeated(split), *unknown(split)]
    if split.protocol == "newcomer":
        found.append(newcomers_in_train(split))
    if split.has_times:
        found += [*future(split), *ties(split)]
    return [*found, *order_of_ids(split), *wrong_negatives(split)]


def shared_pairs(split: Parts) -> list[Finding]:
    """Pairs that stand in two parts, and events (same time, too) that do."""
    found = []
    for one, other in combinations(split.parts, 2):
        asked = split.joined(other)
        both = np.isin(split.keys(asked), split.keys(split.parts[one]))
        advice = (
            f"what is in {one} is known before {other} is asked for, so it is found by looking it up, or masked and "
            f"never found: take the pair out of one of the two"
        )
        found.append(finding(f"pairs in {one} and {other}", LEAK, both, split.where(asked), advice))
    return found


def repeated(split: Parts) -> list[Finding]:
    """Rows that repeat a pair, or a pair and its time, inside a part."""
    rows = split.joined(*split.parts)
    rows = rows.assign(part=rows.index.get_level_values(0), key=split.keys(rows))
    where, pairs = split.where(rows), rows.duplicated(["part", "key"]).to_numpy()
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
    test, rest = split.joined("test"), split.joined("train", "valid", "given")
    advice = (
        "no model that learns from listeners can find them; report them separately, and do not take them out of test "
        "silently"
    )
    items = ~np.isin(test["item"], rest["item"])
    found = [finding("test rows of items only test knows", LOOK, items, split.where(test), advice)]
    advice = "nothing is known of these users, so they get one list for all; report them separately"
    users = ~np.isin(test["user"], rest["user"])
    return [*found, finding("test rows of users only test knows", LOOK, users, split.where(test), advice)]


def newcomers_in_train(split: Parts) -> Finding:
    """Held-out newcomers who are in train."""
    asked = split.joined("valid", "test")
    known = np.isin(asked["user"], split.parts["train"]["user"])
    advice = "a newcomer whom training has seen is none: take all rows of that user out of train"
    return finding("newcomers who are in train", LEAK, known, split.where(asked), advice)


def future(split: Parts) -> list[Finding]:
    """Known events later than what the same user, or anybody, is asked for."""
    by_time = split.protocol in ("next", "next-shuffled", "temporal")
    found = []
    for asked, known in (("valid", ["train"]), ("test", ["train", "valid"])):
        if asked not in split.parts or split.protocol == "newcomer":
            continue
        events, first = split.joined(*known), split.parts[asked].groupby("user")["time"].min()
        later = (events["time"] > events["user"].map(first)).to_numpy()
        advice = (
            f"the model is told what the user did after {asked}: cut each user's events in time"
            if by_time
            else "a random hold-out mixes past and future: fine for 'what else', no ground for 'what comes next'"
        )
        name = f"known events after the user's own {asked}"
        found.append(finding(name, LEAK if by_time else LOOK, later, split.where(events), advice))
    if by_time:
        events = split.joined("train", "valid")
        later = (events["time"] > split.parts["test"]["time"].min()).to_numpy()
        advice = (
            "a cut in time has to leave nothing later than test's first event: cut all events at one date"
            if split.protocol == "temporal"
            else "other users' later events tell what becomes popular; a cut at one date (temporal) rules that out"
        )
        severity = LEAK if split.protocol == "temporal" else LOOK
        found.append(finding("known events after test begins", severity, later, split.where(events), advice))
    return found


def ties(split: Parts) -> list[Finding]:
    """Neighbouring events of one user with the same date, and users whose held-out event shares its date."""
    events = split.joined("train", "given", "valid", "test").sort_values(["user", "time"], kind="stable")
    neighbours = (events["user"] == events["user"].shift()).to_numpy()
    same = neighbours & (events["time"] == events["time"].shift()).to_numpy()
    in_order = split.protocol in ("next", "next-shuffled", "temporal")
    severity = LOOK if in_order and same.sum() > TIED_SHARE * max(1, neighbours.sum()) else OK
    advice = "dates are too coarse to say what came first: say which order a sequence has inside a date"
    tied = finding("neighbouring events of one date", severity, same, split.where(events), advice)
    found = [replace(tied, of=int(neighbours.sum()))]
    if split.protocol in ("next", "next-shuffled"):
        found.append(_held_out_by_file_order(split))
    return found


def _held_out_by_file_order(split: Parts) -> Finding:
    """Users whose test event has the date of another event of theirs: which of them is last, only the file says."""
    test = split.joined("test")
    dates, known = (pd.MultiIndex.from_frame(of[["user", "time"]]) for of in (test, split.joined("train", "valid")))
    tied, chance = dates.isin(known), split.protocol == "next-shuffled"
    advice = (
        "which event of the last date is held out was drawn by chance, as it should be where dates tie"
        if chance
        else "the order of rows in the file decides which event is held out: draw it by chance, as next-shuffled does"
    )
    severity = OK if chance or tied.mean() <= TIED_SHARE else LOOK
    return finding("held-out events that share their date", severity, tied, split.where(test), advice)


def order_of_ids(split: Parts) -> list[Finding]:
    """Whether raw ids, or the order of a user's rows, follow popularity or time: then ties broken by them leak."""
    known = split.joined("train", "valid", "given")
    by_item = known.groupby("item")
    counts = by_item.size()
    ids = split.item_ids[counts.index]
    hint = "equal scores ordered by id help a model that cannot decide: break ties by a hash of the id, as Encore does"
    found = [_rho("item ids against popularity", follows(ids, counts.to_numpy()), hint)]
    if "time" in known:
        found.append(_rho("item ids against time", follows(ids, by_item["time"].min().to_numpy()), hint))
    rho = follows(place_within(known["user"].to_numpy()), counts[known["item"]].to_numpy())
    hint = "a user's rows are sorted by popularity, so whoever takes them for a sequence learns the chart: shuffle them"
    return [*found, _rho("rows of a user against popularity", rho, hint)]


def follows(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rho of two columns, ids (object) by their raw order; NaN below FEWEST values or if one is constant.

    >>> follows(np.array([f"i{n}" for n in range(10, 22)], object), np.arange(12)[::-1])
    -1.0
    """
    from scipy.stats import spearmanr

    if first.dtype == object:
        first = id_places(first)
    if len(first) < FEWEST or (first == first[0]).all() or (second == second[0]).all():
        return float("nan")
    return round(float(spearmanr(first, second).statistic), 12)


def place_within(users: np.ndarray) -> np.ndarray:
    """Place of each row among the rows of its user, from 0 (first) to 1 (last), float64 (rows,); 0.5 for an only row.

    >>> place_within(np.array([7, 7, 8, 7]))
    array([0. , 0.5, 0.5, 1. ])
    """
    by_user = pd.Series(users).groupby(users)
    place, size = by_user.cumcount().to_numpy(), by_user.transform("size").to_numpy()
    return np.where(size > 1, place / np.maximum(size - 1, 1), 0.5)


def _rho(check: str, rho: float, advice: str) -> Finding:
    severity = LOOK if abs(rho) >= FOLLOWS else OK
    return Finding(check, severity, 0, 0, "", advice, 0.0 if np.isnan(rho) else rho)


def wrong_negatives(split: Parts) -> list[Finding]:
    """Sampled negatives that the user has, and lists that are not 99 different items; nothing where there are none."""
    rows = split.negatives
    if rows is None:
        return []
    owned = np.concatenate([split.keys(part) for part in split.parts.values()])
    pairs = rows[["user", "negative"]].set_axis(["user", "item"], axis=1)
    positive = np.isin(split.keys(pairs), owned) & (pairs >= 0).all(axis=1)
    advice = "a positive among the negatives counts against the model that finds it: draw outside all the user has"
    where = split.places[NEGATIVES_TABLE]
    found = [finding("negatives that are positives", LEAK, positive, where, advice)]
    again = rows.duplicated().to_numpy()
    advice = "a negative that stands twice in one list makes it shorter than it says: draw without replacement"
    found.append(finding("negatives repeated in their list", LOOK, again, where, advice))
    lists = rows[~again].groupby(["user", "item"]).size()
    unlike = int((lists != NEGATIVES).sum())
    advice = "figures of lists of another length than 99 compare with no others: say how long the lists are"
    severity = LOOK if unlike else OK
    return [*found, Finding(f"lists not of {NEGATIVES} negatives", severity, unlike, len(lists), "", advice)]
