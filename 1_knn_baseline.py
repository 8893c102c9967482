"""Stage 1: the baselines. Chance, popularity, and item-based nearest neighbours.

Reads the prepared data and the split, fits each model on what the phase shows, and lets the scorer judge the lists:

    python 1_knn_baseline.py --protocol listen
    python 1_knn_baseline.py --protocol next --preset classic
    python 1_knn_baseline.py --models item_knn --item-knn.neighbours 50 --phase select
"""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from common.command_line import ModelSettings, command, parse
from common.errors import unknown_name
from common.evaluation.leaderboard import text, write_leaderboard
from common.experiment import Experiment
from common.files import display
from common.machine import choose_device
from common.models import ItemKNN, Popularity, Random
from common.models.contract import NoSettings, Recommender
from common.models.item_knn import ItemKNNSettings
from common.tuning import tune

STAGE = "1_knn_baseline"
MODELS: dict[str, type[Recommender]] = {model.name: model for model in (Random, Popularity, ItemKNN)}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(ModelSettings):
    """Stage 1: chance, popularity and item kNN on one data set and protocol."""

    models: tuple[str, ...] = tuple(MODELS)
    """Which models to run."""
    item_knn: ItemKNNSettings = field(default_factory=ItemKNNSettings)
    """Item-based nearest neighbours."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        for name in self.models:
            if name not in MODELS:
                raise unknown_name("model", name, MODELS)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the stage."""
    settings = parse(Settings, argv, {"item_knn": ItemKNNSettings})
    device = choose_device(settings.device)
    experiment = Experiment(settings, STAGE, device)
    for name in settings.models:
        chosen = getattr(settings, name, NoSettings())
        if settings.tune and chosen != NoSettings():
            chosen = tune(experiment, MODELS[name], chosen, settings.tune)
        experiment.run(MODELS[name], chosen)
    split = experiment.select.protocol
    table = write_leaderboard(experiment.folder, experiment.data.name, split, experiment.select.split_sha256)
    log.info("\n%s\n%s", text(table, experiment.data.name, split), display(experiment.folder / "leaderboard.md"))


if __name__ == "__main__":
    sys.exit(main())
