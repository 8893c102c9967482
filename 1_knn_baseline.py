"""Stage 1: the baselines. Chance, popularity, neighbours by content, by listening, and all of them together.

Each model is fitted on train, evaluated on validation, fitted again on train + validation and evaluated on test:

    python 1_knn_baseline.py --protocol listen
    python 1_knn_baseline.py --protocol next --preset classic
    python 1_knn_baseline.py --models item_knn --item-knn.neighbours 50 --phase select
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from common.experiments.experiment import Experiment
from common.experiments.flags import command, parse
from common.experiments.on_spark.stage import run_on_spark
from common.experiments.settings import SparkModelSettings
from common.models import ContentKNN, HybridKNN, ItemKNN, Random, TagKNN
from common.models.registry import models_of
from common.reporting.samples import find_items, show_popular, show_similar, show_similar_songs
from common.reporting.stage_summary import summarise
from common.reporting.stages.scores import draw_scores

STAGE = "1_knn_baseline"
MODELS = models_of(STAGE)  # random, popularity, trending; content, tag, user, item and hybrid kNN
SHOWN = (ContentKNN, TagKNN, ItemKNN, HybridKNN)


@dataclass(frozen=True)
class Settings(SparkModelSettings):
    """Stage 1: chance, popularity and nearest neighbours on one data set and protocol."""

    models: tuple[str, ...] = tuple(model.name for model in MODELS)
    """Which models to run; trending is left out by itself where nothing has a time."""
    show: tuple[str, ...] = ()
    """Names of items whose nearest neighbours are printed; the most popular ones if none are given."""


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the stage."""
    args = parse(Settings, argv, models=MODELS)
    if args.on_spark:
        run_on_spark(args, STAGE, MODELS, summarise)
        return
    with Experiment(args, STAGE, models=MODELS) as exp:
        items = find_items(exp.train, args.show)
        for model, run in exp.runs(*MODELS):
            model.fit(exp.train)
            run.save(model, exp.valid.evaluate(model))
            if args.phase == "final":
                model.refit(exp.train_valid)
                run.save(model, exp.test.evaluate(model))

        show_popular(exp.train)
        show_similar_songs(exp.train)
        fitted = exp.load_all(MODELS)
        show_similar([model for model in fitted if isinstance(model, SHOWN)], exp.train, items)
        scored = [model for model in fitted if not isinstance(model, Random)]
        summarise(exp, draw_scores(exp, scored, "knn_scores"))


if __name__ == "__main__":
    sys.exit(main())
