"""The models, one file per family; `MODELS` names them all."""

from collections.abc import Iterator, MutableMapping
from importlib import import_module

from common.models.base import Recommender
from common.models.baselines import Popularity, Random, Trending
from common.models.ensemble import Ensemble
from common.models.knn.content_knn import ContentKNN, TagKNN
from common.models.knn.hybrid_knn import HybridKNN
from common.models.knn.item_knn import ItemKNN
from common.models.knn.user_knn import UserKNN
from common.models.linear.als import ALS
from common.models.linear.ease import EASE
from common.models.two_stage.forest import Forest, HistGradient

NEURAL = {
    "sasrec": ("common.models.neural.sasrec.model", "SASRec"),
    "two_tower": ("common.models.neural.two_tower.model", "TwoTower"),
    "hybrid_listnet": ("common.models.neural.listnet.model", "HybridListNet"),
}
"""Module and class of the neural models, with all that they import: not before one is asked for."""


class Models(MutableMapping[str, type[Recommender]]):
    """Model classes by name."""

    def __init__(self, *ready: type[Recommender]) -> None:
        self._classes: dict[str, type[Recommender] | None] = {model.name: model for model in ready}
        self._classes |= dict.fromkeys(NEURAL)

    def __getitem__(self, name: str) -> type[Recommender]:
        """The class of a model."""
        found = self._classes[name]
        if found is None:
            module, kind = NEURAL[name]
            found = self._classes[name] = getattr(import_module(module), kind)
        return found

    def __setitem__(self, name: str, kind: type[Recommender]) -> None:
        """Put a class in the place of another."""
        self._classes[name] = kind

    def __delitem__(self, name: str) -> None:
        """Forget a model."""
        del self._classes[name]

    def __iter__(self) -> Iterator[str]:
        """The names, in the order of the stages."""
        return iter(self._classes)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._classes)


MODELS = Models(
    *(Random, Popularity, Trending, ContentKNN, TagKNN, UserKNN, ItemKNN, HybridKNN),
    *(ALS, EASE, Ensemble, Forest, HistGradient),
)

STAGES = {
    "1_knn_baseline": (
        *("random", "popularity", "trending", "content_knn", "tag_knn", "user_knn", "item_knn", "hybrid_knn"),
    ),
    "2_als": ("als", "ease", "ensemble"),
    "3_random_forest_rank": ("forest", "hist_gradient"),
    "4_sasrec": ("sasrec",),
    "5_two_tower": ("two_tower",),
    "6_hybrid_listnet": ("hybrid_listnet",),
}
"""Which script trains which models."""
