"""Inputs of the hybrid network: what is known of items and users, beside the features of their pairs."""

import logging
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from common.data.tables import AUDIO_FEATURES
from common.features.content_vectors import distinct_values, item_vectors, of_unit_length, tag_counts
from common.features.preprocessing.fitted import MISSING
from common.features.preprocessing.joining import joined
from common.features.preprocessing.preprocessor import MusicPreprocessor
from common.models.knn.content_knn import tf_idf
from common.models.neural.two_tower.features import evened, reduced
from common.splits.train_view import TrainView
from common.utils.arrays import below, slices

SOUND = (*AUDIO_FEATURES, "tempo_log", "energy_loudness", "dance_valence", "key", "key_sin", "key_cos", "mode")
"""Columns of items that say how they sound."""
LEFT_OUT = ("featured_count",)
"""Columns of items that the network does not take: published rows are without, and the texts say who is featured."""
DAY = 86_400
COMPARED_IN = 64
"""Dimensions in which items are compared in training."""
MOST_ROWS = 1_000_000
"""Interactions of data of matrix form that say how columns are scaled and which words there are."""
FAR = 5.0
"""Standardised features of a pair are cut off at this many units."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Side:
    """Items or users as arrays, a row each; row r of users is code r - 1, row 0 an unknown user.

    ids: int64 (rows,), 0 for those who have none of their own. categories: codes int64 (rows,) by column, 0 for
    unknown; sizes: how many codes. blocks: float32 (rows, width) by name.
    """

    ids: np.ndarray
    with_ids: bool
    categories: dict[str, np.ndarray] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    blocks: dict[str, np.ndarray] = field(default_factory=dict)

    def pack(self, prefix: str) -> dict[str, np.ndarray]:
        """All of it as named arrays of numbers."""
        packed = {f"{prefix}/ids": self.ids, f"{prefix}/with_ids": np.array(self.with_ids)}
        packed |= {f"{prefix}/codes/{name}": codes for name, codes in self.categories.items()}
        packed |= {f"{prefix}/size/{name}": np.array(size) for name, size in self.sizes.items()}
        return packed | {f"{prefix}/block/{name}": rows for name, rows in self.blocks.items()}

    @staticmethod
    def unpack(prefix: str, arrays: dict[str, np.ndarray]) -> "Side":
        """What `pack` took apart."""
        own = below(arrays, f"{prefix}/")
        sizes = {name: int(size.item()) for name, size in below(own, "size/").items()}
        return Side(own["ids"], bool(own["with_ids"].item()), below(own, "codes/"), sizes, below(own, "block/"))


class Inputs(NamedTuple):
    """Both sides, the spaces in which intra-list similarity is measured, and how raw tables become all this."""

    items: Side
    users: Side
    spaces: list[np.ndarray]
    preprocessor: MusicPreprocessor


def make_inputs(train: TrainView, without: tuple[str, ...], outliers: str, tags: int, words: int) -> Inputs:
    """The inputs that the data feed, less those named in `without` (audio, tags, ids).

    Tags and words are reduced to `tags` and `words` dimensions. Only items with more listeners than a
    held-out one may have (`TrainView.count_floor`) have an id of their own: for the others there is nothing to learn.
    """
    preprocessor = MusicPreprocessor(handle_outliers=outliers, text_dimensions=max(1, words))
    n = max(train.n_items, train.n_users)
    log.info("%s rows without plays join the interactions, so that every item and user is there:", f"{n:,}")
    preprocessor.fit_transform(joined(with_everything(train), train.items, train.users))
    items, users = _items(train, preprocessor, without, tags, words), _users(train, preprocessor, without)
    return Inputs(items, users, alike_spaces(train), preprocessor)


def with_everything(train: TrainView) -> pd.DataFrame:
    """The interactions, of data of matrix form MOST_ROWS, and a row without plays for each item and each user.

    A word or a category that only items without listeners have would else be unknown, and an unknown one would
    tell these items, whose listeners are all held out, from those with a single visible one.
    """
    n = max(train.n_items, train.n_users)
    everything = pd.DataFrame({"user": np.arange(n) % train.n_users, "item": np.arange(n) % train.n_items})
    rows = train.some_interactions(MOST_ROWS)
    rows = rows[[column for column in ("user", "item", "weight", "timestamp") if column in rows]]
    return pd.concat([rows, everything], ignore_index=True)


def _items(train: TrainView, preprocessor: MusicPreprocessor, without: tuple[str, ...], tags: int, words: int) -> Side:
    """What is known of items beside who has them: that a side made from all visible pairs counts a held-out pair, and
    the features of a fold do not, would give the pair away in training. So popularity is a feature of the pair alone.
    """
    from sklearn.preprocessing import normalize

    table = preprocessor.transform(train.items, about=("items",))
    sound = [name for name in preprocessor.numeric["items"] if name in SOUND]
    other = [name for name in preprocessor.numeric["items"] if name not in (*SOUND, *LEFT_OUT)]
    binary = [n for n in preprocessor.binary["items"] if "audio" not in without or n.removesuffix(MISSING) not in SOUND]
    blocks = {"numeric": table[other].to_numpy(float)}
    if binary:
        blocks["binary"] = table[binary].to_numpy(float)
    if sound and "audio" not in without:
        blocks["music"] = table[sound].to_numpy(float)
    if words:
        texts = preprocessor.text(train.items)
        blocks |= {f"text_{name}": evened(rows) for name, rows in texts.items() if np.ptp(rows) > 0}
    if (genres := distinct_values(train, "genres")) is not None:
        blocks["genres"] = reduced(sparse.csr_array(normalize(genres, "l1")), 4 * COMPARED_IN)
    if tags and "tags" not in without and (counts := tag_counts(train)) is not None:
        blocks["tags"] = evened(reduced(of_unit_length(tf_idf(counts)), tags))
    heard = train.counts > max(1, train.count_floor)
    ids = np.where(heard, np.cumsum(heard), 0)
    coded = {name: shared(table[name].to_numpy(np.int64)) for name in preprocessor.categories["items"]}
    categories = {name: codes for name, codes in coded.items() if codes.any()}
    sizes = {name: int(codes.max()) + 1 for name, codes in categories.items()}
    return Side(ids, "ids" not in without, categories, sizes, _as_float32(blocks))


def shared(codes: np.ndarray) -> np.ndarray:
    """Codes without those that one row alone has, which would be an id in disguise.

    >>> shared(np.array([2, 0, 1, 2, 3, 3]))
    array([1, 0, 0, 1, 2, 2])
    """
    number = np.bincount(codes)
    kept = number > 1
    kept[0] = False
    return np.where(kept, np.cumsum(kept), 0)[codes]


def _users(train: TrainView, preprocessor: MusicPreprocessor, without: tuple[str, ...]) -> Side:
    table = preprocessor.transform(train.users, about=("users",))
    columns = {"numeric": preprocessor.numeric["users"], "binary": preprocessor.binary["users"]}
    blocks = {name: table[own].to_numpy(float) for name, own in columns.items() if own}
    if (hours := listening_hours(train)) is not None:
        blocks["hours"] = hours
    blocks = {name: np.pad(rows, ((1, 0), (0, 0))) for name, rows in blocks.items()}
    sizes = preprocessor.categories["users"]
    categories = {name: np.pad(table[name].to_numpy(np.int64), (1, 0)) for name in sizes}
    has = np.pad(train.histories.lengths > 0, (1, 0))
    ids = np.where(has, np.arange(train.n_users + 1), 0)
    with_ids = not {"ids", "people"} & set(without)
    return Side(ids, with_ids, categories, dict(sizes), _as_float32(blocks))


def listening_hours(train: TrainView) -> np.ndarray | None:
    """Mean hour of each user's events as a point inside the clock's circle, (n_users, 2); None without times of day."""
    times = train.histories.timestamps
    if times is None or not _varies(times):
        return None
    sums = np.zeros((2, train.n_users))
    for some in slices(len(times)):
        owner = train.histories.owners(np.arange(some.start, some.stop))
        angle = 2 * np.pi * (times[some].astype(float) % DAY) / DAY
        for of_part, part in zip(sums, (np.sin(angle), np.cos(angle)), strict=True):
            np.add.at(of_part, owner, part)
    return np.stack(sums / np.maximum(1, train.histories.lengths), 1)


def _varies(times: np.ndarray) -> bool:
    """Whether events have more than one time of day."""
    first = times[0] % DAY if len(times) else 0
    return any((times[some] % DAY != first).any() for some in slices(len(times)))


def alike_spaces(train: TrainView) -> list[np.ndarray]:
    """Unit vectors of items by genres, by tags (or artists, where nothing is tagged) and by sound, float32 each.

    More than `COMPARED_IN` dimensions are reduced; cosines stay nearly what they were. Items without features are 0.
    """
    from sklearn.preprocessing import normalize

    found = {space: item_vectors(train, space) for space in ("genre", "tag", "audio")}
    if found["tag"] is None:
        found["tag"] = distinct_values(train, "artist")
    spaces = []
    for vectors in found.values():
        if vectors is not None and vectors.nnz:
            has = np.diff(sparse.csr_array(vectors).indptr) > 0
            spaces.append(
                (normalize(reduced(sparse.csr_array(vectors), COMPARED_IN)) * has[:, None]).astype(np.float32)
            )
    return spaces


def _as_float32(blocks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.ascontiguousarray(rows, np.float32) for name, rows in blocks.items() if rows.shape[1]}
