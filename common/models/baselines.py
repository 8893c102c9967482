"""Lists that are not personal: chance, popularity, recent popularity. Every model has to beat them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from common.models.base import Recommender, Validation, as_histories, best
from common.splits.histories import Histories
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.arrays import slices, sums_of
from common.utils.errors import UserError
from common.utils.settings import SearchRange


class Popularity(Recommender):
    """The most listened-to items, the same for all users (each user's own history is masked in the list)."""

    name = "popularity"

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        """Count the listeners of each item."""
        self.popularity = train.popularity

    def score(self, users: np.ndarray) -> np.ndarray:
        """One row of popularity for every user."""
        return np.tile(self.popularity, (len(users), 1))

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Popularity, whatever the history."""
        return self.score(np.arange(len(as_histories(histories, len(self.popularity)))))

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The most popular other items: this model has no similarity."""
        return best(self.popularity, k, leave_out=item)

    def arrays(self) -> dict[str, np.ndarray]:
        """The popularity of each item."""
        return {"popularity": self.popularity}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back the popularity of each item."""
        self.popularity = arrays["popularity"]


@dataclass(frozen=True)
class TrendingSettings:
    """How fast the past fades."""

    half_life_days: Annotated[float, SearchRange(1.0, 3000.0, log=True, least=0.01, most=1e6)] = 30.0
    """Days after which an interaction counts for half."""


class Trending(Popularity):
    """Popularity with time decay: an interaction of age a days, seen from the newest one, counts 2^(-a / half life).

    Items of so few listeners that they must have hidden ones (`TrainView.count_floor`) share the lowest score.
    """

    name = "trending"
    Settings = TrendingSettings
    needs_times = True

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        """Sum the faded listeners of each item; data without times are refused."""
        times = train.histories.timestamps
        if times is None:
            raise UserError(f"model trending needs times, and {train.dataset!r} has none in {train.protocol!r}")
        newest = max(times[part].max() for part in slices(len(times)))

        def faded(part: slice) -> np.ndarray:
            age_days = (newest - times[part]) / 86_400
            return np.exp2(-age_days / self.settings.half_life_days)

        total = sums_of(train.histories.items, faded, train.n_items)
        self.popularity = np.where(train.counts > train.count_floor, total, 0).astype(np.float32)


class Random(Recommender):
    """Uniform scores that depend on the seed and the user's code alone: what pure chance would reach."""

    name = "random"

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        """Remember the size of the catalogue."""
        self.n_items = train.n_items

    def score(self, users: np.ndarray) -> np.ndarray:
        """Independent uniform scores for every user and item."""
        return self._drawn([[self.seed, user] for user in users])

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Chance knows no history: row r is drawn from a stream of its own."""
        return self._drawn([[self.seed, row, 1] for row in range(len(as_histories(histories, self.n_items)))])

    def _drawn(self, streams: list[list[int]]) -> np.ndarray:
        """A row of uniform scores from each stream of random numbers, float32 (len(streams), n_items)."""
        rows = [np.random.default_rng(stream).random(self.n_items, np.float32) for stream in streams]
        return np.array(rows, np.float32).reshape(-1, self.n_items)

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Other items drawn by chance, a list of its own for each item."""
        return best(np.random.default_rng([self.seed, item, 2]).random(self.n_items), k, leave_out=item)

    def arrays(self) -> dict[str, np.ndarray]:
        """The size of the catalogue: there is nothing else to know."""
        return {"n_items": np.array(self.n_items)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back the size of the catalogue."""
        self.n_items = int(arrays["n_items"])
