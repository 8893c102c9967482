"""Who listens to what in a generated log: settings, the activity of every user, and the shape of the catalogue.

The catalogue needs no table. Ten tracks make a block of two artists, and the tracks of all blocks have the same places:

    place   0  1  2  3  4  5  6  7  8  9
    artist  0  0  0  0  0  0  1  1  1  1
    work    0  1  1  1  2  3  4  5  5  6     places 2, 3 and 8 are versions of the work before them; place 5 is a
    album   0  0  0  0  1  1  2  2  2  2     "Part II" of place 4, which is a work of its own

Blocks with low numbers are popular. Block b belongs to scene b modulo the number of scenes.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np

from common.utils.errors import UserError, check_known, whole_number
from common.utils.settings import Range

BLOCK = 10
"""Tracks of a block."""
ARTIST_AT = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
WORK_AT = np.array([0, 1, 1, 1, 2, 3, 4, 5, 5, 6])
ALBUM_AT = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2])
ARTISTS, WORKS, ALBUMS = 2, 7, 3
"""Of a block."""
SCENES = 100
EVENTS_PER_USER = 584
"""So 800 M events come from 1.37 M users."""
TRACKS, OF_EVENTS = 805_000, 800_000_000
"""Tracks of a log of that size; the number grows with the square root of the events, as repeats per pair stay alike."""
LEAST_USERS = 60
REPEATED, BROKEN = 0.02, 0.01
"""Shares of the events that stand in the log twice, and that stand there once more with a fault."""
ORIGIN, DAYS, DAY = 1_609_459_200, 1_095, 86_400
"""2021-01-01 in seconds since 1970, the days that the log lasts, seconds of a day."""
SPAN = DAYS * DAY
MOST_A_DAY = 200
"""Events that a person has per day on average at most."""
SLOTS = 0.54
"""Slots of a user's list of favourites, per event; an event plays one of them, mostly an early one."""
PERSON, HASTY, STEADY, IMPOSSIBLE = 0, 1, 2, 3
"""Kinds of users."""
ODD_SHARE, MOST_ODD = 1e-4, 0.45
"""Share of the users that are of each other kind, at least one; all are active before this share of the time."""
ODD_EVENTS = {HASTY: 3_000, STEADY: 600, IMPOSSIBLE: 20}
ODD_GAP = {HASTY: 25, STEADY: 3_600, IMPOSSIBLE: 2 * 86_400}
"""Events of those users, and seconds between two: on one day; always on the minute, for 25 days; every second day."""
IMPOSSIBLE_PLAYS = 1_500
"""Plays that every row of a user with impossible counts says, all of one track: 30,000 together."""
FORMATS = ("parquet", "csv.gz", "jsonl")
SPREAD, LONGEST = 1.3, 20_000
"""Of the log-normal number of events per user: its standard deviation, and where it ends."""
MOST_FILE_ROWS, LEAST_FILES = 8_000_000, 4


@dataclass(frozen=True)
class RawLogSettings:
    """How large a generated log is; zeros are replaced by what fits the number of events."""

    events: Annotated[int, Range(1, 10**10)] = 1_000_000
    """Rows of all files together, within the chance of repeated and broken rows."""
    users: Annotated[int, Range(0, 2**31 - 1)] = 0
    tracks: Annotated[int, Range(0, 2**31 - 1)] = 0
    files: Annotated[int, Range(0, 100_000)] = 0
    seed: Annotated[int, Range(0, 2**31 - 1)] = 0
    format: str = "parquet"
    """parquet, csv.gz or jsonl."""
    track_ids: bool = True
    """Whether tracks come with ids; without, the log has names only."""

    def __post_init__(self) -> None:
        """Raise a UserError for what makes no sense."""
        check_known("format", FORMATS, self.format)
        whole_number("events", self.events, least=10_000)
        whole_number("seed", self.seed, least=0)
        for name in ("users", "tracks", "files"):
            whole_number(name, getattr(self, name), least=0)
        if self.users and self.events < 4 * self.users:
            raise UserError(f"{self.users:,} users need at least {4 * self.users:,} events; ask for fewer users")


@dataclass(frozen=True)
class World:
    """Arrays over users, int64 if nothing else is said; everything else follows from `settings`."""

    settings: RawLogSettings
    blocks: int
    files: int
    counts: np.ndarray
    """Events of each user, repeats and broken rows not counted."""
    start: np.ndarray
    """Seconds since 1970 before which a user has no event."""
    gap: np.ndarray
    """Event k of a user falls into the seconds from start + k gap on, before start + (k + 1) gap."""
    slots: np.ndarray
    scene: np.ndarray
    kind: np.ndarray
    """int8: PERSON, HASTY, STEADY or IMPOSSIBLE."""
    label: np.ndarray
    """The number in a user's id: a permutation, so that the order of ids says nothing."""

    @property
    def users(self) -> int:
        """How many users there are."""
        return len(self.counts)

    @property
    def tracks(self) -> int:
        """How many tracks the catalogue has; small logs do not reach all."""
        return self.blocks * BLOCK

    @property
    def artists(self) -> int:
        """How many artists the catalogue has."""
        return self.blocks * ARTISTS

    @cached_property
    def edges(self) -> np.ndarray:
        """Shape (files + 1,): file i holds the seconds from edges[i] on, before edges[i + 1]; all of like size."""
        begin = (self.start - ORIGIN) // DAY
        end = np.minimum(begin + self.gap * self.counts // DAY, DAYS)
        per_day = DAY / self.gap
        rate = np.cumsum(np.bincount(begin, per_day, DAYS + 1) - np.bincount(end, per_day, DAYS + 1))[:DAYS]
        share = np.cumsum(rate) / rate.sum()
        days = np.interp(np.arange(1, self.files) / self.files, share, np.arange(1, DAYS + 1))
        return ORIGIN + np.concatenate([[0], (days * DAY).astype(np.int64), [SPAN]])


def artist_of(track: np.ndarray) -> np.ndarray:
    """The artist of each track."""
    return track // BLOCK * ARTISTS + ARTIST_AT[track % BLOCK]


def work_of(track: np.ndarray) -> np.ndarray:
    """The work of which each track is a version."""
    return track // BLOCK * WORKS + WORK_AT[track % BLOCK]


def album_of(track: np.ndarray) -> np.ndarray:
    """The album of each track."""
    return track // BLOCK * ALBUMS + ALBUM_AT[track % BLOCK]


def build_world(settings: RawLogSettings) -> World:
    """Draw the users; takes a second per million of them."""
    rng = np.random.default_rng([settings.seed, 1])
    users = settings.users or max(LEAST_USERS, round(settings.events / EVENTS_PER_USER))
    per_unit = BLOCK * SCENES
    tracks = per_unit * max(1, round((settings.tracks or TRACKS * (settings.events / OF_EVENTS) ** 0.5) / per_unit))
    kind = _kinds(users, rng)
    begin, length = _activity(kind, rng)
    counts = _counts(settings.events / (1 + REPEATED + BROKEN), kind, length, rng)
    gap = length // counts
    for odd, seconds in ODD_GAP.items():
        gap[kind == odd] = seconds
    return World(
        settings,
        blocks=tracks // BLOCK,
        files=settings.files or max(LEAST_FILES, -(-settings.events // MOST_FILE_ROWS)),
        counts=counts,
        start=ORIGIN + begin,
        gap=gap,
        slots=np.where(kind == IMPOSSIBLE, 1, np.maximum(1, (SLOTS * counts).astype(np.int64))),
        scene=rng.integers(0, SCENES, users),
        kind=kind,
        label=rng.permutation(users),
    )


def _kinds(users: int, rng: np.random.Generator) -> np.ndarray:
    """Some bots of both kinds, and some users with impossible counts."""
    kind = np.full(users, PERSON, dtype=np.int8)
    each = max(1, round(ODD_SHARE * users))
    odd = rng.choice(users, 3 * each, replace=False)
    kind[odd] = np.repeat([HASTY, STEADY, IMPOSSIBLE], each)
    return kind


def _activity(kind: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Second at which each user begins, and how long they stay: most from early on to the end, 3% come at the end."""
    users, share = len(kind), rng.random(len(kind))
    begin = np.where(share < 0.7, 0.3 * rng.random(users), 0.8 * rng.random(users))
    begin = np.where(share > 0.97, rng.uniform(0.92, 0.99, users), begin)
    stay = np.where((rng.random(users) < 0.8) | (share > 0.97), 1.0, rng.uniform(0.2, 1.0, users))
    begin, days = (SPAN * begin).astype(np.int64), int(MOST_ODD * DAYS)
    length = np.maximum(DAY, ((SPAN - begin) * stay).astype(np.int64))
    odd = kind != PERSON
    begin[odd] = DAY * rng.integers(1, days, odd.sum()) + 3_600
    return begin, length


def _counts(total: float, kind: np.ndarray, length: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Log-normal numbers of events, scaled so that all together are about `total`."""
    fixed = np.array([0, *ODD_EVENTS.values()])[kind]
    counts = np.where(fixed > 0, 0.0, np.exp(SPREAD * rng.standard_normal(len(kind))))
    rest = max(total - fixed.sum(), 2 * len(kind))
    most = np.minimum(LONGEST, MOST_A_DAY * length // DAY)
    for _ in range(4):  # what the most active may not have goes to the others
        counts = np.minimum(counts * (rest / counts.sum()), most)
    return np.where(fixed > 0, fixed, np.clip(np.rint(counts), 1, most).astype(np.int64))
