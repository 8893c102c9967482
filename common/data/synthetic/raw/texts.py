"""The texts of a generated log: ids, and names in several spellings.

Names of artists are far from one another, whatever compares them: two share at most two of their six syllables in the
same place (a Reed-Solomon code over 101 syllables), so a misspelt name is far nearer to its own than to any other.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from common.data.synthetic.catalogue import GENRES
from common.data.synthetic.names import ADJECTIVES, NOUNS, TITLES
from common.data.synthetic.raw.draws import SPELLINGS, TYPO_EVERY
from common.data.synthetic.raw.world import ALBUMS, ARTISTS, BLOCK, WORK_AT, World, artist_of

PRIME = 101
CONSONANTS = (*"bdfghjklmnprstvz", "ch", "sh", "th", "tr", "br")
SYLLABLES = [consonant + vowel for consonant in CONSONANTS for vowel in "aeiou"][:PRIME]
ACCENTS = str.maketrans("aeiouAEIOU", "áéíöüÁÉÍÖÜ")
VERSIONS = {
    2: (" (Remastered 2009)", " - 2011 Remaster", " (Deluxe Version)", " [Mono]"),
    3: (" - Live", " (Live)", " (Acoustic Version)"),
    5: (" (Part II)",),
    8: (" (Radio Edit)", " - Extended Mix", " (Stereo Version)", " (25th Anniversary Edition)"),
}
"""What a title says after the work's, by place in the block; place 5 is another work."""
GENRE_SPELLINGS = (str.lower, str.upper, str.title)
NO_GENRE = 20
"""Of so many artists one has no genre."""
TITLE_COUNT = len(TITLES) * len(ADJECTIVES) * len(NOUNS)


def artist_name(artist: int) -> str:
    """The canonical name.

    >>> artist_name(0), artist_name(1), artist_name(101)
    ('Bababa Bababa', 'Bebebe Bebebe', 'Babebi Bobuda')
    """
    low, middle, high = artist % PRIME, artist // PRIME % PRIME, artist // PRIME**2
    places = [SYLLABLES[(low + middle * x + high * x * x) % PRIME] for x in range(6)]
    return f"{''.join(places[:3]).capitalize()} {''.join(places[3:]).capitalize()}"


def spellings(artist: int, artists: int) -> list[str]:
    """The SPELLINGS ways to write an artist that all have one key: as it is, case, accents, "The", a guest."""
    name = artist_name(artist)
    guest = artist * 7 % min(20, artists)
    guest = (guest + 1) % artists if guest == artist else guest
    return [
        name,
        name.upper(),
        name.lower(),
        name.translate(ACCENTS),
        f"The {name}",
        f"{name} feat. {artist_name(guest)}",
    ]


def misspelt(artist: int) -> str:
    """The name with one letter of its last word doubled."""
    name = artist_name(artist)
    return f"{name[:-2]}{name[-2:-1]}{name[-2:]}"


def title(number: int) -> str:
    """A title by its number; the same words never make two."""
    pattern, word = divmod(number % TITLE_COUNT, len(ADJECTIVES) * len(NOUNS))
    adjective, noun = divmod(word, len(NOUNS))
    return TITLES[pattern].format(a=ADJECTIVES[adjective], n=NOUNS[noun])


def track_title(track: int) -> str:
    """The title of a track: its work's, and what kind of version it is."""
    block, place = divmod(track, BLOCK)
    ends = VERSIONS.get(place, ("",))
    work = 2 if place == 5 else int(WORK_AT[place])
    return title(block * 1_009 + work * 9_973) + ends[block % len(ends)]


@dataclass(frozen=True)
class Column:
    """The texts of users, tracks, artists or albums: each text once, and the place of everybody's."""

    texts: Any
    """Arrow array of distinct texts."""
    place: np.ndarray
    """int64; -1: none."""

    @classmethod
    def of(cls, values: Iterable[str | None]) -> "Column":
        """The column of everybody's texts, None for nothing."""
        import pyarrow as pa

        coded = pa.array(values, pa.string()).dictionary_encode()
        return cls(coded.dictionary, coded.indices.fill_null(-1).to_numpy().astype(np.int64))


@dataclass(frozen=True)
class Texts:
    """Every text of a log, made when first asked for."""

    world: World

    @cached_property
    def users(self) -> Column:
        """Ids of users."""
        return Column.of([f"u{label:07}" for label in self.world.label.tolist()])

    @cached_property
    def tracks(self) -> Column:
        """Ids of tracks, in an order that says nothing."""
        order = np.random.default_rng([self.world.settings.seed, 2]).permutation(self.world.tracks)
        return Column.of([f"t{label:07}" for label in order.tolist()])

    @cached_property
    def titles(self) -> Column:
        """Titles of tracks."""
        return Column.of([track_title(track) for track in range(self.world.tracks)])

    @cached_property
    def albums(self) -> Column:
        """Names of albums; places are those of `album_of`."""
        blocks = range(self.world.blocks)
        return Column.of([title(1 + 31 * block + 20_011 * album) for block in blocks for album in range(ALBUMS)])

    @cached_property
    def artists(self) -> Column:
        """Names of artists, SPELLINGS each, then the misspelt ones; `name_of` gives the place."""
        n = self.world.artists
        known = [name for artist in range(n) for name in spellings(artist, n)]
        return Column.of(known + [misspelt(block * ARTISTS) for block in range(0, self.world.blocks, TYPO_EVERY)])

    @cached_property
    def genres(self) -> Column:
        """Genre of every track in one of three spellings, always the same; some artists have none."""
        track = np.arange(self.world.tracks)
        artist = artist_of(track)
        spelt = artist % 97 % len(GENRES) * len(GENRE_SPELLINGS) + track % 7 % len(GENRE_SPELLINGS)
        names = [spell(genre) for genre in GENRES for spell in GENRE_SPELLINGS]
        none = artist % NO_GENRE == NO_GENRE - 1
        return Column.of([None if lacks else names[k] for k, lacks in zip(spelt.tolist(), none.tolist(), strict=True)])


def name_of(world: World, track: np.ndarray, spelling: np.ndarray) -> np.ndarray:
    """Place of each artist's name in `Texts.artists`."""
    artist = artist_of(track)
    typo = world.artists * SPELLINGS + track // BLOCK // TYPO_EVERY
    return np.where(spelling == SPELLINGS, typo, artist * SPELLINGS + np.minimum(spelling, SPELLINGS - 1))
