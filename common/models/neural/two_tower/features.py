"""Features of items and users beside their ids: content, popularity, friends, demographics.

Every number is of order 1 and 0 where nothing is known: heavy-tailed ones are log-scaled, all are standardised on what
is visible. A feature that is the same everywhere says nothing and becomes 0.
"""

import numpy as np
import pandas as pd
from scipy import sparse

from common.data.tables import AUDIO_FEATURES
from common.features.content_vectors import item_vectors, of_unit_length, shares, tag_counts
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
    parts = [np.log(train.popularity)[:, None]]
    if tags and (counts := tag_counts(train)) is not None:
        parts.append(reduced(of_unit_length(tf_idf(counts)), tags))
    for space, dimensions in (("genre", GENRES), ("audio", GENRES)):
        if (vectors := item_vectors(train, space)) is not None:
            parts.append(reduced(vectors, dimensions))
    if names and "name" in train.items and (bag := ngrams(train.items["name"])).nnz:
        parts.append(reduced(bag, names))
    if "release_year" in train.items:
        parts.append(train.items["release_year"].to_numpy(float, na_value=np.nan)[:, None])
    standing = [standardised(part) if part.shape[1] == 1 else evened(part) for part in parts]
    return np.concatenate([*standing, evened(known(parts))], axis=1).astype(np.float32)


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


def ngrams(names: pd.Series) -> sparse.csr_array:
    """TF-IDF of the 1 to 4 neighbouring letters of names inside words, unit rows (names, n-grams), perhaps none."""
    from sklearn.feature_extraction.text import HashingVectorizer

    cut = HashingVectorizer(
        analyzer="char_wb", ngram_range=(1, 4), n_features=NGRAMS, alternate_sign=False, norm=None, dtype=np.float32
    )
    bag = sparse.csc_array(cut.transform(names.astype(object).fillna("").tolist()))
    shared = np.diff(bag.indptr) >= NAMES
    kept = sparse.csr_array(bag[:, shared])
    return sparse.csr_array(of_unit_length(tf_idf(kept))) if shared.any() else kept


def reduced(rows: sparse.csr_array, dimensions: int) -> np.ndarray:
    """Sparse rows in at most so many dimensions, by a truncated SVD (Halko et al. 2011)."""
    from sklearn.decomposition import TruncatedSVD

    dimensions = min(dimensions, max(1, rows.shape[0] - 1))
    if rows.shape[1] <= dimensions:
        return rows.toarray()
    return TruncatedSVD(dimensions, random_state=0).fit_transform(rows)


def standardised(columns: np.ndarray) -> np.ndarray:
    """Columns less their mean, in units of their spread, over what is known; 0 where nothing is (NaN, infinite).

    >>> standardised(np.array([[1.0], [3.0], [np.nan]])).ravel()
    array([-1.,  1.,  0.])
    """
    values = np.where(np.isfinite(columns), columns, np.nan)
    mean, spread = mean_and_spread(values)
    return np.where(spread > 1e-9, np.nan_to_num((values - mean) / np.where(spread > 1e-9, spread, 1)), 0.0)


def mean_and_spread(columns: np.ndarray, dtype: type | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column over what is not NaN, 0 where all of it is; sums are of `dtype`."""
    n = np.maximum((~np.isnan(columns)).sum(axis=0), 1)
    mean = np.nansum(columns, axis=0, dtype=dtype) / n
    return mean, np.sqrt(np.nansum((columns - mean) ** 2, axis=0, dtype=dtype) / n)


def evened(rows: np.ndarray) -> np.ndarray:
    """Rows times one number, so that the mean square of their values is 1; 0 where a value is not finite and in
    columns that are the same everywhere."""
    rows = np.where(np.isfinite(rows), rows, 0.0)
    rows = rows * (np.ptp(rows, axis=0) > 0) if len(rows) else rows
    size = float(np.sqrt((rows**2).mean())) if rows.size else 0.0
    return rows / size if size > 1e-9 else rows * 0.0


def known(parts: list[np.ndarray]) -> np.ndarray:
    """A column for each part, 1 where a row has anything of it, float64 (rows, parts)."""
    return np.stack([(np.nan_to_num(part) != 0).any(axis=1) for part in parts], axis=1).astype(float)
