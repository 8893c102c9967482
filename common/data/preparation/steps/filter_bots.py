"""Step 8: users who are no persons are left out, and, if asked for, rare tracks and users with little to learn from.

All is decided on train events. What is left out vanishes from every part.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from common.data.preparation.settings import PreparationSettings
from common.data.preparation.workspace import Outcome, Workspace
from common.utils import memory
from common.utils.errors import UserError

if TYPE_CHECKING:
    import polars as pl

RULES = {
    "events_per_day": "more than --bot-events-per-day events on one day",
    "steady": "at least --bot-steady events, 95% of them at equal distances",
    "one_track": "one track played more than --bot-repeats times",
}
"""What makes a user a bot; one is counted by the first rule that holds."""
STEADY_SHARE = 0.95
DAY = 86_400


def filter_bots(work: Workspace) -> Outcome:
    """Write `left_out`: one row per user and per track, kind (`user` or `track`), code, rule.

    Rows in and out are events. Raises a UserError where nothing is left of train.
    """
    same = work.read("tracks")["same_as"].to_numpy()
    rules, events = _judged(work, same)
    tracks, thin = _support(work, rules > 0, same)
    lost = {rule: int(events[rules == number].sum()) for number, rule in enumerate(RULES, 1)}
    if tracks.any() or thin.any():
        lost["too_rare"] = sum(
            events_lost(found.select("user", "track").collect(), rules > 0, tracks, thin, same)
            for _, found in work.buckets("events")
        )
    write_left_out(work, rules, thin, tracks)
    counts = int(np.count_nonzero(rules)), int(thin.sum()), int(tracks.sum())
    return told(int(events.sum()), lost, *counts)


def told(rows: int, lost: dict[str, int], bots: int, thin: int, tracks: int) -> Outcome:
    """What the step says: events, those lost by rule, and how many users and tracks are left out."""
    dropped = {rule: count for rule, count in lost.items() if count}
    left = rows - sum(dropped.values())
    if not left:
        raise UserError("no event is left after the rules on bots and support; loosen --bot-..., --least-... or --core")
    return Outcome(rows, left, dropped, {"users": {"bots": bots, "too_rare": thin}, "tracks": {"too_rare": tracks}})


def _judged(work: Workspace, same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rule, from 1, by which each user is a bot, 0 for people, int8 (users,); and events int64 (users,)."""
    n = len(work.read("users"))
    rules, events = np.zeros(n, np.int8), np.zeros(n, np.int64)
    for _, bucket in work.buckets("events"):
        judged = judge(bucket.collect(), same, work.settings)
        user = judged["user"].to_numpy()
        rules[user], events[user] = judged["rule"].to_numpy(), judged["events"].to_numpy()
    return rules, events


def judge(events: "pl.DataFrame", same: np.ndarray, settings: PreparationSettings) -> "pl.DataFrame":
    """Columns user, events int64 and rule int8 (from 1; 0: no bot) of all users of a bucket."""
    import polars as pl

    counts = events.group_by("user").agg(events=pl.len().cast(pl.Int64))
    found = bots(events.filter(pl.col("part") == 0), same, settings)
    return counts.join(found, on="user", how="left").with_columns(pl.col("rule").fill_null(0))


def write_left_out(work: Workspace, rules: np.ndarray, thin: np.ndarray, tracks: np.ndarray) -> None:
    """Write who and what goes: users by rule (from 1), users and tracks with too little support, bool."""
    work.write("left_out", _left_out(rules, thin, tracks))


def _left_out(rules: np.ndarray, thin: np.ndarray, tracks: np.ndarray) -> "pl.DataFrame":
    """Who and what goes, and why."""
    import polars as pl

    names, kinds = ["too_rare", *RULES], {"kind": pl.String, "code": pl.Int32, "rule": pl.String}
    gone = [("user", code, names[rules[code]]) for code in np.flatnonzero((rules > 0) | thin).tolist()]
    gone += [("track", code, "too_rare") for code in np.flatnonzero(tracks).tolist()]
    return pl.DataFrame(gone, kinds, orient="row")


def bots(train: "pl.DataFrame", same: np.ndarray, settings: PreparationSettings) -> "pl.DataFrame":
    """Columns user, rule (from 1) of the users of a bucket who are no persons.

    Most people have too few events for any rule: only the others are looked at.
    """
    import polars as pl

    count: Any = pl.col("plays").cast(pl.Int64).sum() if "plays" in train.columns else pl.len()
    totals = train.group_by("user").agg(n=count, rows=pl.len())

    def of_users(chosen: pl.Expr) -> pl.DataFrame:
        return train.join(totals.filter(chosen), on="user", how="semi")

    n = pl.col("n")
    by_day = of_users(n > settings.bot_events_per_day).group_by("user", pl.col("timestamp").floordiv(DAY).alias("day"))
    busy = by_day.agg(n=count).filter(n > settings.bot_events_per_day)
    played = of_users(n > settings.bot_repeats)
    played = played.with_columns(track=pl.Series(same[played["track"].to_numpy()]))
    often = played.group_by("user", "track").agg(n=count).filter(n > settings.bot_repeats)
    found = [
        frame.select("user", rule=pl.lit(number, pl.Int8))
        for number, frame in enumerate((busy, _steady(of_users(pl.col("rows") >= settings.bot_steady)), often), 1)
    ]
    return pl.concat(found).group_by("user").agg(pl.col("rule").min()).sort("user")


def _steady(train: "pl.DataFrame") -> "pl.DataFrame":
    """Users of whose events nearly all follow the one before at the same distance."""
    import polars as pl

    ordered = train.select("user", "timestamp").sort("user", "timestamp")
    gaps = ordered.select("user", gap=pl.col("timestamp").diff().over("user")).drop_nulls()
    commonest = gaps.group_by("user", "gap").len().group_by("user").agg(pl.col("len").max(), total=pl.col("len").sum())
    return commonest.filter(pl.col("len") >= STEADY_SHARE * pl.col("total")).select("user")


def least_support(settings: PreparationSettings) -> tuple[int, int]:
    """Users that a track needs in train, and tracks that a user needs; (1, 1): no rule."""
    return max(settings.least_users, settings.core), max(settings.least_tracks, settings.core)


def _support(work: Workspace, gone: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which tracks, bool (tracks,), and which users, bool (users,), have too little support in train."""
    settings = work.settings
    tracks, users = np.zeros(len(same), bool), np.zeros(len(gone), bool)
    least_users, least_tracks = least_support(settings)
    if least_users == least_tracks == 1:
        return tracks, users
    pairs = _train_pairs(work, gone, same)
    while True:
        kept = ~users[pairs[:, 0]] & ~tracks[pairs[:, 1]]
        listeners = np.bincount(pairs[kept, 1], minlength=len(tracks))
        tracks_now = (listeners < least_users) & _seen(pairs[:, 1], len(tracks))
        kept &= ~tracks_now[pairs[:, 1]]
        lengths = np.bincount(pairs[kept, 0], minlength=len(users))
        users_now = (lengths < least_tracks) & _seen(pairs[:, 0], len(users))
        settled = np.array_equal(tracks_now, tracks) and np.array_equal(users_now, users)
        tracks, users = tracks_now, users_now
        if settled or not settings.core:
            return tracks, users


def _seen(codes: np.ndarray, n: int) -> np.ndarray:
    return np.bincount(codes, minlength=n) > 0


def _train_pairs(work: Workspace, gone: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Distinct pairs (user, track) of train, int32 (pairs, 2)."""
    import polars as pl

    found, held = [], 0
    for _, events in work.buckets("events"):
        train = events.filter(pl.col("part") == 0).select("user", "track").unique().collect()
        pairs = np.stack([train["user"].to_numpy(), same[train["track"].to_numpy()].astype(np.int32)], axis=1)
        found.append(np.unique(pairs[~gone[pairs[:, 0]]], axis=0))
        held += found[-1].nbytes
        memory.require("minimum support", 4 * held, "leave --core, --least-users and --least-tracks out")
    return np.concatenate(found)


def events_lost(
    events: "pl.DataFrame", gone: np.ndarray, tracks: np.ndarray, thin: np.ndarray, same: np.ndarray
) -> int:
    """Events, of users who are no bots, that vanish with rare tracks and users."""
    user, track = events["user"].to_numpy(), same[events["track"].to_numpy()]
    return int(((tracks[track] | thin[user]) & ~gone[user]).sum())
