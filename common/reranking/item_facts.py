"""The settings of re-ranking, and the item features it uses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from scipy import sparse

from common.features.content_vectors import SPACES, distinct_values, item_vectors
from common.features.work_versions import groups_of
from common.models.top_items import tie_places
from common.splits.train_view import TrainView
from common.utils.errors import UserError
from common.utils.settings import SearchRange, check_ranges


@dataclass(frozen=True)
class Reranking:
    """What a list is optimised for besides relevance; by default nothing, and the order stays as it is."""

    diversity: Annotated[float, SearchRange(0.0, 1.0, most=1.0)] = 0.0
    """Weight of dissimilarity to the items above, 0 to 1 (MMR); 0.3 is usual."""
    space: Literal["auto", "genre", "tag", "audio"] = "auto"
    """Features of the similarity; auto: the first of tag, genre, audio that the data has."""
    calibration: Annotated[float, SearchRange(0.0, 1.0, most=1.0)] = 0.0
    """Weight of calibration to the mix of the user's history, 0 to 1 (Steck's lambda)."""
    mix: Literal["auto", "genre", "tag"] = "auto"
    """What the mix is made of; auto: the first of genre, tag that the data has."""
    novelty: Annotated[float, SearchRange(0.0, 1.0, most=1e6)] = 0.0
    """Weight of novelty, -log2 of the share of users who have the item, scaled to 0..1."""
    unpopularity: Annotated[float, SearchRange(0.0, 1.0, most=1e6)] = 0.0
    """Weight of a penalty on popularity: listeners over those of the most popular item."""
    per_artist: Annotated[int, SearchRange(0, 10, most=1_000_000)] = 0
    """At most so many items of one artist; 0 sets no cap."""
    per_genre: Annotated[int, SearchRange(0, 10, most=1_000_000)] = 0
    """At most so many items of one genre; 0 sets no cap."""
    balance: bool = False
    """Places go to genres in proportion to their shares of the user's history."""
    no_explicit: bool = False
    """Leave out items with the explicit flag."""
    one_version: bool = False
    """Of the versions of one work (group_id) keep the best alone."""
    recent_items: Annotated[int, SearchRange(0, 100, most=1_000_000)] = 0
    """Leave out the works of the last so many items of the history; 0 leaves none out."""
    recent_days: Annotated[float, SearchRange(0.0, 365.0, most=1e6)] = 0.0
    """Leave out the works played within so many days of the newest event; 0 leaves none out."""

    def check(self, facts: "ItemFacts", flag: str = "rerank") -> None:
        """Raise a UserError for the first setting out of range, or that asks for what the data lacks."""
        check_ranges(flag, self)
        if self.diversity + self.calibration > 1:
            raise UserError(
                f"--{flag}.diversity {self.diversity:g} and --{flag}.calibration {self.calibration:g} are shares of "
                "one whole: give two that sum to 1 or less"
            )
        if found := self.lacking(facts):
            raise UserError(f"--{flag}.{found[0]}: the data has no {found[1]}; leave the flag out")

    def lacking(self, facts: "ItemFacts") -> tuple[str, str] | None:
        """The first setting, as a flag spells it, that needs what the data lacks, and what that is."""
        lacks = {
            "diversity": facts.space(self.space) is None and f"features of items ({self.space})",
            "calibration": facts.mix(self.mix) is None and f"features of items ({self.mix})",
            "per_artist": facts.artists is None and "column artist of items",
            "per_genre": facts.genres is None and "column genres of items",
            "balance": facts.genres is None and "column genres of items",
            "no_explicit": facts.explicit is None and "column explicit of items",
            "recent_days": facts.now is None and "timestamps of interactions",
        }
        missing = ((name.replace("_", "-"), what) for name, what in lacks.items() if what and getattr(self, name))
        return next(missing, None)


@dataclass(frozen=True)
class ItemFacts:
    """Item features of a train view, in its codes; None where the data lacks them.

    popularity: listeners, floored so that 0 and 1 share a value, float (n_items,); n_users: users of the view;
    places: fixed hash order of ties, int (n_items,); groups: work of each item, int (n_items,); vectors: space -> unit
    rows (n_items, dimensions), zeros where an item has no features or is not finite; genres, artists: multi-hot
    (n_items, values); explicit: bool (n_items,); now: the newest event in seconds.
    """

    popularity: np.ndarray
    n_users: int
    places: np.ndarray
    groups: np.ndarray
    vectors: dict[str, sparse.csr_array]
    genres: sparse.csr_array | None = None
    artists: sparse.csr_array | None = None
    explicit: np.ndarray | None = None
    now: int | None = None

    def __post_init__(self) -> None:
        """Drop features that are not finite: such an item counts as one without any."""
        object.__setattr__(self, "vectors", {space: finite_rows(rows) for space, rows in self.vectors.items()})

    def space(self, name: str) -> sparse.csr_array | None:
        """The vectors whose cosine is the similarity."""
        return self._first(("tag", "genre", "audio") if name == "auto" else (name,))

    def mix(self, name: str) -> sparse.csr_array | None:
        """The vectors whose shares make the mix of a list or history."""
        return self._first(("genre", "tag") if name == "auto" else (name,))

    def _first(self, names: Sequence[str]) -> sparse.csr_array | None:
        return next((self.vectors[name] for name in names if name in self.vectors), None)


def item_facts(train: TrainView) -> ItemFacts:
    """The facts of a train view; made once for any number of calls."""
    vectors = {space: item_vectors(train, space) for space in SPACES}
    times = train.histories.timestamps
    return ItemFacts(
        popularity=train.popularity,
        n_users=train.n_users,
        places=tie_places(train.items["item_id"]),
        groups=groups_of(train.items),
        vectors={space: rows for space, rows in vectors.items() if rows is not None},
        genres=distinct_values(train, "genres"),
        artists=distinct_values(train, "artist"),
        explicit=train.items["explicit"].eq(True).to_numpy(bool) if "explicit" in train.items else None,
        now=int(times.max()) if times is not None and len(times) else None,
    )


def finite_rows(vectors: sparse.csr_array) -> sparse.csr_array:
    """Vectors without the rows that hold anything but finite numbers, which become zeros; no zeros are stored."""
    clean, rows = vectors.copy(), np.repeat(np.arange(vectors.shape[0]), np.diff(vectors.indptr))
    clean.data[np.isin(rows, rows[~np.isfinite(vectors.data)])] = 0
    clean.eliminate_zeros()
    return clean
