"""Stage 1: the baselines. Chance, popularity, neighbours by content, by listening, and all of them together.

Reads the prepared data and the split, fits each model on what the phase shows, and lets the scorer judge the lists:

    python 1_knn_baseline.py --protocol listen
    python 1_knn_baseline.py --protocol next --preset classic
    python 1_knn_baseline.py --models item_knn --item-knn.neighbours 50 --phase select
"""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from common.experiments.experiment import Experiment
from common.experiments.flags import command, parse
from common.experiments.settings import ModelSettings
from common.experiments.stage_runner import check_names, run_models, settings_classes
from common.models import ContentKNN, HybridKNN, ItemKNN, Popularity, Random, TagKNN, Trending, UserKNN
from common.models.base import Recommender
from common.models.baselines import TrendingSettings
from common.models.knn.content_knn import ContentKNNSettings, TagKNNSettings
from common.models.knn.hybrid_knn import HybridKNNSettings
from common.models.knn.item_knn import ItemKNNSettings
from common.models.knn.user_knn import UserKNNSettings
from common.reporting.samples import find, show_popular, show_similar, show_similar_songs
from common.reporting.stage_summary import conclude
from common.splits.train_view import most_popular
from common.utils.device import choose_device

STAGE = "1_knn_baseline"
FAMILIES = (Random, Popularity, Trending, ContentKNN, TagKNN, UserKNN, ItemKNN, HybridKNN)
MODELS: dict[str, type[Recommender]] = {model.name: model for model in FAMILIES}
SHOWN = ("content_knn", "tag_knn", "item_knn", "hybrid_knn")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(ModelSettings):
    """Stage 1: chance, popularity and nearest neighbours on one data set and protocol."""

    models: tuple[str, ...] = tuple(MODELS)
    """Which models to run; trending is left out by itself where nothing has a time."""
    show: tuple[str, ...] = ()
    """Names of items whose nearest neighbours are printed; the most popular ones if none are given."""
    trending: TrendingSettings = field(default_factory=TrendingSettings)
    content_knn: ContentKNNSettings = field(default_factory=ContentKNNSettings)
    tag_knn: TagKNNSettings = field(default_factory=TagKNNSettings)
    user_knn: UserKNNSettings = field(default_factory=UserKNNSettings)
    item_knn: ItemKNNSettings = field(default_factory=ItemKNNSettings)
    hybrid_knn: HybridKNNSettings = field(default_factory=HybridKNNSettings)

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        check_names(self.models, MODELS)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the stage."""
    settings = parse(Settings, argv, settings_classes(MODELS))
    experiment = Experiment(settings, STAGE, choose_device(settings.device).name)
    shown = find(experiment.select, settings.show)
    models = [name for name in settings.models if name != "trending" or experiment.has_times]
    if len(models) < len(settings.models):
        log.info("trending is left out: nothing has a time here")
    chosen = run_models(experiment, MODELS, models)

    show_popular(experiment.select)
    show_similar_songs(experiment.select)
    fitted = [experiment.load(MODELS[name], chosen[name]) for name in SHOWN if name in models]
    show_similar(fitted, experiment.select, shown or list(most_popular(experiment.select, 3)))

    conclude(experiment)


if __name__ == "__main__":
    sys.exit(main())
