"""What features are made from: the tables of a train view as arrays, and what is derived from them once."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import sparse

from common.data.tables import AUDIO_FEATURES
from common.features.content_vectors import item_vectors, of_unit_length, tag_counts
from common.models.knn.content_knn import tf_idf
from common.models.knn.user_knn import friend_matrix
from common.models.two_stage.hour_tables import hour_tables
from common.splits.cross_fitting import scheme_of
from common.splits.train_view import TrainView
from common.utils.arrays import pack_csr, sums_of_rows, unpack_csr, weigh

DAY = 86_400
PEOPLE = ("age", "gender", "country")
DENSE_BYTES = 2**26
"""Memory that a sparse matrix may take as a dense one while single entries are looked up."""
PAIRS_AT_ONCE = 8192
"""Pairs whose items' tags are gathered together."""
TABLE_BYTES = 190
"""Memory that a visible interaction takes in the tables of the whole train view and of a fold together."""


@dataclass(frozen=True)
class ItemTimes:
    """When items were played: how often, int64 (items,); mean and last day, float64 (items,), NaN where nothing is to
    be said. items, days: all events by item, then day, (events,)."""

    counts: np.ndarray
    mean: np.ndarray
    newest: np.ndarray
    items: np.ndarray
    days: np.ndarray

    @cached_property
    def last_day(self) -> float:
        """The latest of all events."""
        return self.days.max(initial=-np.inf)

    @cached_property
    def low(self) -> float:
        """A day before all others."""
        return self.days.min() - 1

    @cached_property
    def width(self) -> float:
        """More days than there are between any two."""
        return self.days.max() - self.days.min() + 3

    @cached_property
    def keys(self) -> np.ndarray:
        """Item and day of each event as one rising number, float64 (events,)."""
        return self.items * self.width + (self.days - self.low)

    def before(self, queried: np.ndarray, day: np.ndarray) -> np.ndarray:
        """How many events of each queried item lie before a day, int64 (len(queried),)."""
        if not len(self.days):
            return np.zeros(len(queried), np.int64)
        limit = np.clip(np.nan_to_num(day, nan=self.low), self.low, self.low + self.width - 0.5)
        found = np.searchsorted(self.keys, queried * self.width + (limit - self.low))
        return found - np.searchsorted(self.items, queried)


@dataclass(frozen=True)
class FeatureTables:
    """Dense arrays and sparse matrices by name; a name is there only if the data have it.

    matrices: plays (users, items), tags and tag_vectors (items, tags), friends (users, users). arrays: popularity,
    spoken_of, heard (items,), ordered (), genres (items, genres), audio and audio_vectors (items, 9), years (items,),
    event_items, event_days (events,), hour_lift (items, 24), weekday_lift (items, 7), user_age, user_gender,
    user_country (users,).
    """

    arrays: dict[str, np.ndarray]
    matrices: dict[str, sparse.csr_array] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        """Whether the data have a table."""
        return name in self.arrays or name in self.matrices

    def __getitem__(self, name: str) -> np.ndarray | sparse.csr_array:
        """The table of a name."""
        return self.arrays[name] if name in self.arrays else self.matrices[name]

    def pack(self) -> dict[str, np.ndarray]:
        """All of it as named arrays without objects."""
        packed = {f"array/{name}": array for name, array in self.arrays.items()}
        for name, matrix in self.matrices.items():
            packed |= pack_csr(f"matrix/{name}", matrix) | {f"matrix/{name}_columns": np.array(matrix.shape[1])}
        return packed

    @staticmethod
    def unpack(packed: dict[str, np.ndarray]) -> "FeatureTables":
        """What `pack` took apart."""
        arrays = {key[len("array/") :]: array for key, array in packed.items() if key.startswith("array/")}
        names = [key[len("matrix/") : -len("_columns")] for key in packed if key.endswith("_columns")]
        matrices = {n: unpack_csr(f"matrix/{n}", packed, int(packed[f"matrix/{n}_columns"])) for n in names}
        return FeatureTables(arrays, matrices)

    @cached_property
    def has(self) -> sparse.csr_array:
        """Who has what, float64 (users, items)."""
        return weigh(self.matrices["plays"], "binary")

    @cached_property
    def log_plays(self) -> sparse.csr_array:
        """log(1 + plays), float64 (users, items)."""
        return weigh(self.matrices["plays"], "log")

    @cached_property
    def has_plays(self) -> bool:
        """Whether interactions weigh differently."""
        plays = self.matrices["plays"].data
        return bool(len(plays)) and plays.min() < plays.max()

    @cached_property
    def log_listeners(self) -> np.ndarray:
        """Log of the popularity, float64 (items,)."""
        return np.log(self.arrays["popularity"].astype(float))

    @cached_property
    def popularity_rank(self) -> np.ndarray:
        """Place by popularity as a share of the catalogue, 0 is the most popular; equal counts share a place."""
        falling = -self.arrays["popularity"]
        return np.searchsorted(np.sort(falling), falling) / len(falling)

    @cached_property
    def user_log_plays(self) -> np.ndarray:
        """Mean log plays of each fitted user, NaN without any, float64 (users,)."""
        return ratio(self.log_plays.sum(axis=1), self.has.sum(axis=1))

    @cached_property
    def item_log_plays(self) -> np.ndarray:
        """Mean log plays of each item's listeners."""
        return self.of_listeners(self.log_plays.sum(axis=0))

    @cached_property
    def item_activity(self) -> np.ndarray:
        """Mean over each item's listeners of their mean log plays."""
        return self.of_listeners(self.has.T @ np.nan_to_num(self.user_log_plays))

    @cached_property
    def item_mainstream(self) -> np.ndarray:
        """Mean over each item's listeners of the mean log popularity of what they have."""
        mainstream = ratio(self.has @ self.log_listeners, self.has.sum(axis=1))
        return self.of_listeners(self.has.T @ np.nan_to_num(mainstream))

    @cached_property
    def tag_totals(self) -> np.ndarray:
        """All tag assignments of each item."""
        return np.asarray(self.matrices["tags"].sum(axis=1)).ravel()

    @cached_property
    def has_vector(self) -> dict[str, np.ndarray]:
        """Which items have anything in each table of vectors, bool (items,)."""
        names = [name for name in ("genres", "audio_vectors", "tag_vectors") if name in self]
        return {name: np.diff(sparse.csr_array(self[name]).indptr) > 0 for name in names}

    @cached_property
    def known_values(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Of audio and years: of which items all values are known, 0 or 1, (items,), and the values, 0 for the other
        items, (items, columns)."""
        return {name: _known(self.arrays[name]) for name in ("audio", "years") if name in self}

    @cached_property
    def item_times(self) -> "ItemTimes":
        """When items were played; only where `event_days` is there."""
        items, days, told = self.arrays["event_items"], self.arrays["event_days"], self.arrays["spoken_of"]
        counts = np.bincount(items, minlength=len(told))
        newest = np.full(len(told), -np.inf)
        np.maximum.at(newest, items, days)
        mean = np.where(told, ratio(np.bincount(items, days, len(told)), counts), np.nan)
        order = np.lexsort((days, items))
        return ItemTimes(counts, mean, np.where(told, newest, np.nan), items[order], days[order])

    @cached_property
    def listeners_told(self) -> dict[str, np.ndarray]:
        """Of age, gender and country: how many of each item's listeners have told it, float64 (items,)."""
        there = {name: self.arrays[f"user_{name}"] for name in PEOPLE if f"user_{name}" in self}
        return {name: self.has.T @ (~np.isnan(values)).astype(float) for name, values in there.items()}

    @cached_property
    def listeners_age(self) -> np.ndarray:
        """Mean age of each item's listeners, NaN where nothing is to be said, float64 (items,)."""
        total = self.has.T @ np.nan_to_num(self.arrays["user_age"])
        return np.where(self.arrays["spoken_of"], ratio(total, self.listeners_told["age"]), np.nan)

    @cached_property
    def listeners_like(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Of gender and country: the distinct values, rising, and the share of each item's listeners that has each,
        float64 (items, values)."""
        found = {}
        for name in self.listeners_told.keys() - {"age"}:
            values, telling = self.arrays[f"user_{name}"], self.listeners_told[name]
            kinds = np.unique(values[~np.isnan(values)])
            like = self.has.T @ (values[:, None] == kinds).astype(float)
            found[name] = kinds, like / np.where(telling > 0, telling, np.nan)[:, None]
        return found

    def of_listeners(self, total: np.ndarray) -> np.ndarray:
        """A mean over listeners from their total; NaN for an item of whose few listeners nothing is to be said."""
        return np.where(self.arrays["spoken_of"], ratio(total, self.has.sum(axis=0)), np.nan)


def feature_tables(train: TrainView, context: bool = False) -> FeatureTables:
    """The tables of a train view; with `context` those of the hours at which items are played."""
    arrays = {
        "popularity": train.popularity,
        "spoken_of": train.counts > train.count_floor,
        "heard": train.counts > 1,
        "ordered": np.array(scheme_of(train.protocol) == "last"),
    }
    matrices = {"plays": train.histories.matrix()}
    if (counts := tag_counts(train)) is not None:
        matrices |= {"tags": counts, "tag_vectors": of_unit_length(tf_idf(counts))}
    if (genres := item_vectors(train, "genre")) is not None:
        arrays["genres"] = genres.toarray()
    if (audio := item_vectors(train, "audio")) is not None:
        arrays |= {"audio_vectors": audio.toarray(), "audio": _standardised_audio(train.items)}
    if "release_year" in train.items and train.items["release_year"].notna().any():
        arrays["years"] = train.items["release_year"].to_numpy(float, na_value=np.nan)
    if train.social is not None and len(train.social):
        matrices["friends"] = friend_matrix(train.social, train.n_users)
    if (times := train.histories.timestamps) is not None:
        arrays["event_items"], arrays["event_days"] = np.asarray(train.histories.items), times / DAY
    if context:
        arrays |= hour_tables(train)
    for column in PEOPLE:
        if column in train.users and train.users[column].notna().any():
            arrays[f"user_{column}"] = _as_numbers(train.users[column], column)
    return FeatureTables(arrays, matrices)


def _standardised_audio(items: pd.DataFrame) -> np.ndarray:
    """Audio features in units of their spread, NaN where unknown, float64 (items, features)."""
    values = items[[name for name in AUDIO_FEATURES if name in items]].to_numpy(float, na_value=np.nan)
    spread = np.nanstd(values, axis=0)
    return (values - np.nanmean(values, axis=0)) / np.where(spread > 0, spread, 1)


def _known(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values = values.reshape(len(values), -1)
    known = ~np.isnan(values).any(axis=1)
    return known.astype(float), np.where(known[:, None], values, 0)


def _as_numbers(values: pd.Series, column: str) -> np.ndarray:
    """Ages as they are, other values as codes of the sorted distinct ones; NaN where unknown."""
    if column == "age":
        return pd.to_numeric(values, errors="coerce").to_numpy(float, na_value=np.nan)
    codes = pd.factorize(values.astype(object), sort=True)[0].astype(float)
    return np.where(codes >= 0, codes, np.nan)


def ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """A mean from a total and a count, NaN where nothing is counted, float64.

    >>> ratio(np.array([3.0, 0.0]), np.array([2, 0]))
    array([1.5, nan])
    """
    total, count = np.asarray(total, float).ravel(), np.asarray(count, float).ravel()
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)


def of_products(
    weights: sparse.csr_array, matrix: sparse.csr_array, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Single entries of weights @ matrix, float64 (len(rows),)."""
    if weights.shape[0] == 1:
        return sums_of_rows(weights, matrix)[rows, columns]
    return entries(weights @ matrix, rows, columns)


def entries(matrix: sparse.csr_array, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Single entries of a sparse matrix, float64 (len(rows),).

    >>> entries(sparse.csr_array([[0.0, 2.0]]), np.array([0, 0]), np.array([1, 0]))
    array([2., 0.])
    """
    if not len(rows):
        return np.zeros(0)
    if 8 * matrix.shape[0] * matrix.shape[1] <= DENSE_BYTES:  # looking up one by one in long rows takes far longer
        return matrix.toarray()[rows, columns].astype(float)
    return np.asarray(sparse.csr_array(matrix)[rows, columns], float)


def counts_in(counts: sparse.csr_array, items: np.ndarray, profiles: sparse.csr_array, rows: np.ndarray) -> np.ndarray:
    """How much of what is counted of an item stands in a profile: of pairs (row of `profiles`, item), float64 (pairs,).

    >>> counts_in(sparse.csr_array([[2.0, 3.0]]), np.array([0]), sparse.csr_array([[0.0, 1.0]]), np.array([0]))
    array([3.])
    """
    stands = profiles.astype(bool).toarray()
    found = np.zeros(len(items))
    for start in range(0, len(items), PAIRS_AT_ONCE):
        own = slice(start, start + PAIRS_AT_ONCE)
        of_items = counts[items[own]]
        pair = np.repeat(np.arange(of_items.shape[0]), np.diff(of_items.indptr))
        weights = of_items.data * stands[rows[own][pair], of_items.indices]
        found[own] = np.bincount(pair, weights, of_items.shape[0])
    return found


def entropy(amounts: np.ndarray | sparse.csr_array) -> np.ndarray:
    """Entropy in nats of each row's shares, NaN for an empty row, float64 (rows,).

    >>> entropy(np.array([[1.0, 1.0], [3.0, 0.0], [0.0, 0.0]])).round(3)
    array([0.693, 0.   ,   nan])
    """
    amounts = sparse.csr_array(amounts).astype(float)
    total = np.asarray(amounts.sum(axis=1)).ravel()
    row = np.repeat(np.arange(amounts.shape[0]), np.diff(amounts.indptr))
    share = amounts.data / total[row]
    surprise = np.bincount(row, -share * np.log(np.maximum(share, 1e-300)), minlength=amounts.shape[0])
    return np.where(total > 0, surprise, np.nan)
