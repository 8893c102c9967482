"""The data set `lastfm-2k`: Last.fm listening joined to Spotify songs by the artist's name."""

import dataclasses
import hashlib
from pathlib import Path

import pandas as pd

from common.data.artist_names import artist_key, main_credit
from common.data.deduplication import deduplicate
from common.data.sources.lastfm_2k import Lastfm, read_lastfm
from common.data.sources.lastfm_2k_files import find_sources, missing_sources
from common.data.sources.spotify_songs import read_songs
from common.data.tables import AUDIO_FEATURES, Tables

IDENTICAL, CASE_APART, KEY_APART = 0, 1, 2
"""How far a Spotify spelling is from a Last.fm one."""
DOMINANT = 10
"""How many times the listeners of one spelling outweigh another's closer spelling."""


def hash_sources(data_dir: Path) -> str | None:
    """SHA-256 of the raw files; None where they are absent."""
    sources = find_sources(data_dir)
    if sources is None:
        return None
    digest = hashlib.sha256()
    for path in [*sorted(sources[0].glob("*.dat")), sources[1]]:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def read_lastfm_2k(data_dir: Path, one_spelling: bool = False) -> Tables:
    """Read the raw files, wherever they lie. Raises UserError where they are absent or broken."""
    sources = find_sources(data_dir)
    if sources is None:
        raise missing_sources(data_dir, "they are not there")
    return read_lastfm_spotify(*sources, one_spelling)


def read_lastfm_spotify(lastfm_folder: Path, spotify_file: Path, one_spelling: bool = False) -> Tables:
    """Read both sources and give each Last.fm artist the songs that bear its name.

    one_spelling: artists that Last.fm lists under several spellings are made one first, as `deduplicate` does.

    `items` are the artists; nearly nine in ten match no song, and their content features are missing. `notes` holds
    `sources` (rows, hash and `matches_reference` of each file), `matching` (what was matched, what is ambiguous) and
    `warnings` (sentences for the user). Raises UserError naming file, line, column and remedy.
    """
    lastfm = read_lastfm(lastfm_folder)
    notes: dict[str, object] = {}
    reviews: dict[str, pd.DataFrame] = {}
    if one_spelling:
        lastfm, notes, reviews = _deduplicated(lastfm)
    songs = read_songs(spotify_file)
    artists = _with_audience(lastfm)
    pairs = candidate_pairs(artists, songs.tracks["artist"].dropna())
    owners = choose_owners(pairs)
    tracks = songs.tracks.copy()
    tracks.insert(1, "item_id", tracks["artist"].map(owners.set_index("artist")["item_id"]))
    return Tables(
        interactions=lastfm.interactions,
        items=_items(lastfm.artists, tracks),
        users=lastfm.users,
        social=lastfm.social,
        user_item_tags=lastfm.user_item_tags,
        songs=tracks,
        repairs=lastfm.repairs + songs.repairs,
        reviews=reviews,
        notes={
            **notes,
            "sources": {**lastfm.sources, spotify_file.name: songs.source},
            "matching": _matching_notes(artists, tracks, pairs, owners),
            "tagged_artists_outside_items": _tagged_outside(lastfm),
            "warnings": lastfm.warnings + songs.warnings,
        },
    )


def _deduplicated(lastfm: Lastfm) -> tuple[Lastfm, dict[str, object], dict[str, pd.DataFrame]]:
    """The files with one artist for all spellings of it, what was counted, and what was merged."""
    artists = lastfm.artists.assign(artist=lastfm.artists["item_id"])
    tables = Tables(lastfm.interactions, artists, lastfm.users, user_item_tags=lastfm.user_item_tags)
    one = deduplicate(tables)
    tags, repairs = one.user_item_tags, lastfm.repairs + one.repairs
    assert tags is not None
    kept = one.items.drop(columns="artist")
    found = dataclasses.replace(
        lastfm, artists=kept, interactions=one.interactions, user_item_tags=tags, repairs=repairs
    )
    return found, one.notes, one.reviews


def candidate_pairs(artists: pd.DataFrame, spellings: pd.Series) -> pd.DataFrame:
    """Every Spotify spelling with every Last.fm artist of the same key, and the `closeness` of the two.

    `artists` has item_id, name, listeners; `spellings` are Spotify's artist names, each any number of times.
    """
    spotify = pd.DataFrame({"artist": spellings.drop_duplicates()})
    spotify["credit"] = spotify["artist"].map(main_credit)
    spotify["key"] = spotify["artist"].map(artist_key)
    lastfm = artists.assign(key=artists["name"].map(artist_key))
    pairs = spotify.merge(lastfm, on="key")
    pairs["closeness"] = KEY_APART
    pairs.loc[pairs["credit"].str.casefold() == pairs["name"].str.casefold(), "closeness"] = CASE_APART
    pairs.loc[(pairs["credit"] == pairs["name"]) | (pairs["artist"] == pairs["name"]), "closeness"] = IDENTICAL
    return pairs


def choose_owners(pairs: pd.DataFrame) -> pd.DataFrame:
    """The rows of `pairs` that hold: each Spotify spelling goes to one artist.

    That is the artist of the closest spelling, then of the most listeners. A spelling that another exceeds DOMINANT
    times in listeners is a slip of the few ("The Black Eyed Peas" beside "Black Eyed Peas") and comes last. Spotify
    spells an artist in one way, so another spelling is usually somebody else: an artist keeps only its closest ones
    ("HIM" leaves "The Him" alone).
    """
    slip = pairs["listeners"] * DOMINANT < pairs.groupby("artist")["listeners"].transform("max")
    ranked = pairs.assign(slip=slip).sort_values(
        ["slip", "closeness", "listeners", "item_id"], ascending=[True, True, False, True]
    )
    chosen = ranked.drop_duplicates("artist")
    closest = chosen.groupby("item_id")["closeness"].transform("min")
    return chosen[chosen["closeness"] == closest]


def _with_audience(lastfm: Lastfm) -> pd.DataFrame:
    """The artists with their number of listeners and plays."""
    plays = lastfm.interactions.groupby("item_id")["weight"].agg(listeners="count", plays="sum")
    return lastfm.artists.merge(plays.reset_index(), on="item_id")


def _items(artists: pd.DataFrame, tracks: pd.DataFrame) -> pd.DataFrame:
    """The artists with the genres, median year and mean sound of their distinct tracks."""
    by_artist = tracks.dropna(subset="item_id").groupby("item_id")
    content = by_artist[["duration_ms", *AUDIO_FEATURES]].mean()
    content.insert(0, "genres", by_artist["genres"].agg(_union).astype("str"))
    # The median of an even number of years may fall between two; the earlier year is taken.
    content.insert(1, "release_year", by_artist["release_year"].median().astype("Float64").floordiv(1).astype("Int64"))
    return artists.assign(artist=artists["item_id"]).join(content, on="item_id")


def _union(joined_genres: pd.Series) -> str:
    return "|".join(sorted({genre for joined in joined_genres for genre in joined.split("|")}))


def _matching_notes(
    artists: pd.DataFrame, tracks: pd.DataFrame, pairs: pd.DataFrame, owners: pd.DataFrame
) -> dict[str, object]:
    matched = artists["item_id"].isin(owners["item_id"])
    ambiguous = _ambiguous(pairs, owners)
    return {
        "artists": len(artists),
        "artists_matched": int(matched.sum()),
        "artists_matched_by_identical_name": int(owners.loc[owners["closeness"] == IDENTICAL, "item_id"].nunique()),
        "share_of_interactions": _share(artists["listeners"], matched),
        "share_of_plays": _share(artists["plays"], matched),
        "tracks": len(tracks),
        "tracks_matched": int(tracks["item_id"].notna().sum()),
        "ambiguous_names": len(ambiguous),
        "ambiguous": ambiguous,
    }


def _share(amounts: pd.Series, where: pd.Series) -> float:
    return float(amounts[where].sum() / amounts.sum())


def _ambiguous(pairs: pd.DataFrame, owners: pd.DataFrame) -> list[dict[str, object]]:
    """Keys that several Last.fm artists or several Spotify spellings (guests aside) share, and who got what."""
    counts = pairs.groupby("key")[["item_id", "credit"]].transform("nunique")
    shared = pairs[(counts > 1).any(axis="columns")]
    owner_of = owners.set_index("artist")["item_id"].to_dict()
    ambiguous: list[dict[str, object]] = []
    for key, group in shared.groupby("key"):
        artists = group[["item_id", "name", "listeners"]].drop_duplicates()
        given = {spelling: owner_of.get(spelling) for spelling in group["artist"].unique()}
        ambiguous.append({"key": key, "artists": artists.to_dict("records"), "songs_given_to": given})
    return ambiguous


def _tagged_outside(lastfm: Lastfm) -> int:
    """Artists that were tagged but are no items. Their tags stay, because they are part of what a user did."""
    tagged = lastfm.user_item_tags["item_id"].drop_duplicates()
    return int((~tagged.isin(lastfm.artists["item_id"])).sum())
