"""Step 6: near spellings of one artist, such as a typing error, become one.

Two artists are compared if their keys begin or end alike (blocking). They are one if their keys are nearly the same
text (Indel distance, normalised), they hold the same digits, and one is much rarer than the other. Decided on train
alone; artists that come with an id are listed, but keep it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from common.data.preparation.settings import PreparationSettings
from common.data.preparation.workspace import Outcome, Workspace

if TYPE_CHECKING:
    import polars as pl

ENDS = 4
"""Letters by which keys are blocked."""
LISTED_BELOW = 4.0
"""Percent below the threshold from which pairs are listed for review."""
SHORTEST = 8
"""Keys of fewer letters are too short to be nearly the same."""
AT_ONCE = 2_000
"""Names of a block that are compared with all of it at once."""


class NearPair(NamedTuple):
    """Two artists by code, the rarer one first, how alike their keys are in percent, and whether they are one."""

    rare: int
    often: int
    score: float
    same: bool


def deduplicate_artists(work: Workspace) -> Outcome:
    """Write `artists` and `tracks` with `same_as` int32, the code of what each is, and `near_spellings` for review."""
    import polars as pl

    artists, tracks = work.read("artists"), work.read("tracks")
    plays, ids = artists["plays"].to_numpy(), artists["has_id"].to_numpy()
    pairs = near_pairs(artists["key"].to_list(), plays, work.settings)
    pairs = nearest([pair._replace(same=pair.same and not ids[[pair.rare, pair.often]].any()) for pair in pairs])
    same = merged(len(artists), pairs)
    work.write("near_spellings", _listed(pairs, artists))
    work.write("artists", artists.with_columns(same_as=pl.Series(same, dtype=pl.Int32)))
    track_of = _same_tracks(tracks, same)
    work.write("tracks", tracks.with_columns(same_as=pl.Series(track_of, dtype=pl.Int32)))
    gone, tracks_gone = (int((codes != np.arange(len(codes))).sum()) for codes in (same, track_of))
    dropped = {"near_spelling": gone} if gone else {}
    return Outcome(len(artists), len(artists) - gone, dropped, {"listed": len(pairs), "tracks_merged": tracks_gone})


def near_pairs(keys: Sequence[str], plays: np.ndarray, settings: PreparationSettings) -> list[NearPair]:
    """Pairs of artists in train whose keys are nearly the same, those a little below the threshold too.

    The most alike come first, then those of the artist with the most plays.
    """
    from rapidfuzz import fuzz, process

    least = settings.near_spelling - LISTED_BELOW
    found: dict[tuple[int, int], float] = {}
    for block in _blocks(keys, plays):
        names = [keys[code] for code in block]
        for start in range(0, len(block), AT_ONCE):
            scores = process.cdist(names[start : start + AT_ONCE], names, scorer=fuzz.ratio, score_cutoff=least)
            for row, column in np.argwhere(scores >= least):
                one, other = block[start + row], block[column]
                if one < other:
                    found[one, other] = float(scores[row, column])
    pairs = [_pair(*codes, score, plays, settings) for codes, score in found.items()]
    return sorted(pairs, key=lambda pair: (-pair.score, -plays[pair.often], pair.rare, pair.often))


def _blocks(keys: Sequence[str], plays: np.ndarray) -> list[list[int]]:
    """Codes of artists in train whose keys hold the same digits and begin alike, and of those that end alike."""
    blocks: dict[tuple[str, bool, str], list[int]] = defaultdict(list)
    for code in np.flatnonzero(plays > 0).tolist():
        letters = keys[code].replace(" ", "")
        if len(letters) >= SHORTEST:
            digits = "".join(filter(str.isdigit, letters))
            blocks[digits, True, letters[:ENDS]].append(code)
            blocks[digits, False, letters[-ENDS:]].append(code)
    return [block for block in blocks.values() if len(block) > 1]


def _pair(one: int, other: int, score: float, plays: np.ndarray, settings: PreparationSettings) -> NearPair:
    rare, often = sorted((one, other), key=lambda code: (plays[code], -code))
    near = score >= settings.near_spelling and plays[rare] <= settings.rarer * plays[often]
    return NearPair(rare, often, score, bool(near))


def nearest(pairs: Iterable[NearPair]) -> list[NearPair]:
    """The pairs, of which a rarer artist is one with the first alone."""
    taken: set[int] = set()
    chosen = []
    for pair in pairs:
        chosen.append(pair._replace(same=pair.same and pair.rare not in taken))
        if pair.same:
            taken.add(pair.rare)
    return chosen


def merged(n: int, pairs: Iterable[NearPair]) -> np.ndarray:
    """The artist that each of n artists is, int64 (n,): the one that it is near to, and what that one is.

    >>> merged(3, [NearPair(0, 1, 95.0, True), NearPair(1, 2, 93.0, True)])
    array([2, 2, 2])
    """
    same = np.arange(n)
    for rare, often, _, is_same in pairs:
        if is_same:
            same[rare] = often  # the rarer one has fewer plays, so that no circle can arise
    while not np.array_equal(same, same[same]):
        same = same[same]
    return same


def _same_tracks(tracks: "pl.DataFrame", same: np.ndarray) -> np.ndarray:
    """The track that each is: those without an id are one where their artist and the key of their title are."""
    import polars as pl

    artist = np.append(same, -1)[tracks["artist"].to_numpy()]
    named = tracks.select("title_key", "plays").with_columns(artist=pl.Series(artist)).with_row_index("track")
    named = named.filter(pl.col("title_key").is_not_null() & (pl.col("artist") >= 0))
    first = pl.col("track").sort_by(["plays", "track"], descending=[True, False]).first().over("artist", "title_key")
    found = named.with_columns(first=first)
    codes = np.arange(len(tracks))
    codes[found["track"].to_numpy()] = found["first"].to_numpy()
    return codes


def _listed(pairs: Sequence[NearPair], artists: "pl.DataFrame") -> "pl.DataFrame":
    """The pairs with names, the most alike first."""
    import polars as pl

    kinds = dict(zip(NearPair._fields, (pl.UInt32, pl.UInt32, pl.Float64, pl.Boolean), strict=True))
    codes = pl.DataFrame(pairs, kinds, orient="row")
    names, plays = artists["name"], artists["plays"]
    rare, often = codes["rare"], codes["often"]
    columns = {
        "artist": names.gather(rare),
        "near": names.gather(often),
        "plays": plays.gather(rare),
        "plays_of_near": plays.gather(often),
        "score": codes["score"].round(1),
        "merged": codes["same"],
    }
    return pl.DataFrame(columns).sort(["score", "artist", "near"], descending=[True, False, False])
