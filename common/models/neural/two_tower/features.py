"""Features of items and users beside their ids: content, popularity, friends, demographics.

Every number is of order 1 and 0 where nothing is known: heavy-tailed ones are log-scaled, all are standardised on what
is visible. A feature that is the same everywhere says nothing and becomes 0.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from common.data.tables import AUDIO_FEATURES
from common.features.content_vectors import item_vectors, of_unit_length, shares, tag_counts
from common.features.new_item import NewItem, new_tag_counts, new_vectors
from common.models.knn.content_knn import tf_idf
from common.models.knn.user_knn import friend_matrix
from common.splits.train_view import TrainView
from common.utils.arrays import weigh

GENRES = 64
"""More genres than this are reduced to so many dimensions."""
COUNTRIES = 30
"""Countries with a feature of their own: the most frequent ones."""
NGRAMS = 2**20
"""Buckets that n-grams of names are hashed into."""
NAMES = 3
"""Names at least that share an n-gram, else it is left out."""


def item_features(train: TrainView, tags: int, names: int) -> np.ndarray:
    """Features of all items, float32 (n_items, features): tags, genres, names, audio, popularity, release year.

    Tags are a weighted bag (TF-IDF of visible assignments) in `tags` dimensions (latent semantic analysis, Deerwester
    et al. 1990), names a bag of 1 to 4 letters in `names` dimensions: they tell scripts and languages apart. Counts of
    listeners that only mean "few" share one value (`TrainView.count_floor`).
    """
    return ItemFeatures(train, tags, names).matrix


class Part(NamedTuple):
    """One kind of what is known of items, before it is scaled.

    rows: (n_items, columns); of_new: the same of items that are not in the catalogue, (new items, columns).
    """

    kind: str
    rows: np.ndarray
    of_new: Callable[[Sequence[NewItem]], np.ndarray]


class ItemFeatures:
    """The features of a catalogue, and those of other items in the same columns and units."""

    def __init__(self, train: TrainView, tags: int, names: int) -> None:
        self.parts = item_parts(train, tags, names)
        rows = [part.rows for part in self.parts]
        self._scales = [standardising(own) if own.shape[1] == 1 else evening(own) for own in rows]
        self._scale_of_known = evening(known(rows))
        self.matrix = self._scaled(rows)
        """Those of the catalogue, float32 (n_items, features)."""

    def of_new(self, items: Sequence[NewItem]) -> np.ndarray:
        """Those of items that are not in it, float32 (len(items), features)."""
        return self._scaled([part.of_new(items) for part in self.parts])

    def _scaled(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        standing = [scale(own) for scale, own in zip(self._scales, rows, strict=True)]
        return np.concatenate([*standing, self._scale_of_known(known(rows))], axis=1).astype(np.float32)


def item_parts(train: TrainView, tags: int, names: int) -> list[Part]:
    """The parts that `item_features` puts side by side: those that the data feed."""
    floor = np.log(np.float32(train.count_floor))
    parts = [Part("popularity", np.log(train.popularity)[:, None], lambda new: np.full((len(new), 1), floor))]
    if tags and (counts := tag_counts(train)) is not None:
        bag = of_unit_length(tf_idf(counts))
        parts.append(
            _reduced("tags", bag, tags, lambda new: of_unit_length(tf_idf(new_tag_counts(train, new), counts)))
        )
    for kind, space in (("genres", "genre"), ("audio", "audio")):
        if (vectors := item_vectors(train, space)) is not None:
            parts.append(_reduced(kind, vectors, GENRES, partial(new_vectors, train, space)))
    if names and "name" in train.items:
        bag, of_names = ngrams(train.items["name"])
        if bag.nnz:
            parts.append(_reduced("name", bag, names, lambda new: of_names([one.name or "" for one in new])))
    if "release_year" in train.items:
        years = train.items["release_year"].to_numpy(float, na_value=np.nan)[:, None]
        parts.append(Part("release_year", years, lambda new: np.array([[one.release_year] for one in new], float)))
    return parts


def _reduced(kind: str, rows: sparse.csr_array, dimensions: int, of_new: Callable[..., sparse.csr_array]) -> Part:
    made, reduce = reducing(rows, dimensions)
    return Part(kind, made, lambda new: reduce(of_new(new)))


def most_features(train: TrainView, tags: int, names: int) -> int:
    """Features of an item at most: columns that `item_features` makes."""
    has = {name for name in ("genres", "name", "release_year") if name in train.items}
    tagged = train.item_tags is not None and len(train.item_tags) > 0
    content = tags * tagged + GENRES * ("genres" in has) + names * ("name" in has) + ("release_year" in has)
    return 1 + content + sum(name in train.items for name in AUDIO_FEATURES) + 6


def user_features(train: TrainView, items: np.ndarray) -> np.ndarray:
    """Features of all users beside their histories, float32 (n_users, features), perhaps none.

    The mean features of what their friends listen to, the number of friends (log), and their age group (decades),
    gender and country, one column per value.
    """
    parts = [np.zeros((train.n_users, 0))]
    if train.social is not None and len(train.social):
        friends = friend_matrix(train.social, train.n_users)
        profiles = shares(weigh(train.histories.matrix(), "binary")) @ items
        n_friends = np.asarray(friends.sum(axis=1), float).ravel()
        parts += [shares(friends) @ profiles, standardised(np.log1p(n_friends)[:, None])]
    parts += [one_hot(values) for values in groups_of_users(train.users).values()]
    return np.concatenate(parts, axis=1).astype(np.float32)


def groups_of_users(users: pd.DataFrame, most: int | None = COUNTRIES) -> dict[str, pd.Series]:
    """Age group, gender and country of users, as far as the data have them: strings, missing where unknown.

    Of genders and countries only the `most` frequent are kept, None: all of them.
    """
    groups = {}
    if "age" in users and users["age"].notna().any():
        ages = pd.to_numeric(users["age"], errors="coerce")
        groups["age group"] = (ages // 10 * 10).map("{:.0f}s".format, na_action="ignore").astype(object)
    for column in ("gender", "country"):
        if column in users and users[column].notna().any():
            values = users[column].astype(object)
            counts = values.value_counts().sort_index(kind="stable")
            groups[column] = values if most is None else values.where(values.isin(counts.nlargest(most).index))
    return groups


def one_hot(values: pd.Series) -> np.ndarray:
    """A column per value in sorted order, float64 (rows, values); rows of zeros where it is missing."""
    codes, distinct = pd.factorize(values, sort=True)
    return (codes[:, None] == np.arange(len(distinct))).astype(float)


def ngrams(names: pd.Series) -> tuple[sparse.csr_array, Callable[[Sequence[str]], sparse.csr_array]]:
    """TF-IDF of the 1 to 4 neighbouring letters of names inside words, unit rows (names, n-grams), perhaps none; and
    what makes such rows of other names."""
    from sklearn.feature_extraction.text import HashingVectorizer

    cut = HashingVectorizer(
        analyzer="char_wb", ngram_range=(1, 4), n_features=NGRAMS, alternate_sign=False, norm=None, dtype=np.float32
    )
    bag = sparse.csc_array(cut.transform(names.astype(object).fillna("").tolist()))
    shared = np.diff(bag.indptr) >= NAMES
    kept = sparse.csr_array(bag[:, shared])

    def of(others: Sequence[str]) -> sparse.csr_array:
        own = sparse.csr_array(sparse.csc_array(cut.transform(list(others)))[:, shared])
        return of_unit_length(tf_idf(own, kept))

    return (sparse.csr_array(of_unit_length(tf_idf(kept))) if shared.any() else kept), of


def reduced(rows: sparse.csr_array, dimensions: int) -> np.ndarray:
    """Sparse rows in at most so many dimensions, by a truncated SVD (Halko et al. 2011)."""
    return reducing(rows, dimensions)[0]


def reducing(rows: sparse.csr_array, dimensions: int) -> tuple[np.ndarray, Callable[[sparse.csr_array], np.ndarray]]:
    """`reduced` rows, and what reduces others in the same way."""
    from sklearn.decomposition import TruncatedSVD

    dimensions = min(dimensions, max(1, rows.shape[0] - 1))
    if rows.shape[1] <= dimensions:
        return rows.toarray(), lambda others: others.toarray()
    svd: Any = TruncatedSVD(dimensions, random_state=0)
    return svd.fit_transform(rows), svd.transform


def standardised(columns: np.ndarray) -> np.ndarray:
    """Columns less their mean, in units of their spread, over what is known; 0 where nothing is (NaN, infinite).

    >>> standardised(np.array([[1.0], [3.0], [np.nan]])).ravel()
    array([-1.,  1.,  0.])
    """
    return standardising(columns)(columns)


def standardising(columns: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """What makes of any rows what `standardised` makes of these."""
    mean, spread = mean_and_spread(np.where(np.isfinite(columns), columns, np.nan))

    def standardise(rows: np.ndarray) -> np.ndarray:
        values = np.where(np.isfinite(rows), rows, np.nan)
        return np.where(spread > 1e-9, np.nan_to_num((values - mean) / np.where(spread > 1e-9, spread, 1)), 0.0)

    return standardise


def mean_and_spread(columns: np.ndarray, dtype: type | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column over what is not NaN, 0 where all of it is; sums are of `dtype`."""
    n = np.maximum((~np.isnan(columns)).sum(axis=0), 1)
    mean = np.nansum(columns, axis=0, dtype=dtype) / n
    return mean, np.sqrt(np.nansum((columns - mean) ** 2, axis=0, dtype=dtype) / n)


def evened(rows: np.ndarray) -> np.ndarray:
    """Rows times one number, so that the mean square of their values is 1; 0 where a value is not finite and in
    columns that are the same everywhere."""
    return evening(rows)(rows)


def evening(rows: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """What makes of any rows what `evened` makes of these."""
    finite = np.where(np.isfinite(rows), rows, 0.0)
    varied = np.ptp(finite, axis=0) > 0 if len(rows) else np.ones(rows.shape[1], bool)
    kept = finite * varied
    size = float(np.sqrt((kept**2).mean())) if rows.size else 0.0

    def even(others: np.ndarray) -> np.ndarray:
        others = np.where(np.isfinite(others), others, 0.0) * varied
        return others / size if size > 1e-9 else others * 0.0

    return even


def known(parts: Sequence[np.ndarray]) -> np.ndarray:
    """A column for each part, 1 where a row has anything of it, float64 (rows, parts)."""
    return np.stack([(np.nan_to_num(part) != 0).any(axis=1) for part in parts], axis=1).astype(float)
