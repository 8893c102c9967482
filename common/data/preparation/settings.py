"""How raw logs are prepared: what may be set, by flags or in a `raw.toml`, and how columns are recognised."""

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from common.utils.errors import UserError, short, unknown_name
from common.utils.settings import Range, check_field, check_ranges, plain_value

RAW_TOML = "raw.toml"
ALIASES = {
    "user_id": ("user", "uid", "userid", "user_sha1", "listener", "user_name", "username"),
    "track_id": (
        *("item_id", "song_id", "recording_id", "track_mbid", "recording_mbid", "musicbrainz_track_id"),
        *("trackid", "itemid", "songid"),
    ),
    "track": ("track_name", "title", "song", "song_name", "track_title", "traname", "recording_name"),
    "artist_id": ("artist_mbid", "artistid", "musicbrainz_artist_id"),
    "artist": ("artist_name", "artname", "performer"),
    "album_id": ("release_id", "release_mbid", "albumid"),
    "album": ("album_name", "release", "release_name", "album_title"),
    "genre": ("genres", "style"),
    "timestamp": ("time", "ts", "date", "datetime", "played_at", "listened_at", "event_time", "scrobbled_at"),
    "plays": ("play_count", "playcount", "count", "listens"),
}
"""The columns of a raw log, and other names by which they are recognised, in any case."""
TEXTS = ("user_id", "track_id", "track", "artist_id", "artist", "album_id", "album", "genre")
TRACK_COLUMNS = TEXTS[1:]
"""What tells one track from another."""
Share = Annotated[float, Range(0.0, 1.0)]
Count = Annotated[int, Range(1, 2**31 - 1)]
Number = Annotated[int, Range(0, 2**31 - 1)]


@dataclass(frozen=True)
class PreparationSettings:
    """What the ten steps may be told; every field is a flag of `python -m common prepare` and a key of raw.toml."""

    columns: tuple[str, ...] = ()
    """Columns of other names, as standard=theirs: user_id=who track=song_title. In raw.toml a table [columns]."""
    separator: str = "auto"
    """What separates cells of text files; auto: a comma in .csv, a tab in .tsv."""
    header: tuple[str, ...] = ()
    """Names of the columns of text files that have no header, in order."""
    quotes: bool = True
    """Whether quotation marks of text files enclose cells; --no-quotes takes them as characters of names."""
    time_zone: str = "UTC"
    """Zone of times that are written without one, such as Europe/Berlin."""
    earliest: str = "1990-01-01"
    """First day that an event may be of; none: any. Events before it are dropped and counted."""
    latest: str = "2099-12-31"
    """Last day that an event may be of; none: any."""
    train_share: Annotated[float, Range(0.01, 0.98)] = 0.8
    """Share of the events, oldest first, that are train."""
    valid_share: Annotated[float, Range(0.01, 0.98)] = 0.1
    """Share of the events after train that are valid; the rest is test."""
    test_days: Annotated[float, Range(0.0, 36_500.0)] = 0.0
    """Days at the end that are test, instead of shares; 0: shares."""
    valid_days: Annotated[float, Range(0.0, 36_500.0)] = 1.0
    """Days before test that are valid, where --test-days or --test-from is given."""
    test_from: Annotated[int, Range(0, 2**40)] = 0
    """Second from which events are test, instead of --test-days before the last one; 0: by days or shares."""
    gap_minutes: Annotated[float, Range(0.0, 525_600.0)] = 0.0
    """Minutes before valid and before test whose events are dropped."""
    repeats: str = "drop"
    """drop: valid and test hold pairs that are new to the user. keep: all."""
    deduplicate_events: bool = True
    """Whether the same user, track and second twice counts once."""
    near_spelling: Annotated[float, Range(50.0, 100.0)] = 92.0
    """Similarity in percent from which two spellings are one artist; 100 merges none, but lists them."""
    rarer: Share = 0.2
    """Most plays that the rarer of two near spellings may have, as a share of the other's."""
    bot_events_per_day: Count = 2_000
    """A user with more events than this on one day is a bot."""
    bot_steady: Count = 500
    """A user with this many events of which 95% follow one another at equal distances is a bot."""
    bot_repeats: Count = 20_000
    """A user who plays one track more often than this is a bot."""
    least_users: Count = 1
    """Least users of a track in train; rarer tracks are dropped."""
    least_tracks: Count = 1
    """Least tracks of a user in train; users with fewer are dropped, those new in valid or test are not."""
    core: Number = 0
    """Both of these again and again until all of train keeps them (k-core); 0: no core."""

    def check(self) -> None:
        """Raise a UserError for the first setting that makes no sense."""
        check_ranges("", self)
        if self.train_share + self.valid_share >= 1:
            raise UserError(
                f"--train-share {self.train_share:g} and --valid-share {self.valid_share:g} leave nothing for test; "
                "give shares that add up to less than 1"
            )
        if self.repeats not in ("drop", "keep"):
            raise unknown_name("value of --repeats", self.repeats, ("drop", "keep"))
        if self.separator != "auto" and len(self.separator.encode()) != 1:
            raise UserError(f"--separator {short(self.separator)}: give one character, or auto")
        _zone(self.time_zone)
        if self.first_second > self.last_second:
            raise UserError(f"--earliest {self.earliest} lies after --latest {self.latest}; swap them")
        _ = self.names

    @property
    def names(self) -> dict[str, str]:
        """Standard name of each column that `columns` names -> its name in the files."""
        named: dict[str, str] = {}
        for pair in self.columns:
            standard, equals, theirs = pair.partition("=")
            if not equals or not theirs:
                raise UserError(f"--columns {short(pair)}: write standard=theirs, such as user_id=who")
            if standard not in ALIASES:
                raise unknown_name("column in --columns", standard, ALIASES)
            if named.setdefault(standard, theirs) != theirs:
                raise UserError(
                    f"--columns names {standard} twice, as {named[standard]} and {theirs}; name one, and rename the "
                    "column of the other files"
                )
        return named

    @property
    def first_second(self) -> float:
        """The first second that an event may be of."""
        return _second("--earliest", self.earliest, -math.inf)

    @property
    def last_second(self) -> float:
        """The last second that an event may be of."""
        return _second("--latest", self.latest, math.inf, 86_399)


def _second(flag: str, day: str, none: float, more: int = 0) -> float:
    if day == "none":
        return none
    try:
        return (date.fromisoformat(day) - date(1970, 1, 1)).days * 86_400 + more
    except ValueError:
        raise UserError(f"{flag} {short(day)}: give a day such as 2009-06-30, or none") from None


def _zone(name: str) -> None:
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise UserError(f"--time-zone {short(name)}: no such zone; give one such as UTC or Europe/Berlin") from None


def read_raw_toml(path: Path) -> tuple[PreparationSettings, list[str]]:
    """Settings, and names of the raw files under the folder (`files`; default: all of it), of a `raw.toml`.

    Raises a UserError for a file that is no TOML, an unknown key, and a value that makes no sense.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: {error}; correct the file") from error
    files = found.pop("files", ["."])
    if not isinstance(files, list) or not all(isinstance(name, str) for name in files) or not files:
        raise UserError(f"{path}: files = {short(files)}; give a list of names")
    if isinstance(found.get("columns"), dict):
        found["columns"] = [f"{standard}={theirs}" for standard, theirs in found["columns"].items()]
    try:
        return _settings(found), files
    except UserError as mistake:
        raise UserError(f"{path}: {mistake}") from None


def _settings(values: Mapping[str, Any]) -> PreparationSettings:
    known = [f.name for f in fields(PreparationSettings)]
    for name, value in values.items():
        if name not in known:
            raise unknown_name("key", name, ["files", *known])
        kind = next(f.type for f in fields(PreparationSettings) if f.name == name)
        if kind is str and not isinstance(value, str):
            raise UserError(f"{name} = {short(value)}: give text in quotation marks")
        check_field(PreparationSettings, name, plain_value(value), name)
    settings = PreparationSettings(**{name: plain_value(value) for name, value in values.items()})
    settings.check()
    return settings


def recognise(found: Iterable[str], names: Mapping[str, str], where: str) -> dict[str, str]:
    """Standard name -> name in a file, for all columns that are named or go by a known name.

    Raises a UserError where a named column is missing, two columns mean the same, or what is needed is not there.
    """
    found = list(found)
    chosen: dict[str, str] = {}
    for standard, aliases in ALIASES.items():
        if standard in names:
            if names[standard] not in found:
                raise UserError(
                    f"{where}: column {names[standard]!r} is missing among {_listed(found)}; mend --columns"
                )
            chosen[standard] = names[standard]
            continue
        known = known_as(found, standard, aliases)
        if len(known) > 1:
            raise UserError(
                f"{where}: columns {_listed(known)} may all be {standard}; choose with --columns {standard}={known[0]}"
            )
        if known:
            chosen[standard] = known[0]
    for needed in (("user_id",), ("track_id", "track"), ("timestamp",)):
        if not chosen.keys() & set(needed):
            timeless = "; a table without times is read as it is, by --dataset" * (needed == ("timestamp",))
            remedy = f"name it with --columns {needed[0]}=..., or under [columns] of {RAW_TOML}{timeless}"
            raise UserError(
                f"{where}: no column is known as {' or '.join(needed)} among {_listed(found)}; "
                f"{_other_separator(found) or remedy}"
            )
    return chosen


def _other_separator(found: Sequence[str]) -> str:
    """How to read a file that seems to have one column, since its cells are separated otherwise; "" for any other.

    >>> _other_separator(["user;track;time"]), _other_separator(["user", "a;b"])
    ("its cells seem to be separated by ';': say so with --separator ';'", '')
    """
    remedies = {
        **{mark: f"say so with --separator {mark!r}" for mark in ";|"},
        **{"\t": "let its name end in .tsv", ",": "let its name end in .csv"},
    }
    for mark, remedy in remedies.items():
        if len(found) == 1 and mark in found[0]:
            return f"its cells seem to be separated by {mark!r}: {remedy}"
    return ""


def known_as(found: Iterable[str], standard: str, aliases: Iterable[str]) -> list[str]:
    """The columns that go by a standard name, in any case, or else all that go by it or an alias in any spelling.

    >>> known_as(["User", "uid", "Track Name"], "user", ["uid"]), known_as(["Track Name"], "track", ["track_name"])
    (['User'], ['Track Name'])
    """
    plain = {plain_name(alias) for alias in (standard, *aliases)}
    known = [name for name in found if plain_name(name) in plain]
    return [name for name in known if name.lower() == standard] or known


def plain_name(name: str) -> str:
    """A name of a column without case, blanks and punctuation.

    >>> plain_name("Track Name"), plain_name("artist(s)_name")
    ('trackname', 'artistsname')
    """
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _listed(names: Iterable[str]) -> str:
    shown = ", ".join(map(repr, names))
    return shown if len(shown) <= 400 else f"{shown[:397]}..."
