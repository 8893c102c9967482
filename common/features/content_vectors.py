"""Items as vectors of genres, tags and audio: what content models and the diversity measures compare."""

import numpy as np
import pandas as pd
from scipy import sparse

from common.data.tables import AUDIO_FEATURES
from common.splits.histories import Histories
from common.splits.train_view import TrainView

SPACES = ("genre", "tag", "audio")


def item_vectors(train: TrainView, space: str) -> sparse.csr_array | None:
    """Unit vectors of all items in one space, float64 (n_items, dimensions); None if the data lacks the space.

    genre: one equal entry per genre of the item; tag: assignments in train per tag; audio: the audio features,
    standardised over the items that have them. An item without any feature has a row of zeros.
    """
    own = {"tag": tag_counts, "audio": _audio}
    vectors = distinct_values(train, "genres") if space == "genre" else own[space](train)
    return None if vectors is None else of_unit_length(vectors)


def of_unit_length(vectors: sparse.csr_array) -> sparse.csr_array:
    """Rows divided by their length; rows of zeros stay so. As scikit-learn's `normalize`, which takes long to import.

    >>> of_unit_length(sparse.csr_array([[3.0, 4.0], [0.0, 0.0]])).toarray()
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    row = np.repeat(np.arange(vectors.shape[0]), np.diff(vectors.indptr))
    length = np.sqrt(np.bincount(row, vectors.data**2, vectors.shape[0]))
    unit = vectors.astype(np.float64)
    unit.data = unit.data / np.where(length > 0, length, 1)[row]
    return unit


def distinct_values(train: TrainView, column: str) -> sparse.csr_array | None:
    """One-hot (genres: multi-hot) values of an items column, (n_items, values); None if the column is not there."""
    if column not in train.items:
        return None
    names = train.items[column].astype(object)
    if column == "genres":  # each distinct string is split once
        names = names.map({joined: joined.split("|") for joined in names.dropna().unique()})
    exploded = names.explode().dropna()
    if exploded.empty:
        return None
    codes, values = pd.factorize(exploded, sort=True)
    shape = (train.n_items, len(values))
    return sparse.csr_array((np.ones(len(codes)), (exploded.index.to_numpy(), codes)), shape=shape)


def shares(vectors: sparse.csr_array) -> sparse.csr_array:
    """Non-negative rows scaled to sum 1; rows of zeros stay so.

    >>> shares(sparse.csr_array([[1.0, 3.0], [0.0, 0.0]])).toarray()
    array([[0.25, 0.75],
           [0.  , 0.  ]])
    """
    total = vectors.sum(axis=1)
    scale = np.divide(1.0, total, out=np.zeros(len(total)), where=total > 0)
    return sparse.csr_array(sparse.diags_array(scale, format="csr") @ vectors)


def mix_of(histories: Histories, mixes: sparse.csr_array) -> sparse.csr_array:
    """Mean mix of the items of each history that have one, (users, values): rows sum to 1, or 0 without such items.

    Every item counts once, however often it was played.

    >>> mix_of(Histories.from_lists([[0, 1], []], 2), sparse.csr_array([[1.0, 0.0], [0.5, 0.5]])).toarray()
    array([[0.75, 0.25],
           [0.  , 0.  ]])
    """
    had = histories.matrix()
    had.data[:] = 1
    return shares(sparse.csr_array(had @ mixes))


def tag_counts(train: TrainView) -> sparse.csr_array | None:
    """Assignments in train of each tag to each item, float64 (n_items, tags); None if the data has no tags."""
    if train.item_tags is None or train.item_tags.empty:
        return None
    tags, names = pd.factorize(train.item_tags["tag"], sort=True)
    shape = (train.n_items, len(names))
    return sparse.csr_array((train.item_tags["weight"].to_numpy(float), (train.item_tags["item"], tags)), shape=shape)


def _audio(train: TrainView) -> sparse.csr_array | None:
    values = train.items[audio_columns(train)].to_numpy(float)
    has_audio = ~np.isnan(values).any(axis=1)
    if not values.shape[1] or not has_audio.any():
        return None
    mean, spread = mean_and_spread_of(values[has_audio])
    dense = np.zeros_like(values)
    dense[has_audio] = (values[has_audio] - mean) / spread
    return sparse.csr_array(dense)


def audio_columns(train: TrainView) -> list[str]:
    """The audio features that the data have, in order."""
    return [name for name in AUDIO_FEATURES if name in train.items]


def mean_and_spread_of(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What audio features are standardised by, (features,) each; the spread is 1 where it would be 0."""
    spread = known.std(axis=0)
    return known.mean(axis=0), np.where(spread > 0, spread, 1)
