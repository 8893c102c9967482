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
from common.splits.cross_fitting import scheme_of
from common.splits.train_view import TrainView
from common.utils.arrays import pack_csr, sums_of_rows, unpack_csr, weigh

DAY = 86_400
PEOPLE = ("age", "gender", "country")


@dataclass(frozen=True)
class FeatureTables:
    """Dense arrays and sparse matrices by name; a name is there only if the data have it.

    matrices: plays (users, items), tags and tag_vectors (items, tags), friends (users, users). arrays: popularity,
    spoken_of, heard (items,), ordered (), genres (items, genres), audio and audio_vectors (items, 9), years (items,),
    event_users, event_items, event_days (events,), user_age, user_gender, user_country (users,).
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

    def of_listeners(self, total: np.ndarray) -> np.ndarray:
        """A mean over listeners from their total; NaN for an item of whose few listeners nothing is to be said."""
        return np.where(self.arrays["spoken_of"], ratio(total, self.has.sum(axis=0)), np.nan)


def feature_tables(train: TrainView) -> FeatureTables:
    """The tables of a train view."""
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
    if "timestamp" in (rows := train.interactions):
        arrays["event_users"], arrays["event_items"] = rows["user"].to_numpy(), rows["item"].to_numpy()
        arrays["event_days"] = rows["timestamp"].to_numpy() / DAY
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
    return np.asarray(sparse.csr_array(matrix)[rows, columns], float) if len(rows) else np.zeros(0)


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
