"""Step 4: users, tracks, artists, albums and genres get one id each, whatever the spellings; events hold codes.

What comes with an id keeps it. A name without one goes by its key (`artist_names`, `track_titles`). A canonical
spelling is the one with the most plays in train, ties to the first by code point.
"""

import unicodedata
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from common.data.artist_names import artist_key, fold_words, guests, main_credit
from common.data.preparation.row_groups import count_in_parts
from common.data.preparation.workspace import Outcome, Workspace, rows_of
from common.data.reading.id_column import read_ids
from common.data.track_titles import title_key
from common.utils.errors import UserError, short

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

BYTES_PER_EVENT = 120
"""Memory that an event takes while its bucket is worked on, with what the work needs beside it."""
BYTES_PER_ROW = 400
"""Memory that a row of texts takes, of those that are grouped at a time."""
MOST_BUCKETS = 512
"""Files that are open at once."""
MOST_EVENTS = 4_000_000
"""Events of a bucket: larger ones take memory and are no faster."""
BETWEEN = " | "
"""What stands between the keys of artist and title in the id of a track that has none."""


def canonical_ids(work: Workspace) -> Outcome:
    """Write `events` in buckets of users, and the tables `users`, `tracks` and `artists`.

    events: user int32, track int32, timestamp int64, part int8, [plays int32]; bucket b holds a range of users.
    users: user_id in order of their codes. tracks: item_id in that order, name, artist int32 (-1: none), album, genres,
    featured, title_key (of tracks without an id), plays int64 (in train). artists: id, name, key, has_id, plays.
    """
    events, columns = work.scan("events"), work.notes["validate"]["columns"]
    rows, counts = rows_of(events), _counts(work.notes["validate"]["plays"])
    part = max(1, work.memory // BYTES_PER_ROW)
    users = count_in_parts(events, ["user_id"], [], rows, part)
    coded = code(work, users, count_in_parts(events, columns, counts, rows, part))
    buckets = bucket_count(rows, work.memory)
    work.write_buckets("events", _coded(events, coded.users, coded.tracks, buckets))
    return Outcome(rows, rows, notes=coded.notes | {"buckets": buckets})


class Coded(NamedTuple):
    """What the texts of events are: users (user_id, user, id), tracks (track_code, texts), and what there is to say."""

    users: "pl.DataFrame"
    tracks: "pl.DataFrame"
    notes: dict[str, Any]


def code(work: Workspace, user_ids: "pl.DataFrame", spellings: "pl.DataFrame", texts: "Texts | None" = None) -> Coded:
    """Write the tables `users`, `tracks` and `artists` of all texts that events have, in any order.

    texts: where `made_of_texts` was called before, what gives its tables.
    """
    import polars as pl

    columns, repaired = work.notes["validate"]["columns"], dict[str, int]()
    users = _coded_users(user_ids, repaired)
    spellings = _with_entities(spellings.sort(columns), repaired, texts or made_of_texts)
    artists = _artists(spellings)
    tracks = _tracks(spellings, artists)
    codes = tracks.select(pl.int_range(pl.len(), dtype=pl.Int32).alias("track_code"), "item_id")
    coded = spellings.join(codes, on="item_id", how="left").select("track_code", *columns)
    work.write("users", users.group_by("user").agg(pl.col("id").first()).sort("user").select(user_id="id"))
    work.write("tracks", tracks)
    work.write("artists", artists)
    missing = {name: int(spellings.filter(pl.col(name).is_null())["events"].sum()) for name in sorted(columns)}
    reduction = _reduction(spellings, users, tracks, artists)
    return Coded(users, coded, reduction | {"missing": missing, "repaired": repaired})


def _counts(has_plays: bool) -> "list[pl.Expr]":
    """Of a combination of texts, its events, and its plays in train."""
    import polars as pl

    weight = pl.when(pl.col("part") == 0).then(pl.col("plays") if has_plays else 1).otherwise(0)
    return [pl.len().cast(pl.Int64).alias("events"), weight.cast(pl.Int64).sum().alias("plays")]


def _coded(events: "pl.LazyFrame", users: "pl.DataFrame", tracks: "pl.DataFrame", buckets: int) -> "pl.LazyFrame":
    """The events with codes in place of texts, and their bucket. tracks: track_code and the texts that mean it."""
    import polars as pl

    columns = tracks.columns[1:]
    joined = events.join(users.lazy(), on="user_id", how="left")
    joined = joined.join(tracks.lazy(), on=columns, how="left", nulls_equal=True)
    n_users = int(users["user"].max()) + 1  # type: ignore[arg-type]
    bucket = (pl.col("user").cast(pl.Int64) * buckets // n_users).cast(pl.UInt16)
    numbers = [name for name in ("timestamp", "part", "plays") if name in events.collect_schema()]
    return joined.select("user", pl.col("track_code").alias("track"), *numbers, bucket.alias("bucket"))


def bucket_count(events: int, memory: int) -> int:
    """Buckets of users, so many that one fits in a quarter of the memory.

    >>> bucket_count(800_000_000, 6_000_000_000), bucket_count(1_000, 6_000_000_000)
    (200, 1)
    """
    most = min(MOST_EVENTS, memory // 4 // BYTES_PER_EVENT)
    return min(MOST_BUCKETS, max(1, -(-events // most)))


def _coded_users(user_ids: "pl.DataFrame", repaired: dict[str, int]) -> "pl.DataFrame":
    """Columns user_id (as spelled), user int32, id: codes in the order of the ids. user_ids: each once."""
    import polars as pl

    spelled = user_ids.sort("user_id")["user_id"]
    codes, ids = _ids("user_id", spelled, repaired)
    return pl.DataFrame({"user_id": spelled, "user": pl.Series(codes, dtype=pl.Int32), "id": ids.gather(codes)})


def _ids(column: str, spelled: "pl.Series", repaired: dict[str, int]) -> "tuple[np.ndarray, pl.Series]":
    """Codes of distinct spellings into the sorted ids, after the rules that hold for every table of ids.

    `repaired` receives how many spellings each rule has changed.
    """
    import numpy as np
    import polars as pl
    import pyarrow as pa

    def refuse(bad: np.ndarray, reason: str) -> None:
        if bad.any():
            raise UserError(f"column {column} of the raw files: {spelled[int(np.argmax(bad))]!r} {reason}")

    refuse(spelled.str.starts_with('{"').to_numpy(), "is a JSON object and no id; save ids as text or whole numbers")
    cells = pa.chunked_array([pa.array(spelled.to_list(), pa.string())])
    found = read_ids(cells, False, refuse, lambda row: f"{column} {short(spelled[row])}")
    repaired |= {f"{column}: {what}, spellings": count for what, count in found.repaired.items()}
    return found.codes, pl.Series(found.names.to_pylist(), dtype=pl.String)


def _with_entities(spellings: "pl.DataFrame", repaired: dict[str, int], texts: "Texts") -> "pl.DataFrame":
    """The spellings with keys and ids: item_id and artist_ref, and clean names of track, artist, album and genres."""
    import polars as pl

    frame = spellings.with_columns(
        pl.lit(None, pl.String).alias(name)
        for name in ("track_id", "track", "artist_id", "artist", "album_id", "album", "genre")
        if name not in spellings.columns
    )
    for name in ("track_id", "artist_id"):
        frame = frame.join(_spelled_ids(name, frame[name], repaired), on=name, how="left")
    for name in MADE_OF_TEXTS:
        frame = frame.join(texts(name, frame[name].drop_nulls().unique().sort()), on=name, how="left")
    artist = pl.coalesce("artist_id_canonical", "artist_key")
    named = pl.concat_str(artist, pl.lit(BETWEEN), "title_key")
    return frame.with_columns(
        item_id=pl.coalesce("track_id_canonical", named),
        artist_ref=artist,
        title_key=pl.when(pl.col("track_id").is_null()).then("title_key"),
    ).sort([name for name in spellings.columns if name not in ("events", "plays")], maintain_order=True)


def _spelled_ids(name: str, column: "pl.Series", repaired: dict[str, int]) -> "pl.DataFrame":
    import polars as pl

    spelled = column.drop_nulls().unique().sort()
    if not len(spelled):
        return pl.DataFrame({name: [], f"{name}_canonical": []}, dict.fromkeys((name, f"{name}_canonical"), pl.String))
    codes, ids = _ids(name, spelled, repaired)
    return pl.DataFrame({name: spelled, f"{name}_canonical": ids.gather(codes)})


def made_of_texts(name: str, texts: "pl.Series") -> "pl.DataFrame":
    """What the rules make of distinct names of artists, tracks or albums, each once; columns name, and those made."""
    return _made(name, texts, MADE_OF_TEXTS[name])


def _made(name: str, texts: "pl.Series", functions: "Mapping[str, Made]") -> "pl.DataFrame":
    import polars as pl

    cells = {column: [function(text) for text in texts] for column, function in functions.items()}
    return pl.DataFrame({name: texts, **{column: pl.Series(made, dtype=pl.String) for column, made in cells.items()}})


def _clean(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _guests(name: str) -> str | None:
    return guests(name) or None


def _credit(name: str) -> str:
    return _clean(main_credit(name))


Made = Callable[[str], str | None]
Texts = Callable[[str, "pl.Series"], "pl.DataFrame"]
MADE_OF_TEXTS: Mapping[str, Mapping[str, Made]] = {
    "artist": {"credit": _credit, "artist_key": artist_key, "featured": _guests},
    "track": {"title": _clean, "title_key": title_key},
    "album": {"album_name": _clean, "album_key": title_key},
}
"""Columns that functions make of a text, which depend on nothing else."""


def most_played(frame: "pl.DataFrame", by: str, value: str) -> "pl.DataFrame":
    """For each `by` the `value` with the most plays in train, ties to the first by code point; columns by, value.

    What is in train takes no value from later events, even if it has none in train.
    """
    import polars as pl

    known = frame.filter(pl.col(value).is_not_null() & pl.col(by).is_not_null())
    summed = known.group_by(by, value).agg(pl.col("plays").sum())
    in_train = frame.filter(pl.col("plays") > 0).select(by)
    late = summed.filter(pl.col("plays") == 0).join(in_train, on=by, how="anti")
    played = pl.concat([summed.filter(pl.col("plays") > 0), late])
    ordered = played.sort([by, "plays", value], descending=[False, True, False])
    return ordered.unique(by, keep="first", maintain_order=True).select(by, value)


def _artists(spellings: "pl.DataFrame") -> "pl.DataFrame":
    """Artists sorted by id."""
    import polars as pl

    named = spellings.filter(pl.col("artist_ref").is_not_null())
    about = named.group_by("artist_ref").agg(
        has_id=(pl.col("artist_id").is_not_null() & (pl.col("plays") > 0)).any(), plays=pl.col("plays").sum()
    )
    names = most_played(named, "artist_ref", "credit")
    joined = about.join(names, on="artist_ref", how="left").sort("artist_ref")
    name = pl.coalesce("credit", "artist_ref")
    keys = [artist_key(text) for text in joined.select(name).to_series()]
    return joined.select(
        id="artist_ref", name=name, key=pl.Series(keys, dtype=pl.String), has_id="has_id", plays="plays"
    )


def _tracks(spellings: "pl.DataFrame", artists: "pl.DataFrame") -> "pl.DataFrame":
    """Tracks sorted by id, each with its most played title, artist, album and genres."""
    import polars as pl

    by = "item_id"
    tracks = spellings.group_by(by).agg(pl.col("plays").sum(), pl.col("title_key").first()).sort(by)
    for value in ("title", "artist_ref", "featured", "album_key", "genre"):
        tracks = tracks.join(most_played(spellings, by, value), on=by, how="left")
    albums = spellings.with_columns(album=pl.concat_str("artist_ref", pl.lit("\n"), "album_key", ignore_nulls=True))
    album = pl.concat_str("artist_ref", pl.lit("\n"), "album_key", ignore_nulls=True)
    named = most_played(albums.filter(pl.col("album_key").is_not_null()), "album", "album_name")
    tracks = tracks.with_columns(album=pl.when(pl.col("album_key").is_not_null()).then(album)).join(
        named, on="album", how="left"
    )
    codes = artists.with_row_index("artist").select("artist", artist_ref="id")
    tracks = tracks.join(codes, on="artist_ref", how="left").join(_genres(spellings), on="genre", how="left").sort(by)
    return tracks.select(
        by,
        name=pl.coalesce("title", by),
        artist=pl.col("artist").cast(pl.Int32).fill_null(-1),
        album="album_name",
        genres="genres",
        featured="featured",
        title_key="title_key",
        plays="plays",
    )


def _genres(spellings: "pl.DataFrame") -> "pl.DataFrame":
    """Columns genre (as spelled), genres: names joined by "|", each in its most played spelling."""
    import polars as pl

    texts = spellings.filter(pl.col("genre").is_not_null()).group_by("genre").agg(pl.col("plays").sum()).sort("genre")
    parts = texts.with_columns(part=pl.col("genre").str.split("|")).explode("part")
    parts = parts.with_columns(part=pl.col("part").str.strip_chars()).filter(pl.col("part") != "")
    keys = _made("part", parts["part"].unique().sort(), {"key": fold_words})
    parts = parts.join(keys, on="part", how="left")
    parts = parts.join(most_played(parts, "key", "part").rename({"part": "spelling"}), on="key", how="left")
    return (
        parts.unique(["genre", "spelling"], maintain_order=True)
        .group_by("genre", maintain_order=True)
        .agg(genres=pl.col("spelling").str.join("|"))
    )


def _reduction(spellings: Any, users: Any, tracks: Any, artists: Any) -> dict[str, Any]:
    """How many spellings there were, and how many things they are."""

    albums = spellings.select("artist_ref", "album_key").drop_nulls().unique()

    def count(column: str) -> int:
        return int(spellings[column].drop_nulls().n_unique())

    return {
        "users": {"spellings": len(users), "ids": int(users["user"].max()) + 1},
        "artists": {"spellings": count("artist") or count("artist_id"), "ids": len(artists)},
        "tracks": {"spellings": len(spellings), "ids": len(tracks)},
        "albums": {
            "spellings": count("album"),
            "ids": len(albums),
        },
        "genres": {"spellings": count("genre"), "ids": int(tracks["genres"].drop_nulls().n_unique())},
    }
