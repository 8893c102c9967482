"""Content neighbours: items with similar audio or similar tags, whoever listens to them."""

import logging
import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import pandas as pd
from scipy import sparse

from common.data.tables import AUDIO_FEATURES
from common.features.content_vectors import item_vectors, tag_counts
from common.features.new_item import NewItem, new_tag_counts, new_vectors
from common.models.base import Validation
from common.models.knn.item_knn import ItemSimilarityKNN, shrunk_cosines
from common.models.new_items import PlacesNewItems
from common.splits.histories import Query
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.arrays import ENTRY_BYTES, keep_largest, weigh
from common.utils.memory import block_bytes
from common.utils.settings import SearchRange

log = logging.getLogger(__name__)
BLOCK = 1024
"""Items whose cosines with all others are made together at most."""
PAIR_BYTES = 20
"""Memory that a cosine takes until the largest ones are chosen."""


@dataclass(frozen=True)
class ContentKNNSettings:
    """Neighbours by sound."""

    neighbours: Annotated[int, SearchRange(5, 2000, log=True, least=1)] = 100
    """How many nearest items each item keeps."""
    power: Annotated[float, SearchRange(1.0, 30.0, log=True, least=0.1, most=1000.0)] = 1.0
    """The cosine is raised to this power, so that the very nearest count for more."""
    popularity: Annotated[float, SearchRange(0.0, 2.0, most=4.0)] = 0.0
    """The score of an item is multiplied by its listeners to this power."""
    history: Literal["binary", "log"] = "binary"
    """What an item of the history weighs in the sum: 1 or log(1 + plays)."""


class ContentSimilarityKNN(ItemSimilarityKNN, PlacesNewItems):
    """Neighbours by vectors of content; an item without content has no neighbours and is ordered by popularity."""

    goes_by: ClassVar[str]
    """What makes items neighbours."""

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        """Set the similarity: cosines to a power, times the item's popularity to a power."""
        self.keep(train)
        self.similarity = self.cosines(train)
        if not self.similarity.nnz:
            log.info(
                "%s goes by %s, and no two items share any: its lists are the popular one", self.name, self.goes_by
            )
        lean = self.popularity**self.settings.popularity
        self.similarity.data = self.similarity.data**self.settings.power * lean[self.similarity.indices]

    @abstractmethod
    def cosines(self, train: TrainView) -> sparse.csr_array:
        """Cosine of every item with its nearest ones, (n_items, n_items); none without content."""

    @abstractmethod
    def cosines_with_new(self, train: TrainView, items: Sequence[NewItem]) -> np.ndarray:
        """Cosine of every item with new ones, float64 (n_items, new items), 0 where one has no content."""

    def similarity_to_new(self, items: Sequence[NewItem]) -> np.ndarray:
        """What the catalogue's items would weigh among the neighbours of each new one, 0 beyond the nearest."""
        cosines = sparse.csr_array(np.maximum(self.cosines_with_new(self._view(), items), 0).T)
        near = keep_largest(cosines, self.settings.neighbours).toarray()
        return near**self.settings.power * self.popularity**self.settings.popularity

    def scores_of_new(self, query: Query, items: Sequence[NewItem]) -> np.ndarray:
        """Sums over histories, as if each new item stood among the neighbours of those that it is near enough to."""
        train = self._view()
        near = np.maximum(self.cosines_with_new(train, items), 0) ** self.settings.power
        near[near < (1 - 1e-6) * self._farthest()[:, None]] = 0
        floor = np.float32(train.count_floor)
        scores = weigh(query.given.matrix(), self.settings.history) @ near * floor**self.settings.popularity
        return np.where(scores > 0, scores, floor / self.popularity.max() - 1).astype(np.float32)

    def _farthest(self) -> np.ndarray:
        """The cosine, to the power, of each item's farthest neighbour; 0 where there is room for another."""
        near, farthest = self.similarity, np.zeros(self.similarity.shape[0])
        full = np.flatnonzero(np.diff(near.indptr) >= self.settings.neighbours)
        powers = near.data / (self.popularity**self.settings.popularity)[near.indices]
        for row in full:
            farthest[row] = powers[near.indptr[row] : near.indptr[row + 1]].min()
        return farthest


class ContentKNN(ContentSimilarityKNN):
    """Neighbours by the cosine of standardised audio features."""

    name, goes_by = "content_knn", "audio features"
    Settings = ContentKNNSettings

    def pairs_at_most(self, train: TrainView, common: float = np.inf) -> float:
        """As many cosines as take what these pairs of entries take."""
        return float(min(BLOCK, train.n_items)) * train.n_items * PAIR_BYTES / ENTRY_BYTES

    def cosines(self, train: TrainView) -> sparse.csr_array:
        """Find every item's nearest items by audio. Without audio every list is the popular one."""
        vectors = item_vectors(train, "audio")
        dense = np.zeros((train.n_items, 1)) if vectors is None else vectors.toarray()
        return dense_cosines(dense, self.settings.neighbours)

    def content_kinds(self) -> tuple[str, ...]:
        """Audio, where the data have any."""
        return () if item_vectors(self._view(), "audio") is None else ("audio",)

    def cosines_with_new(self, train: TrainView, items: Sequence[NewItem]) -> np.ndarray:
        """By audio."""
        vectors = item_vectors(train, "audio")
        assert vectors is not None
        return (vectors @ new_vectors(train, "audio", items).T).toarray()


@dataclass(frozen=True)
class TagKNNSettings(ContentKNNSettings):
    """Neighbours by tags."""

    shrinkage: Annotated[float, SearchRange(0.0, 100.0, most=1e12)] = 0.0
    """Added to the cosine's denominator, so that few tags count for less."""


class TagKNN(ContentSimilarityKNN):
    """Neighbours by the cosine of TF-IDF weighted tags (tf = 1 + log count, idf = log(items / items with the tag))."""

    name, goes_by = "tag_knn", "tags"
    Settings = TagKNNSettings

    def pairs_at_most(self, train: TrainView, common: float = np.inf) -> float:
        """Those that have a tag in common."""
        if train.item_tags is None:
            return 0.0
        items_of_tags = train.item_tags["tag"].value_counts().to_numpy(float)
        return super().pairs_at_most(train, float((items_of_tags**2).sum()))

    def cosines(self, train: TrainView) -> sparse.csr_array:
        """Find every item's nearest items by tags. Without tags every list is the popular one."""
        counts = tag_counts(train)
        tags = sparse.csr_array((1, train.n_items)) if counts is None else tf_idf(counts).T.tocsr()
        return shrunk_cosines(tags, self.settings.neighbours, self.settings.shrinkage)

    def content_kinds(self) -> tuple[str, ...]:
        """Tags, where the data have any."""
        return () if tag_counts(self._view()) is None else ("tags",)

    def cosines_with_new(self, train: TrainView, items: Sequence[NewItem]) -> np.ndarray:
        """By tags, shrunk."""
        counts = tag_counts(train)
        assert counts is not None
        known, new = tf_idf(counts), tf_idf(new_tag_counts(train, items), counts)
        lengths, own = (np.sqrt((tags.power(2)).sum(axis=1)) for tags in (known, new))
        size = lengths[:, None] * own + self.settings.shrinkage
        products = (known @ new.T).toarray()
        return np.divide(products, size, out=np.zeros_like(products), where=size > 0)


def tf_idf(counts: sparse.csr_array, of: sparse.csr_array | None = None) -> sparse.csr_array:
    """TF-IDF of items x tags counts; `of`: counts whose items are counted in place of these, same tags.

    >>> tf_idf(sparse.csr_array([[1.0, 0.0], [1.0, 1.0]])).toarray().round(3)
    array([[0.   , 0.   ],
           [0.   , 0.693]])
    """
    counted = counts if of is None else of
    having = np.bincount(counted.indices, minlength=counted.shape[1])
    weighed = counts.astype(np.float64)
    weighed.data = (1 + np.log(np.maximum(weighed.data, 1))) * np.log(counted.shape[0] / having[counts.indices])
    return weighed


def dense_cosines(vectors: np.ndarray, keep: int, block: int = BLOCK) -> sparse.csr_array:
    """The `keep` largest positive cosines of each row with the others; rows of zeros have none.

    Works through blocks of at most `block` rows, fewer where so many cosines with all others do not fit.
    """
    known = np.flatnonzero(vectors.any(axis=1))
    if not len(known):
        return sparse.csr_array((len(vectors), len(vectors)))
    from sklearn.preprocessing import normalize

    unit = normalize(vectors[known]).astype(np.float32)
    block = min(block, max(1, block_bytes() // (PAIR_BYTES * len(known))))
    kept = []
    for start in range(0, len(known), block):
        cosine = unit[start : start + block] @ unit.T
        cosine[np.arange(len(cosine)), start + np.arange(len(cosine))] = 0
        count = min(keep, len(known))
        column = np.argpartition(-cosine, count - 1, axis=1)[:, :count]
        row = np.repeat(np.arange(len(cosine)), count)
        values = np.take_along_axis(cosine, column, axis=1).ravel().astype(np.float64)
        near = sparse.csr_array((values, (row, column.ravel())), shape=(len(cosine), len(known)))
        kept.append(keep_largest(near, keep))
    of_known = sparse.vstack(kept, format="coo")
    coordinates = known[of_known.row], known[of_known.col]
    return sparse.csr_array((of_known.data, coordinates), shape=(len(vectors), len(vectors)))


def nearest_songs(songs: pd.DataFrame, track_id: str, k: int) -> pd.DataFrame:
    """The k songs that sound most like one of them: cosine of standardised audio features.

    One version of a title is kept per artist: the same song stands on several albums. Adds `cosine` and `title`.
    """
    from sklearn.preprocessing import StandardScaler, normalize

    known = songs[songs[list(AUDIO_FEATURES)].notna().all(axis=1)].reset_index(drop=True)
    unit = normalize(StandardScaler().fit_transform(known[list(AUDIO_FEATURES)]))
    row = int(np.flatnonzero(known["track_id"] == track_id)[0])
    own = known.loc[row]
    ranked = known.assign(cosine=unit @ unit[row]).sort_values(["cosine", "track_id"], ascending=[False, True])
    ranked = ranked.assign(title=ranked["name"].astype(str).map(plain_title))
    ranked = ranked[(ranked["title"] != plain_title(str(own["name"]))) | (ranked["artist"] != own["artist"])]
    return ranked.drop_duplicates(["title", "artist"]).head(k)


def plain_title(name: str) -> str:
    """A title without what marks a version: "Shallow - Radio Edit" and "Shallow (Live)" are "shallow".

    >>> plain_title("Shallow - Radio Edit"), plain_title("Shallow (Live) [Remastered]")
    ('shallow', 'shallow')
    """
    return re.split(r" - | \(| \[", name)[0].strip().casefold()
