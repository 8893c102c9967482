"""The events of a generated log, each a function of the seed, its user and its number alone.

Nothing is drawn from a stream: event k of user u has the 64 random bits of a hash of (seed, u, k). So a file, which
holds a slice of time of all users, can be made without the others, and the ledger can count user by user.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from common.data.synthetic.raw.world import BLOCK, BROKEN, ORIGIN, REPEATED, SCENES, SPAN, STEADY, World

PLACES = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 4, 4, 4, 4, 6, 6, 6, 6, 7, 7, 7, 7, 9, 9, 9, 2, 2, 5, 8, 3])
"""Place in a block by five random bits: some are hits."""
LATE_EVERY, LATE_FROM = 50, 0.5
"""Of so many blocks one is released while the log goes on, after this share of its time."""
OWN_SCENE = 154
"""Of 256 favourites so many are of the user's own scene."""
SPELLINGS = 6
"""Spellings of an artist that have the same key; number 0 is the canonical one."""
CANONICAL = 0.85
"""Share of the events with the canonical spelling."""
TYPO_EVERY, TYPO_SHARE = 20, 26
"""Of so many blocks one has a first track whose artist is misspelt, in so many of 256 events."""
ABROAD = 16
"""Of so many users one has repeated events in the next file instead of the same one."""
CHUNK = 200_000
"""Events that are drawn at a time, about; arrays of this size stay near the processor."""


@dataclass(frozen=True)
class Events:
    """Arrays of one length: user int64, number of the event within the user int64, second int64, random bits uint64."""

    user: np.ndarray
    number: np.ndarray
    time: np.ndarray
    bits: np.ndarray

    def __len__(self) -> int:
        """How many there are."""
        return len(self.user)

    def take(self, rows: np.ndarray) -> "Events":
        """Some of the rows."""
        return Events(self.user[rows], self.number[rows], self.time[rows], self.bits[rows])

    @property
    def repeated(self) -> np.ndarray:
        """Which ones stand in the log twice."""
        return (self.bits & np.uint64(0xFFFF)) < np.uint64(65_536 * REPEATED)

    @property
    def broken(self) -> np.ndarray:
        """Which ones stand in the log once more, with a fault."""
        fate = self.bits & np.uint64(0xFFFF)
        return fate >= np.uint64(65_536 * (1 - BROKEN))

    @property
    def abroad(self) -> np.ndarray:
        """Which ones are repeated in the next file."""
        return self.repeated & (self.user % ABROAD == 5)

    def fault(self, faults: int) -> np.ndarray:
        """The fault that each broken row has, 0 to faults - 1."""
        return ((self.bits >> np.uint64(16)) % np.uint64(faults)).astype(np.int64)


@dataclass(frozen=True)
class Plays:
    """What the events play: track and spelling of its artist (SPELLINGS: misspelt), int64; milliseconds int64."""

    track: np.ndarray
    spelling: np.ndarray
    milliseconds: np.ndarray


def mixed(bits: np.ndarray) -> np.ndarray:
    """Random bits from distinct ones, in place: the finaliser of SplitMix64 (Steele, Lea & Flood 2014)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits ^= bits >> np.uint64(shift)
        bits *= np.uint64(factor)
    bits ^= bits >> np.uint64(31)
    return bits


def hashed(world: World, purpose: int, high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """64 random bits for each pair of numbers below 2**32."""
    salt = (world.settings.seed * 0x9E3779B97F4A7C15 + purpose * 0xD1B54A32D192ED03) % 2**64
    return mixed(((high.astype(np.uint64) << np.uint64(32)) | low.astype(np.uint64)) + np.uint64(salt))


def events_of(world: World, users: np.ndarray, begin: int = ORIGIN, end: int = ORIGIN + 2 * SPAN) -> Events:
    """Events of some users from one second on, before another one, in the order of users and numbers."""
    start, gap, counts = world.start[users], world.gap[users], world.counts[users]
    low = np.clip((begin - start) // gap, 0, counts)
    some = np.clip((end - start + gap - 1) // gap, low, counts) - low
    user = np.repeat(users, some)
    number = np.arange(len(user)) - np.repeat(np.cumsum(some) - some - low, some)
    bits = hashed(world, 1, user, number)
    gap, steady = np.repeat(gap, some), np.repeat(world.kind[users] >= STEADY, some)
    jitter = ((bits >> np.uint64(32)).astype(np.int64) * gap) >> 32
    jitter[steady] = 0
    time = np.repeat(start, some) + number * gap + jitter
    events = Events(user, number, time, bits)
    inside = (time >= begin) & (time < end)
    return events if inside.all() else events.take(inside)


def plays_of(world: World, events: Events) -> Plays:
    """What is played: a favourite of the user, one of those that they know by then."""
    more = mixed(events.bits + np.uint64(0x632BE59BD9B4E019))
    known = 1 + world.slots[events.user] * events.number // world.counts[events.user]
    chance = (more >> np.uint64(40)).astype(np.float64) * 2.0**-24
    track = _favourites(world, events.user, (known * chance * chance).astype(np.int64), events.time)
    spelling = _spellings(more & np.uint64(0xFFFF))
    block = track // BLOCK
    misspelt = (track % BLOCK == 0) & (block % TYPO_EVERY == 0) & ((more >> np.uint64(32)) % 256 < TYPO_SHARE)
    spelling[misspelt] = SPELLINGS if world.settings.track_ids else 0
    return Plays(track, spelling, ((more >> np.uint64(16)) & np.uint64(0xFFFF)).astype(np.int64) % 1_000)


def _favourites(world: World, user: np.ndarray, slot: np.ndarray, time: np.ndarray) -> np.ndarray:
    """The track in each user's slot: popular ones are likelier (rank to the power of -2/3), and those of the scene."""
    bits = hashed(world, 2, user, slot)
    chance = (bits >> np.uint64(40)).astype(np.float64) * 2.0**-24
    chance = chance * chance * chance
    own = (chance * (world.blocks // SCENES)).astype(np.int64) * SCENES + world.scene[user]
    anywhere = (chance * world.blocks).astype(np.int64)
    block = np.where((bits >> np.uint64(8)) & np.uint64(0xFF) < OWN_SCENE, own, anywhere)
    late = block % LATE_EVERY == LATE_EVERY - 1
    block[late] -= time[late] < released(world, block[late])
    return block * BLOCK + PLACES[(bits & np.uint64(31)).astype(np.int64)]


def released(world: World, block: np.ndarray) -> np.ndarray:
    """The second at which a late block is released; before, the block ahead of it is played instead."""
    share = (hashed(world, 3, block, block) >> np.uint64(40)).astype(np.float64) * 2.0**-24
    return ORIGIN + (SPAN * (LATE_FROM + 0.49 * share)).astype(np.int64)


def _spellings(bits: np.ndarray) -> np.ndarray:
    """Mostly 0, else one of the others by turns."""
    limit = int(CANONICAL * 65_536)
    bits = bits.astype(np.int64)
    return np.where(bits < limit, 0, 1 + (bits - limit) % (SPELLINGS - 1))


def user_chunks(world: World, events: float = CHUNK, share: float = 1.0) -> Iterator[np.ndarray]:
    """Users one after the other, as many at a time as have about so many events, `share` of them counted."""
    ends = np.cumsum(world.counts * share)
    places = np.searchsorted(ends, np.arange(1, int(ends[-1] // events) + 1) * events)
    for part in np.split(np.arange(world.users), np.unique(places)):
        if len(part):
            yield part
