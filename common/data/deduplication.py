"""Artists that a table lists under several spellings, as one: the rules of the ten steps for prepared tables.

Artists of one `artist_key` are one; of nearly the same keys the much rarer one is the other, as in
`preparation.steps.deduplicate_artists`. Where the items are artists, their rows, plays and tags are merged; where they
are tracks, each keeps its id, and its artist the spelling that is played most. Plays of all rows decide: this is done
before a split is drawn.
"""

import dataclasses
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from common.data.artist_names import artist_key
from common.data.ids import PAIR, pair_keys
from common.data.preparation.settings import PreparationSettings
from common.data.preparation.steps.deduplicate_artists import NearPair, merged, near_pairs, nearest
from common.data.tables import Repair, Tables
from common.utils.errors import UserError

REVIEW = "near_spellings"
"""Table of the pairs of spellings, merged or not, for a person to look at."""
KEY, NEAR = "same_key", "near_spelling"


class Counts(NamedTuple):
    """Spellings of artists, how many of them are another one's by their key, and by a near spelling, and how many
    pairs of near spellings are only listed."""

    spellings: int
    same_key: int
    near_spelling: int
    only_listed: int

    @property
    def artists(self) -> int:
        """Artists after merging."""
        return self.spellings - self.same_key - self.near_spelling


@dataclasses.dataclass(frozen=True)
class Spellings:
    """names: object (n,), a spelling of an artist each; plays: float64 (n,)."""

    names: np.ndarray
    plays: np.ndarray

    @cached_property
    def same_as(self) -> np.ndarray:
        """The spelling that each counts as, int64 (n,): the one of its artist with the most plays."""
        of_key, group = self._groups
        return of_key[self._same[group]]

    @cached_property
    def counts(self) -> Counts:
        """How much is merged."""
        keys = len(self._groups[0])
        near = int((self._same != np.arange(keys)).sum())
        listed = sum(not pair.same for pair in self._pairs)
        return Counts(len(self.names), len(self.names) - keys, near, listed)

    @cached_property
    def review(self) -> pd.DataFrame:
        """Pairs of spellings: artist, near, plays, plays_of_near, score in percent, rule, merged; the closest first."""
        of_key, group = self._groups
        alike = np.flatnonzero(of_key[group] != np.arange(len(group)))
        rows = [(int(spelling), int(of_key[group[spelling]]), 100.0, KEY, True) for spelling in alike]
        rows += [(int(of_key[pair.rare]), int(of_key[pair.often]), pair.score, NEAR, pair.same) for pair in self._pairs]
        kinds = {"rare": np.int64, "often": np.int64, "score": float, "rule": object, "merged": bool}
        found = pd.DataFrame(rows, columns=list(kinds)).astype(kinds)
        rare, often = found["rare"].to_numpy(), found["often"].to_numpy()
        listed = {"artist": self.names[rare], "near": self.names[often], "plays": self.plays[rare]}
        listed |= {"plays_of_near": self.plays[often], "score": found["score"].round(1)}
        frame = pd.DataFrame(listed | {"rule": found["rule"], "merged": found["merged"]})
        order = ["merged", "score", "plays_of_near", "artist"]
        return frame.sort_values(order, ascending=[False, False, False, True], ignore_index=True)

    @cached_property
    def _ranked(self) -> np.ndarray:
        """The spellings, those with the most plays first, ties by code point."""
        return np.lexsort((np.argsort(np.argsort(self.names, kind="stable")), -self.plays))

    @cached_property
    def _groups(self) -> tuple[np.ndarray, np.ndarray]:
        """The most played spelling of each key, int64 (keys,), and the number of each spelling's key, int64 (n,)."""
        keys = np.array([artist_key(name) for name in self.names], object)[self._ranked]
        ranked_group, first = pd.factorize(keys)[0], pd.Series(keys).drop_duplicates().index.to_numpy()
        group = np.empty(len(keys), np.int64)
        group[self._ranked] = ranked_group
        return self._ranked[first], group

    @cached_property
    def _pairs(self) -> list[NearPair]:
        of_key, group = self._groups
        plays = np.bincount(group, self.plays, minlength=len(of_key))
        return nearest(near_pairs([artist_key(self.names[of]) for of in of_key], plays, PreparationSettings()))

    @cached_property
    def _same(self) -> np.ndarray:
        """The key that each key counts as, int64 (keys,)."""
        return merged(len(self._groups[0]), self._pairs)


def artists_are_items(tables: Tables) -> bool | None:
    """Whether the items are artists: each is its own `artist`. None where no artist is known."""
    items = tables.items
    if "artist" not in items or items["artist"].isna().all():
        return None
    artist = items["artist"].astype(object)
    known = artist.notna()
    own = artist == items["item_id"].astype(object)
    if "name" in items:
        own |= artist == items["name"].astype(object)
    return bool(own[known].all()) and "name" in items


def spellings_of(tables: Tables) -> Spellings | None:
    """The artists' names with their plays, each item's own where items are artists; None where no names are known."""
    are_items = artists_are_items(tables)
    if are_items is None:
        return None
    items, plays = tables.items, _plays(tables)
    if are_items:
        return Spellings(_names(tables).to_numpy(), plays)
    by_name = pd.Series(plays).groupby(items["artist"].astype(object).to_numpy()).sum()
    return Spellings(by_name.index.to_numpy(object), by_name.to_numpy())


def _names(tables: Tables) -> pd.Series:
    """The name of each item; one without a name has its id, which is nobody else's."""
    return tables.items["name"].astype(object).fillna(tables.items["item_id"].astype(object))


def _plays(tables: Tables) -> np.ndarray:
    """Plays of each item, float64 (items,)."""
    by_item = tables.interactions.groupby("item_id", observed=True)["weight"].sum()
    return tables.items["item_id"].map(by_item.to_dict()).fillna(0).to_numpy(float)


def deduplicate(tables: Tables) -> Tables:
    """The tables with the spellings of each artist made one, what was merged counted as repairs and listed for review.

    Raises a UserError for tables without names of artists, and for a ready-made split, which is used as it is.
    """
    if tables.predefined:
        raise UserError(
            "--deduplicate: a ready-made split is used as it is; give interactions.*, or leave the flag out"
        )
    found = spellings_of(tables)
    if found is None:
        raise UserError(
            "--deduplicate: the items have no artists; add a column artist to items.* (where the items are artists "
            "themselves, their names again), or leave the flag out"
        )
    changed = _merged_items(tables, found) if artists_are_items(tables) else _renamed_artists(tables, found)
    notes = tables.notes | {"deduplicated": found.counts._asdict() | {"artists": found.counts.artists}}
    return dataclasses.replace(changed, notes=notes, reviews={**tables.reviews, REVIEW: found.review})


def _repairs(found: Spellings) -> list[Repair]:
    what = {KEY: "spelling that differs in case, accents or punctuation", NEAR: "near spelling"}
    counts = {rule: found.counts._asdict()[rule] for rule in what}
    return [Repair("items", f"{what[rule]} merged into its artist", rows) for rule, rows in counts.items() if rows]


def _renamed_artists(tables: Tables, found: Spellings) -> Tables:
    """Tracks whose artists are called by one spelling."""
    new = dict(zip(found.names, found.names[found.same_as], strict=True))
    artist, kind = tables.items["artist"].astype(object), tables.items["artist"].dtype
    renamed = tables.items.assign(artist=artist.map(new).where(artist.notna(), None).astype(kind))
    return dataclasses.replace(tables, items=renamed, repairs=[*tables.repairs, *_repairs(found)])


def _merged_items(tables: Tables, found: Spellings) -> Tables:
    """Artists of one spelling each: plays added up, tags together, what is unknown of one taken from the others."""
    ids = tables.items["item_id"].astype(object).to_numpy()
    new = {old: ids[same] for old, same in zip(ids, found.same_as, strict=True) if old != ids[same]}
    interactions = _merged_rows(_with_ids(tables.interactions, new))
    repairs = [*tables.repairs, *_repairs(found)]
    if gone := len(tables.interactions) - len(interactions):
        repairs.append(Repair("interactions", "plays of a user's several spellings of an artist added up", gone))
    tags, catalogue = tables.user_item_tags, tables.item_tags
    if tags is not None:
        tags = _with_ids(tags, new).drop_duplicates(["user_id", "item_id", "tag"], ignore_index=True)
    if catalogue is not None:
        keys = ["item_id", "tag"]
        catalogue = _with_ids(catalogue, new).groupby(keys, as_index=False, sort=False, observed=True).sum()
    return dataclasses.replace(
        tables,
        interactions=interactions,
        items=_merged_descriptions(tables.items, found),
        item_tags=catalogue,
        user_item_tags=tags,
        songs=None if tables.songs is None else _with_ids(tables.songs, new),
        repairs=repairs,
    )


def _with_ids(frame: pd.DataFrame, new: dict[str, str]) -> pd.DataFrame:
    """A table with other ids of some items."""
    ids = frame["item_id"]
    if not isinstance(ids.dtype, pd.CategoricalDtype):
        return frame.assign(item_id=ids.map(lambda item: new.get(item, item), na_action="ignore").astype(ids.dtype))
    names = ids.cat.categories.to_series().map(lambda item: new.get(item, item)).astype("category")
    codes = ids.cat.codes.to_numpy()
    renamed = np.where(codes >= 0, names.cat.codes.to_numpy()[codes], -1)
    return frame.assign(item_id=pd.Categorical.from_codes(renamed, names.cat.categories))


def _merged_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per pair, at the place of its first: plays added up, the first time."""
    keys = pair_keys(rows.astype(dict.fromkeys(PAIR, "category")))
    group = pd.factorize(keys)[0]
    kept = rows[~pd.Series(keys).duplicated().to_numpy()].reset_index(drop=True)
    kept["weight"] = np.bincount(group, rows["weight"]).astype(rows["weight"].to_numpy().dtype)
    if "timestamp" in rows:
        kept["timestamp"] = rows["timestamp"].groupby(group).min().to_numpy()
    return kept


def _merged_descriptions(items: pd.DataFrame, found: Spellings) -> pd.DataFrame:
    """The rows of the spellings that are kept, in their order; what is missing in one comes from its others."""
    order = found._ranked
    first = items.iloc[order].groupby(found.same_as[order], sort=False).first()
    first.index.name = None
    own = np.flatnonzero(found.same_as == np.arange(len(items)))
    kept = items.iloc[own].reset_index(drop=True)
    filled = first.loc[own, [column for column in items if column not in ("item_id", "name", "artist")]]
    return kept.assign(**{str(column): filled[column].to_numpy() for column in filled}).astype(items.dtypes.to_dict())
