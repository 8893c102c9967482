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
    import polars as pl

    users = np.zeros(len(work.read("users")), np.int8)  # the rule by which each goes, from 1; 0 stays
    same = work.read("tracks")["same_as"].to_numpy()
    rows, dropped = 0, dict.fromkeys(RULES, 0)
    lost = np.zeros(len(users), np.int64)
    for _, events in work.buckets("events"):
        found = events.collect()
        rows += len(found)
        rules = bots(found.filter(pl.col("part") == 0), same, work.settings)
        users[rules["user"].to_numpy()] = rules["rule"].to_numpy()
        counted = found.group_by("user").len()
        lost[counted["user"].to_numpy()] = counted["len"].to_numpy()
    for number, rule in enumerate(RULES, 1):
        dropped[rule] = int(lost[users == number].sum())
    n_bots = int((users > 0).sum())
    tracks, thin = _support(work, users > 0, same)
    events_lost = _events_lost(work, users > 0, tracks, thin, same) if tracks.any() or thin.any() else 0
    if events_lost:
        dropped["too_rare"] = events_lost
    names = [*RULES, "too_rare"]
    left_out = [{"kind": "user", "code": code, "rule": names[users[code] - 1]} for code in np.flatnonzero(users)]
    left_out += [{"kind": "user", "code": code, "rule": "too_rare"} for code in np.flatnonzero(thin)]
    left_out += [{"kind": "track", "code": code, "rule": "too_rare"} for code in np.flatnonzero(tracks)]
    work.write("left_out", pl.DataFrame(left_out, {"kind": pl.String, "code": pl.Int32, "rule": pl.String}))
    dropped = {rule: count for rule, count in dropped.items() if count}
    left = rows - sum(dropped.values())
    if not left:
        raise UserError("no event is left after the rules on bots and support; loosen --bot-..., --least-... or --core")
    notes = {"users": {"bots": n_bots, "too_rare": int(thin.sum())}, "tracks": {"too_rare": int(tracks.sum())}}
    return Outcome(rows, left, dropped, notes)


def bots(train: "pl.DataFrame", same: np.ndarray, settings: PreparationSettings) -> "pl.DataFrame":
    """Columns user, rule (from 1) of the users of a bucket who are no persons; rows are sorted by user and time."""
    import polars as pl

    count: Any = pl.col("plays") if "plays" in train.columns else pl.lit(1, pl.Int32)
    by_day = train.group_by("user", pl.col("timestamp").floordiv(DAY).alias("day")).agg(n=count.cast(pl.Int64).sum())
    busy = by_day.filter(pl.col("n") > settings.bot_events_per_day).select("user").unique()
    played = train.with_columns(track=pl.Series(same[train["track"].to_numpy()]))
    often = played.group_by("user", "track").agg(n=count.cast(pl.Int64).sum())
    often = often.filter(pl.col("n") > settings.bot_repeats).select("user").unique()
    found = [
        frame.with_columns(rule=pl.lit(number, pl.Int8))
        for number, frame in enumerate((busy, _steady(train, settings.bot_steady), often), 1)
    ]
    return pl.concat(found).group_by("user").agg(pl.col("rule").min()).sort("user")


def _steady(train: "pl.DataFrame", least: int) -> "pl.DataFrame":
    """Users with many events of which nearly all follow the one before at the same distance."""
    import polars as pl

    lengths = train.group_by("user").len().filter(pl.col("len") >= least)
    long = train.join(lengths, on="user", how="semi", maintain_order="left")
    gaps = long.select("user", gap=pl.col("timestamp").diff().over("user")).drop_nulls()
    commonest = gaps.group_by("user", "gap").len().group_by("user").agg(pl.col("len").max(), total=pl.col("len").sum())
    return commonest.filter(pl.col("len") >= STEADY_SHARE * pl.col("total")).select("user")


def _support(work: Workspace, gone: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which tracks, bool (tracks,), and which users, bool (users,), have too little support in train."""
    settings = work.settings
    tracks, users = np.zeros(len(same), bool), np.zeros(len(gone), bool)
    least_users, least_tracks = max(settings.least_users, settings.core), max(settings.least_tracks, settings.core)
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


def _events_lost(work: Workspace, gone: np.ndarray, tracks: np.ndarray, thin: np.ndarray, same: np.ndarray) -> int:
    """Events, of users who are no bots, that vanish with rare tracks and users."""
    lost = 0
    for _, events in work.buckets("events"):
        found = events.select("user", "track").collect()
        user, track = found["user"].to_numpy(), same[found["track"].to_numpy()]
        lost += int(((tracks[track] | thin[user]) & ~gone[user]).sum())
    return lost
