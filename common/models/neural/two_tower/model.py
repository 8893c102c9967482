"""Two towers that meet in a dot product (Yi et al. 2019), for users and items that training has not seen, too.

    score(u, i) = user(history, attributes) . item(id, content)

The towers are in `network.py`, their features in `features.py`, the loss in `losses.py`: in-batch
softmax with log-q correction plus negatives from the whole catalogue. As both sides are plain vectors, the best items
of a catalogue of any size are found by `common.models.vector_index`.

An empty history: the average of the users' vectors, moved towards the averages of the groups that a user is known to
belong to (friends, age group, gender, country). A new item: what the tower makes of its content.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from common.features.user_attributes import UserAttributes
from common.models.base import as_histories
from common.models.building_blocks import similar_by_cosine
from common.models.inference.numpy_layers import Weights
from common.models.inference.numpy_networks import NumpyTowers
from common.models.linear.als import ALS, ALSSettings
from common.models.linear.distributed_als import item_factors
from common.models.neural.base import Neural, training_memory
from common.models.neural.two_tower.batches import PooledBatches, ages
from common.models.neural.two_tower.features import (
    COUNTRIES,
    groups_of_users,
    item_features,
    most_features,
    user_features,
)
from common.models.neural.two_tower.new_items import PlacesByTower
from common.models.vector_index import Index, Kind
from common.splits.histories import Histories, pack_histories, unpack_histories
from common.splits.shards import shard
from common.splits.train_view import TrainView
from common.training.settings import TrainingSettings
from common.utils import distributed as parallel
from common.utils.arrays import slices
from common.utils.errors import UserError
from common.utils.memory import add_up
from common.utils.settings import NOT_SEARCHED, SearchRange

if TYPE_CHECKING:
    from common.models.neural.two_tower.network import Towers

AT_ONCE = 1024
"""Histories or items that go through a tower together."""
FEATURE_BYTES = 20
"""Memory that a feature of an item or a user takes while all are made, in double precision."""
AVERAGED = 100_000
"""Users at most whose vectors the averages are made of."""


@dataclass(frozen=True)
class TwoTowerSettings(TrainingSettings):
    """The defaults are the textbook's: cosines over a temperature, ids from a random start."""

    batch: Annotated[int, SearchRange(64, 512, log=True, least=1, most=65_536, search=False)] = 256
    """Histories of a step, over all processes together."""
    width: Annotated[int, SearchRange(32, 256, log=True, least=2, most=8192, search=False)] = 64
    """Length of the vectors of users and items."""
    hidden: Annotated[int, SearchRange(64, 1024, log=True, least=1, most=16_384, search=False)] = 128
    """Units of each tower's hidden layer."""
    dropout: Annotated[float, SearchRange(0.1, 0.7, least=0.0, most=0.95)] = 0.1
    """Share of the hidden units that is dropped."""
    id_dropout: Annotated[float, SearchRange(0.0, 0.5, least=0.0, most=1.0)] = 0.1
    """Share of the items of a batch that lose their id embedding."""
    person_dropout: Annotated[float, SearchRange(0.0, 0.9, least=0.0, most=1.0, search=False)] = 0.5
    """Share of the users of a batch of whom the history alone is known."""
    normalise: Annotated[bool, NOT_SEARCHED] = True
    """Whether vectors have length 1, so that their product is a cosine."""
    temperature: Annotated[float, SearchRange(0.03, 1.0, log=True, least=1e-3, most=1000.0)] = 0.1
    """What products are divided by in training."""
    negatives: Annotated[int, SearchRange(512, 8192, log=True, least=0, most=1_000_000, search=False)] = 1024
    """Items of the whole catalogue drawn for a batch, beside its own; 0 leaves in-batch negatives alone."""
    task: Annotated[Literal["complete", "continue", "few"], NOT_SEARCHED] = "complete"
    """complete: some of a history predicts the rest; continue: its beginning predicts what came next; few: 0, 1, 2, 5
    or 10 items of it predict the rest, as of a newcomer."""
    least: Annotated[float, SearchRange(0.1, 0.9, most=1.0, least=0.0)] = 0.5
    """complete: least share of a history that is shown; the share is drawn evenly between this and 1."""
    ahead: Annotated[int, SearchRange(1, 20, log=True, least=1, most=10_000)] = 5
    """continue: how many of the next events are to be found."""
    half_life: Annotated[float, SearchRange(0.0, 50.0, least=0.0, most=1e9)] = 0.0
    """Events after which an item of the history counts for half; 0: all count the same."""
    tags: Annotated[int, SearchRange(0, 512, least=0, most=4096, search=False)] = 64
    """Dimensions to which the tags of items are reduced; 0 leaves them out."""
    names: Annotated[int, SearchRange(0, 256, least=0, most=4096, search=False)] = 0
    """Dimensions to which the letters of names are reduced; 0 leaves them out."""
    start: Annotated[Literal["random", "als"], NOT_SEARCHED] = "random"
    """Where id embeddings start: at random, or from the item factors of ALS on the same train view."""
    groups: Annotated[float, SearchRange(1.0, 100.0, log=True, least=0.0, most=1e6, search=False)] = 10.0
    """Members of a group that count as much as all users, in the average for users without a history."""
    als: ALSSettings = field(default_factory=ALSSettings)
    """The ALS of `start`."""

    def check(self) -> None:
        """Raise a UserError for settings that leave nothing to learn."""
        if self.task == "complete" and self.least >= 1:
            raise UserError("--two-tower.least 1: nothing is left to be found; give a share below 1")


class TwoTower(Neural, PlacesByTower):
    """The model of the module's head."""

    name = "two_tower"
    Settings = TwoTowerSettings
    reads_shards = True

    def set_state(self, train: TrainView) -> None:
        """Keep the histories, the features, the groups of users, and where ids start from."""
        s = self.settings
        s.check()
        self.histories, self.heard = train.histories, train.counts > 0
        made = parallel.of_main(lambda: self._features_of(train))
        self.items, self.attributes = made["items"], made["attributes"]
        self.started = self._start(train) if s.start == "als" else None
        groups = groups_of_users(train.users)
        self.groups = {
            f"{kind}: {value}": (column == value).to_numpy()
            for kind, column in groups.items()
            for value in sorted(column.dropna().unique())
        }

    def _features_of(self, train: TrainView) -> dict[str, np.ndarray]:
        """The features of items and users: of several processes the first one makes them."""
        items = item_features(train, self.settings.tags, self.settings.names)
        return {"items": items, "attributes": user_features(train, items)}

    def _start(self, train: TrainView) -> np.ndarray:
        """Item factors of ALS in `width` dimensions: turned onto their main axes, cut off or filled up with zeros."""
        als, alone = ALS(self.settings.als, seed=self.seed), parallel.world() == 1
        factors = (als.fit(train).item_factors if alone else item_factors(als, train)).astype(np.float64)
        axes = np.linalg.eigh(factors.T @ factors)[1][:, ::-1][:, : self.settings.width]
        turned = (factors @ axes).astype(np.float32)
        return np.pad(turned, ((0, 0), (0, self.settings.width - turned.shape[1])))

    def needed_memory(self, train: TrainView) -> tuple[float, str]:
        """Parameters, features of items and users, and what a step keeps of the items, events and scores of a batch."""
        s, n_items = self.settings, train.n_items
        features = most_features(train, s.tags, s.names)
        attributes = (features + 1) * (train.social is not None) + COUNTRIES * ("country" in train.users)
        events = s.batch * float(train.histories.lengths.mean())
        pool = min(n_items, events / 2 + s.negatives)
        items = min(n_items, events + s.negatives)
        parameters = s.width * n_items + s.hidden * (2 * features + 4 * s.width + attributes)
        activations = items * (features + 4 * s.hidden + 3 * s.width) + events * (3 * features + 4 * s.width)
        parts = training_memory(self.device, n_items, parameters, activations + 4 * s.batch * pool, s.average)
        made = FEATURE_BYTES * (n_items * features + train.n_users * attributes)
        return add_up(
            {
                "lower --two-tower.width": parts["state"] + parts["scores"],
                "lower --two-tower.batch, --two-tower.hidden or --two-tower.negatives": parts["batch"],
                "lower --two-tower.tags and --two-tower.names": made,
            }
        )

    def as_numpy(self, weights: Weights) -> NumpyTowers:
        """What scores as the network does, without torch."""
        return NumpyTowers(weights, self.items, self.heard, self.settings)

    def build(self) -> "Towers":
        """A new network."""
        import torch

        from common.models.neural.two_tower.network import Towers

        towers = Towers(self.items, self.heard, self.attributes, self.settings)
        if self.started is not None:
            with torch.no_grad():
                towers.items.ids.copy_(torch.from_numpy(self.started))
        if parallel.is_main():  # the others take its weights before the first step, these included
            towers.users.standardise(self.items, self.histories, self._sample())
        return towers

    def batches(self, train: TrainView) -> PooledBatches:
        """Histories, each split into what is shown and what is to be found."""
        s = self.settings
        return PooledBatches(shard(train.histories), s.task, s.least, s.ahead, s.batch, s.negatives, self.seed)

    # Vectors

    def item_vectors(self) -> np.ndarray:
        """What items are found by, float32 (n_items, width); those that no user has come from their content alone."""
        with self.running(exact=True):
            return self._cached("items", lambda: self.array(self.network.scaled(self.tensor(self._shown_vectors()))))

    def user_vectors(self, users: np.ndarray) -> np.ndarray:
        """What users known from `fit` look for, float32 (len(users), width), some at a time."""
        parts = [np.asarray(users)[part] for part in slices(len(users), AT_ONCE)]
        made = [self._vectors(self.histories.take(part), self.attributes[part]) for part in parts]
        return np.concatenate([np.zeros((0, self.settings.width), np.float32), *made])

    def vectors(
        self, histories: Histories | Sequence[Sequence[int]], known: UserAttributes | None = None
    ) -> np.ndarray:
        """Vectors of users whom `fit` has not seen, float32 (len(histories), width).

        With an empty history that is the average of what is `known` of them, see `averages`; where nothing is known and
        the task was `few`, which has learned of empty histories, what the tower makes of it.
        """
        histories = as_histories(histories, len(self.items))
        vectors = self._vectors(histories, np.zeros((len(histories), self.attributes.shape[1]), np.float32))
        empty = np.flatnonzero(histories.lengths == 0)
        if len(empty) and not (self.settings.task == "few" and known is None):
            vectors[empty] = self.averages(len(empty), None if known is None else known.take(empty))
        return vectors

    def averages(self, n: int, known: UserAttributes | None = None) -> np.ndarray:
        """The vectors of n users without a history, float32 (n, width).

        The mean m of all users' vectors, moved by |g| / (|g| + groups) (m_g - m) for every group g that the user is
        known to belong to, m_g the mean of its members: friends, age group, gender, country.
        """
        vectors, sample = self._cached("users", self._sample_vectors), self._sample()
        mean = vectors.mean(axis=0)
        averages = np.tile(mean, (n, 1))
        if known is None:
            return averages
        labels = groups_of_users(known.users, most=None)
        of_group = {name: vectors[members[sample]] for name, members in self.groups.items()}
        for row in range(n):
            names = [f"{kind}: {column.iloc[row]}" for kind, column in labels.items()]
            groups = [of_group[name] for name in names if name in of_group]
            for own in [*groups, vectors[np.isin(sample, known.friends[row])]]:
                if len(own):
                    averages[row] += len(own) / (len(own) + self.settings.groups) * (own.mean(axis=0) - mean)
        return averages

    def _sample_vectors(self) -> np.ndarray:
        return self.user_vectors(self._sample())

    def _sample(self) -> np.ndarray:
        """Codes of the users whom averages are made of."""
        n = len(self.histories)
        return np.arange(n) if n <= AVERAGED else np.sort(np.random.default_rng(0).permutation(n)[:AVERAGED])

    def _vectors(self, histories: Histories, attributes: np.ndarray) -> np.ndarray:
        table = self._shown_vectors()
        made = [np.zeros((0, self.settings.width), np.float32)]
        with self.running(exact=True):
            for start in range(0, len(histories), AT_ONCE):
                some = histories.take(np.arange(start, min(start + AT_ONCE, len(histories))))
                rows = some.rows
                codes = some.items.astype(np.int64)
                arrays = (table[codes], codes, rows, ages(rows), attributes[start : start + AT_ONCE])
                made.append(self.array(self.network.of_histories(*map(self.tensor, arrays))))
        return np.concatenate(made)

    def _shown_vectors(self) -> np.ndarray:
        """What items are in a history, float32 (n_items, width)."""
        return self._cached("shown", self._through_tower)

    def _through_tower(self) -> np.ndarray:
        n = len(self.items)
        with self.running(exact=True):
            parts = [np.arange(start, min(start + AT_ONCE, n)) for start in range(0, n, AT_ONCE)]
            return np.concatenate([self.array(self.network.items(self.tensor(part))) for part in parts])

    def _cached(self, name: str, make: Any) -> np.ndarray:
        """What the weights as they are make of something; the network forgets it when they change."""
        if name not in self.network.made:
            self.network.made[name] = make()
        return self.network.made[name]

    # Scores

    def score(self, users: np.ndarray) -> np.ndarray:
        """Products of users known from `fit` with all items."""
        return self.user_vectors(users) @ self.item_vectors().T

    def fold_in(
        self, histories: Histories | Sequence[Sequence[int]], known: UserAttributes | None = None
    ) -> np.ndarray:
        """Products of users whom `fit` has not seen with all items."""
        return self.vectors(histories, known) @ self.item_vectors().T

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items whose vectors point the same way: cosine."""
        return similar_by_cosine(self.item_vectors(), item, k)

    def index(self, kind: Kind = "auto") -> Index:
        """An index of the item vectors, set on vectors of users."""
        return Index(self.item_vectors(), kind, self._cached("users", self._sample_vectors))

    # What is kept

    def arrays(self) -> dict[str, np.ndarray]:
        """The network, histories, features, and who belongs to which group."""
        names = np.frombuffer(json.dumps(list(self.groups)).encode(), np.uint8)
        members = np.stack(list(self.groups.values())) if self.groups else np.zeros((0, len(self.histories)), bool)
        state = {"items": self.items, "heard": self.heard, "people": self.attributes, "groups": names}
        return super().arrays() | state | {"members": members} | pack_histories(self.histories)

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `arrays` gave."""
        self.items, self.heard = arrays["items"], arrays["heard"]
        self.histories = unpack_histories(arrays, len(self.items))
        n_users = len(self.histories)
        self.attributes = arrays["people"].reshape(n_users, -1)
        names = json.loads(arrays["groups"].tobytes())
        self.groups = dict(zip(names, arrays["members"].reshape(len(names), n_users), strict=True))
        self.started = None
        super().restore(arrays)
