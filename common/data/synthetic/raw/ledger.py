"""What was planted in a generated log, and what every step of the preparation must find.

Counted from the draws, a few users at a time, without reading a file and without a step of the preparation: all of a
user's events are at hand, so that repeated pairs are exact, and what spans users (names, tracks) is marked in arrays.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from common.data.synthetic.raw.draws import SPELLINGS, TYPO_EVERY, Events, Plays, events_of, plays_of, user_chunks
from common.data.synthetic.raw.texts import Column, Texts, name_of
from common.data.synthetic.raw.world import (
    ALBUMS,
    ARTISTS,
    BLOCK,
    HASTY,
    IMPOSSIBLE,
    IMPOSSIBLE_PLAYS,
    PERSON,
    STEADY,
    World,
    album_of,
    artist_of,
    work_of,
)

PARTS = ("train", "valid", "test")
RARER = 0.2
"""Most plays in train that the rarer of two names may have, as a share of the other's, for them to be one artist."""
KINDS = {HASTY: "events_per_day", STEADY: "steady", IMPOSSIBLE: "one_track"}
"""The rule that finds each kind of users who are no persons."""


@dataclass
class Tally:
    """Counts of what was seen so far."""

    world: World
    cut: tuple[int, int]
    """Seconds from which on events are valid, and test."""
    names: np.ndarray = field(init=False)
    """bool, over `Texts.artists`: seen at all."""
    tracks: np.ndarray = field(init=False)
    """bool (tracks,): seen at all."""
    albums: np.ndarray = field(init=False)
    """bool (albums,): seen with the artist's own name."""
    items: np.ndarray = field(init=False)
    """bool (2, tracks): left after bots are gone; in any part, and in train."""
    typos: np.ndarray = field(init=False)
    """int64 (2, blocks / TYPO_EVERY): plays in train, repeats among them, of artists that are misspelt: under their
    name, under the typo."""
    events: np.ndarray = field(init=False)
    """int64 (2, 3): events, and repeats, by part."""
    bots: np.ndarray = field(init=False)
    """int64 (4, 2): users, and their events, by kind."""
    plays: np.ndarray = field(init=False)
    """int64 (3,): events of people by part."""
    pairs: np.ndarray = field(init=False)
    """int64 (3, 2): distinct pairs of people by part, and those that no earlier part has."""
    train_users: int = 0

    def __post_init__(self) -> None:
        """Begin with nothing."""
        typos = -(-self.world.blocks // TYPO_EVERY)
        self.names = np.zeros(self.world.artists * SPELLINGS + typos, dtype=bool)
        self.tracks = np.zeros(self.world.tracks, dtype=bool)
        self.albums = np.zeros(self.world.blocks * ALBUMS, dtype=bool)
        self.items = np.zeros((2, self.world.tracks), dtype=bool)
        self.typos = np.zeros((2, typos), dtype=np.int64)
        self.events, self.bots = np.zeros((2, 3), dtype=np.int64), np.zeros((4, 2), dtype=np.int64)
        self.plays, self.pairs = np.zeros(3, dtype=np.int64), np.zeros((3, 2), dtype=np.int64)

    def add(self, users: np.ndarray) -> None:
        """Count all events of some users."""
        events = events_of(self.world, users)
        plays = plays_of(self.world, events)
        part = (events.time >= self.cut[0]).astype(np.int64) + (events.time >= self.cut[1])
        self.events += [np.bincount(part, minlength=3), np.bincount(part[events.repeated], minlength=3)]
        self.names[name_of(self.world, plays.track, plays.spelling)] = True
        self.tracks[plays.track] = True
        self.albums[album_of(plays.track[plays.spelling < SPELLINGS])] = True
        self._add_typos(events, plays, part == 0)
        kind = self.world.kind[events.user]
        self.bots += np.column_stack(
            [np.bincount(self.world.kind[users], minlength=4), np.bincount(kind, minlength=4)],
        )
        person = kind == PERSON
        self._add_pairs(events.user[person], plays.track[person], part[person])

    def _add_typos(self, events: Events, plays: Plays, train: np.ndarray) -> None:
        first = (artist_of(plays.track) % ARTISTS == 0) & (plays.track // BLOCK % TYPO_EVERY == 0) & train
        weight = np.where(self.world.kind[events.user] == IMPOSSIBLE, IMPOSSIBLE_PLAYS, 1) * (1 + events.repeated)
        weight, place = weight[first], (plays.track // BLOCK // TYPO_EVERY)[first]
        wrong = plays.spelling[first] == SPELLINGS
        for row, chosen in enumerate((~wrong, wrong)):
            self.typos[row] += np.bincount(place[chosen], weight[chosen], self.typos.shape[1]).astype(np.int64)

    def _add_pairs(self, user: np.ndarray, track: np.ndarray, part: np.ndarray) -> None:
        self.plays += np.bincount(part, minlength=3)
        self.items[0, track] = True
        self.items[1, track[part == 0]] = True
        keys = np.sort((user * self.world.tracks + track) * 4 + part)
        keys = keys[np.r_[True, keys[1:] != keys[:-1]]] if len(keys) else keys
        pair, part = keys >> 2, keys & 3
        new = np.r_[True, pair[1:] != pair[:-1]] if len(pair) else np.zeros(0, dtype=bool)
        self.pairs += np.column_stack([np.bincount(part, minlength=3), np.bincount(part[new], minlength=3)])
        self.train_users += len(np.unique(pair[part == 0] // self.world.tracks))


def find_cut(world: World, shares: Sequence[float] = (0.8, 0.9)) -> tuple[int, int]:
    """The times of the events of which these shares of all valid rows (repeats counted) are earlier.

    A slice of time at a time is drawn again, so no more than a file's times are in memory.
    """
    ends = np.cumsum([len(_times(world, file)) for file in range(world.files)])
    ranks = [int(share * ends[-1]) for share in shares]
    valid, test = (_time_of(world, rank, ends) for rank in ranks)
    return valid, test


def _time_of(world: World, rank: int, ends: np.ndarray) -> int:
    """The time of the row with this number, from 0, in the order of time."""
    file = int(np.searchsorted(ends, rank, side="right"))
    place = rank - (int(ends[file - 1]) if file else 0)
    return int(np.partition(_times(world, file), place)[place])


def _times(world: World, file: int) -> np.ndarray:
    """Times of the events of a slice, repeated ones twice."""
    times = []
    for users in user_chunks(world, share=1 / world.files):
        events = events_of(world, users, *world.edges[file : file + 2])
        times += [events.time, events.time[events.repeated]]
    return np.concatenate(times)


def count(world: World, cut: tuple[int, int]) -> dict[str, Any]:
    """What every step must find, where train ends at cut[0] and valid at cut[1]; seconds since 1970."""
    tally = Tally(world, cut)
    for users in user_chunks(world):
        tally.add(users)
    return {
        "cut": {"valid_from": cut[0], "test_from": cut[1]},
        "normalise_timestamps": dict(zip(PARTS, tally.events.sum(axis=0).tolist(), strict=True)),
        "canonical_ids": _names(tally),
        "deduplicate_events": {"dropped": int(tally.events[1].sum()), "rows": int(tally.events[0].sum())},
        "deduplicate_artists": _merged(tally),
        "group_work_versions": _groups(tally.tracks),
        "filter_bots": {
            said: {"users": int(tally.bots[kind, 0]), "events": int(tally.bots[kind, 1])}
            for kind, said in KINDS.items()
        },
        "aggregate_interactions": {
            name: {"pairs": int(all_of), "new_pairs": int(new), "plays": int(plays)}
            for name, (all_of, new), plays in zip(PARTS, tally.pairs, tally.plays, strict=True)
        },
        "write_tables": {
            "users": int(tally.bots[PERSON, 0]),
            "users_in_train": tally.train_users,
            "items": int(tally.items[0].sum()),
            "items_in_train": int(tally.items[1].sum()),
        },
    }


def _names(tally: Tally) -> dict[str, Any]:
    """Spellings before, and ids after; a misspelt name is an artist of its own here, with an album of its own."""
    known, typos = np.split(tally.names, [tally.world.artists * SPELLINGS])
    artists = known.reshape(-1, SPELLINGS).any(axis=1)
    tracks = np.flatnonzero(tally.tracks)
    texts = Texts(tally.world)
    spelt = {
        name: _distinct(column, places)
        for name, column, places in (
            ("albums", texts.albums, np.unique(album_of(tracks))),
            ("genres", texts.genres, tracks),
        )
    }
    return {
        "artists": {"spellings": int(tally.names.sum()), "ids": int(artists.sum() + typos.sum())},
        "genres": {"spellings": len(spelt["genres"]), "ids": len({name.lower() for name in spelt["genres"]})},
        "albums": {"spellings": len(spelt["albums"]), "ids": int(tally.albums.sum() + typos.sum())},
        "tracks": len(tracks),
    }


def _distinct(column: Column, rows: np.ndarray) -> list[str]:
    places = np.unique(column.place[rows])
    return column.texts.take(places[places >= 0]).to_pylist()


def _merged(tally: Tally) -> dict[str, int]:
    """Misspelt names that are seen in train as their artist is, one much rarer than the other."""
    low, high = np.sort(tally.typos, axis=0)
    merged = (low > 0) & (low <= RARER * high)
    return {"merged": int(merged.sum())}


def _groups(tracks: np.ndarray) -> dict[str, Any]:
    """Works of the tracks that are seen, and how many of them have one, two, three versions."""
    sizes = np.bincount(work_of(np.flatnonzero(tracks)))
    by_size = np.bincount(sizes[sizes > 0])
    return {"groups": int(by_size.sum()), "sizes": {str(n): int(found) for n, found in enumerate(by_size) if found}}
