"""What is known of an item that is not in the catalogue, checked against a train view, and its vectors."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from common.features.content_vectors import audio_columns, mean_and_spread_of, of_unit_length
from common.splits.train_view import TrainView
from common.utils.errors import UserError, did_you_mean, short

MOST, LARGEST = 10_000, 1e9
"""Tags and genres of a new item at most, and the largest number that may stand for anything of it."""
YEARS = (1, 9999)


@dataclass(frozen=True)
class NewItem:
    """An item that is not in the catalogue, in the words of its train view; made by `described`.

    tags: how many people gave each tag; audio: float64 (features,) in the order of the data, or None; release_year:
    NaN where it is unknown.
    """

    name: str | None = None
    tags: Mapping[str, float] = field(default_factory=dict)
    genres: tuple[str, ...] = ()
    audio: np.ndarray | None = None
    release_year: float = float("nan")

    @property
    def known(self) -> tuple[str, ...]:
        """The kinds of content that it has."""
        has = {
            "name": self.name is not None,
            "tags": bool(self.tags),
            "genres": bool(self.genres),
            "audio": self.audio is not None,
            "release_year": not np.isnan(self.release_year),
        }
        return tuple(kind for kind, there in has.items() if there)


def described(
    train: TrainView,
    name: str | None = None,
    tags: Any = (),
    genres: Any = (),
    audio: Any = None,
    release_year: Any = None,
) -> NewItem:
    """A new item from what is known of it.

    tags: a list, or a mapping to how many people gave each; genres: a list; audio: a mapping from the names of the
    audio features, all of them, or their values in the order of the data. Raises a UserError for a tag or genre that
    no item of the catalogue has, for values that are not finite numbers, and for too few or too many of them.
    """
    if name is not None and not isinstance(name, str):
        raise UserError(f"name = {short(name)}: give a text")
    weights = _weights(tags)
    known_tags = [] if train.item_tags is None else train.item_tags["tag"].unique().tolist()
    found_tags = _among("tag", weights, known_tags)
    found_genres = _among("genre", _listed("genres", genres), genres_of(train))
    return NewItem(
        name or None,
        dict(zip(found_tags, weights.values(), strict=True)),
        tuple(dict.fromkeys(found_genres)),
        None if audio is None else _audio(audio, audio_columns(train)),
        float("nan") if release_year is None else _number("release_year", release_year, *YEARS),
    )


def as_new(train: TrainView, codes: Sequence[int]) -> list[NewItem]:
    """Items of the catalogue as if they were new: what is known of their content there."""
    tags: dict[int, dict[str, float]] = {int(code): {} for code in codes}
    if train.item_tags is not None:
        own = train.item_tags[train.item_tags["item"].isin(tags)]
        for item, tag, weight in own[["item", "tag", "weight"]].itertuples(index=False):
            tags[int(item)][tag] = float(weight)
    there = [name for name in ("name", "genres", "release_year") if name in train.items]
    rows = train.items.iloc[list(codes)]
    audio = rows[audio_columns(train)].to_numpy(float)
    found = []
    for place, (code, row) in enumerate(zip(codes, rows[there].to_dict("records"), strict=True)):
        has = {name: value for name, value in row.items() if not pd.isna(value)}
        sound = audio[place] if audio.shape[1] and not np.isnan(audio[place]).any() else None
        genres = tuple(dict.fromkeys(str(has["genres"]).split("|"))) if "genres" in has else ()
        year = float(has.get("release_year", "nan"))
        found.append(NewItem(has.get("name"), tags[int(code)], genres, sound, year))
    return found


def genres_of(train: TrainView) -> list[str]:
    """The genres of the catalogue, sorted."""
    if "genres" not in train.items:
        return []
    joined = train.items["genres"].dropna().astype(object).unique()
    return sorted({genre for one in joined for genre in one.split("|")})


def new_tag_counts(train: TrainView, items: Sequence[NewItem]) -> sparse.csr_array:
    """Rows beside those of `content_vectors.tag_counts`: how many gave each tag to each new item."""
    assert train.item_tags is not None
    names = sorted(train.item_tags["tag"].unique())
    return _rows(names, [one.tags for one in items])


def new_vectors(train: TrainView, space: str, items: Sequence[NewItem]) -> sparse.csr_array:
    """Unit vectors of new items in the space of `content_vectors.item_vectors`, (new items, dimensions)."""
    if space == "tag":
        return of_unit_length(new_tag_counts(train, items))
    if space == "genre":
        return of_unit_length(_rows(genres_of(train), [dict.fromkeys(one.genres, 1.0) for one in items]))
    values = train.items[audio_columns(train)].to_numpy(float)
    mean, spread = mean_and_spread_of(values[~np.isnan(values).any(axis=1)])
    rows = [np.zeros(len(mean)) if one.audio is None else (one.audio - mean) / spread for one in items]
    return of_unit_length(sparse.csr_array(np.array(rows).reshape(-1, len(mean))))


def _rows(names: Sequence[str], items: Sequence[Mapping[str, float]]) -> sparse.csr_array:
    places = {name: place for place, name in enumerate(names)}
    rows = np.repeat(np.arange(len(items)), [len(one) for one in items])
    columns = np.array([places[name] for one in items for name in one], np.int64)
    values = np.array([value for one in items for value in one.values()], float)
    return sparse.csr_array((values, (rows, columns)), shape=(len(items), len(names)))


def _listed(argument: str, values: Any) -> list[Any]:
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise UserError(f"{argument} = {short(values)}: give a list of texts")
    values = list(values)
    if len(values) > MOST:
        raise UserError(f"{argument} has {len(values):,} entries: give at most {MOST:,}")
    return values


def _weights(tags: Any) -> dict[Any, float]:
    if not isinstance(tags, Mapping):
        return dict.fromkeys(_listed("tags", tags), 1.0)
    _listed("tags", list(tags))
    return {tag: _number(f"tags: {short(tag)}", weight, 1e-9, LARGEST) for tag, weight in tags.items()}


def _among(kind: str, names: Iterable[Any], known: Sequence[str]) -> list[str]:
    """The names as the catalogue spells them, in any case."""
    spelt = {name.casefold(): name for name in known} | {name: name for name in known}
    found = []
    for name in names:
        if not isinstance(name, str):
            raise UserError(f"{kind} {short(name)}: give a text")
        if not known:
            raise UserError(f"{kind} {short(name)}: the data have no {kind}s; leave them out")
        if (own := spelt.get(name, spelt.get(name.strip().casefold()))) is None:
            near = difflib.get_close_matches(name.casefold()[:60], spelt, n=2)
            hint = did_you_mean([repr(spelt[one]) for one in near], f"leave it out, or give one of the {kind}s there")
            raise UserError(f"{kind} {short(name)}: no item of the catalogue has it; {hint}")
        found.append(own)
    return found


def _audio(audio: Any, columns: Sequence[str]) -> np.ndarray:
    if not columns:
        raise UserError("audio: the data have no audio features; leave them out")
    wanted = f"give {len(columns)} numbers: {', '.join(columns)}"
    if isinstance(audio, Mapping):
        if wrong := [name for name in audio if name not in columns]:
            raise UserError(f"audio: there is no {short(wrong[0])}; {wanted}")
        if missing := [name for name in columns if name not in audio]:
            raise UserError(f"audio lacks {', '.join(missing)}; {wanted}")
        audio = [audio[name] for name in columns]
    if isinstance(audio, str | bytes) or not isinstance(audio, Iterable):
        raise UserError(f"audio = {short(audio)}: {wanted}")
    values = list(audio)
    if len(values) != len(columns):
        raise UserError(f"audio has {len(values):,} numbers; {wanted}")
    pairs = zip(columns, values, strict=True)
    return np.array([_number(f"audio: {name}", value, -LARGEST, LARGEST) for name, value in pairs])


def _number(name: str, value: Any, least: float, most: float) -> float:
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:
        raise UserError(f"{name} = {short(value)}: give a finite number from {least:g} to {most:g}")
    return float(value)
