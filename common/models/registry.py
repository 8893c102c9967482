"""All models: a line for each, in the order of the stages. Nothing is imported before a model is looked up."""

from collections import UserDict
from importlib import import_module
from typing import Any, NamedTuple

from common.models.base import Recommender


class Entry(NamedTuple):
    """Where a model's class stands (module below `common.models`), and the script that trains it.

    named_only: the script trains the model where `--models` names it, not as one of those that it trains by default.
    """

    name: str
    module: str
    kind: str
    stage: str
    named_only: bool = False

    def load(self) -> type[Recommender]:
        """The class."""
        return getattr(import_module(f"common.models.{self.module}"), self.kind)


ENTRIES = (
    Entry("random", "baselines", "Random", "1_knn_baseline"),
    Entry("popularity", "baselines", "Popularity", "1_knn_baseline"),
    Entry("trending", "baselines", "Trending", "1_knn_baseline"),
    Entry("content_knn", "knn.content_knn", "ContentKNN", "1_knn_baseline"),
    Entry("tag_knn", "knn.content_knn", "TagKNN", "1_knn_baseline"),
    Entry("user_knn", "knn.user_knn", "UserKNN", "1_knn_baseline"),
    Entry("item_knn", "knn.item_knn", "ItemKNN", "1_knn_baseline"),
    Entry("hybrid_knn", "knn.hybrid_knn", "HybridKNN", "1_knn_baseline"),
    Entry("als", "linear.als", "ALS", "2_als"),
    Entry("ials", "linear.ials", "IALS", "2_als"),
    Entry("ease", "linear.ease", "EASE", "2_als"),
    Entry("kernel_ridge", "linear.kernel_ridge", "KernelRidge", "2_als", named_only=True),
    Entry("graph_filter", "graph.graph_filter", "GraphFilter", "2_als", named_only=True),
    Entry("ensemble", "ensemble", "Ensemble", "2_als"),
    Entry("forest", "two_stage.forest", "Forest", "3_random_forest_rank"),
    Entry("hist_gradient", "two_stage.forest", "HistGradient", "3_random_forest_rank"),
    Entry("sasrec", "neural.sasrec.model", "SASRec", "4_sasrec"),
    Entry("two_tower", "neural.two_tower.model", "TwoTower", "5_two_tower"),
    Entry("lightgcn", "neural.lightgcn.model", "LightGCN", "5_two_tower", named_only=True),
    Entry("rank_fusion", "rank_fusion", "RankFusion", "5_two_tower", named_only=True),
    Entry("hybrid_listnet", "neural.listnet.model", "HybridListNet", "6_hybrid_listnet"),
)


class Models(UserDict[str, Any]):
    """Model classes by name, each imported when it is looked up."""

    def __getitem__(self, name: str) -> type[Recommender]:
        """The class of a model."""
        return self.data[name].load()


MODELS = Models({entry.name: entry for entry in ENTRIES})
STAGES: dict[str, tuple[str, ...]] = {
    stage: tuple(entry.name for entry in ENTRIES if entry.stage == stage)
    for stage in dict.fromkeys(entry.stage for entry in ENTRIES)
}
"""Which script trains which models."""
BY_DEFAULT: dict[str, tuple[str, ...]] = {
    stage: tuple(entry.name for entry in ENTRIES if entry.stage == stage and not entry.named_only) for stage in STAGES
}
"""Those that it trains where `--models` names none."""


def stage_of(model: str) -> str:
    """The script that trains a model."""
    return next(stage for stage, names in STAGES.items() if model in names)


def models_of(stage: str) -> tuple[type[Recommender], ...]:
    """The classes of the models that a script trains, imported now."""
    return tuple(MODELS[name] for name in STAGES[stage])
