"""Stage 1: the baselines. Chance, popularity, neighbours by content, by listening, and all of them together.

Reads the prepared data and the split, fits each model on what the phase shows, and lets the scorer judge the lists:

    python 1_knn_baseline.py --protocol listen
    python 1_knn_baseline.py --protocol next --preset classic
    python 1_knn_baseline.py --models item_knn --item-knn.neighbours 50 --phase select
"""

import dataclasses
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from common.command_line import ModelSettings, command, parse
from common.comparison import draw_comparison
from common.errors import unknown_name
from common.evaluation.leaderboard import text, write_leaderboard
from common.experiment import Experiment
from common.files import display
from common.machine import choose_device
from common.models import ContentKNN, HybridKNN, ItemKNN, Popularity, Random, TagKNN, Trending, UserKNN
from common.models.content_knn import ContentKNNSettings, TagKNNSettings
from common.models.contract import NoSettings, Recommender, setting_parts
from common.models.hybrid_knn import HybridKNNSettings
from common.models.item_knn import ItemKNNSettings
from common.models.popularity import TrendingSettings
from common.models.user_knn import UserKNNSettings
from common.showcase import find, most_popular, show_popular, show_similar, show_similar_songs
from common.tuning import tune

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
        for name in self.models:
            if name not in MODELS:
                raise unknown_name("model", name, MODELS)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the stage."""
    families = {name: model.Settings for name, model in MODELS.items() if model.Settings is not NoSettings}
    settings = parse(Settings, argv, families)
    device = choose_device(settings.device)
    experiment = Experiment(settings, STAGE, device)
    shown = find(experiment.select, settings.show)
    chosen: dict[str, Any] = {name: getattr(settings, name) for name in families}
    models = [name for name in settings.models if name != "trending" or experiment.has_times]
    if len(models) < len(settings.models):
        log.info("trending is left out: nothing has a time here")
    for name in models:
        chosen[name] = with_parts(getattr(settings, name, NoSettings()), chosen)
        if settings.tune and name in families:
            chosen[name] = tune(experiment, MODELS[name], chosen[name], settings.tune)
        experiment.run(MODELS[name], chosen[name])

    show_popular(experiment.select)
    show_similar_songs(experiment.select)
    fitted = [experiment.load(MODELS[name], chosen[name]) for name in SHOWN if name in models]
    show_similar(fitted, experiment.select, shown or list(most_popular(experiment.select, 3)))

    split = experiment.select.protocol
    table = write_leaderboard(experiment.folder, experiment.data.name, split, experiment.select.split_sha256)
    figures = draw_comparison(experiment.folder, table, f"{experiment.data.name}, {split}")
    log.info("\n%s", text(table, experiment.data.name, split))
    log.info("%s\n%s", display(experiment.folder / "leaderboard.md"), "\n".join(map(display, figures)))


def with_parts(settings: Any, chosen: dict[str, Any]) -> Any:
    """A hybrid's settings with those of the models that it is made of, as this run has chosen them."""
    names = setting_parts(type(settings)).keys() & chosen.keys()
    return dataclasses.replace(settings, **{name: chosen[name] for name in names})


if __name__ == "__main__":
    sys.exit(main())
