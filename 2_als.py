"""Stage 2: matrix factorisation. ALS, iALS, their linear rival EASE, and an ensemble weighted by length of history.

Besides the lists it writes an index of similar items, and figures of how well the scores tell held-out items apart:

    python 2_als.py --protocol listen
    python 2_als.py --protocol newcomer --preset classic
    python 2_als.py --models als --als.factors 256 --als.regularisation 50 --phase select
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from common.experiments.experiment import Experiment
from common.experiments.flags import command, parse
from common.experiments.on_spark.stage import run_on_spark
from common.experiments.settings import SparkModelSettings
from common.models.registry import BY_DEFAULT, models_of
from common.reporting.samples import find_items
from common.reporting.stage_summary import summarise
from common.reporting.stages.als import draw_settings, draw_training, index_similar_items
from common.reporting.stages.scores import draw_scores

STAGE = "2_als"
MODELS = models_of(STAGE)  # als, ials, ease, ensemble; where they are named, kernel_ridge and graph_filter


@dataclass(frozen=True)
class Settings(SparkModelSettings):
    """Stage 2: ALS, iALS, EASE and the adaptive ensemble on one data set and protocol."""

    models: tuple[str, ...] = BY_DEFAULT[STAGE]
    """Which models to run; kernel_ridge and graph_filter only where they are named."""
    show: tuple[str, ...] = ()
    """Names of items whose similar items are printed; the most popular ones if none are given."""
    sensitivity: bool = False
    """Draw what factors and regularisation do from a small grid, where no tuning study is there to draw it from."""


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

        fitted = {model.name: model for model in exp.load_all(MODELS)}
        if "ensemble" in fitted:
            index_similar_items(exp, fitted["ensemble"], items)
        figures = [*draw_scores(exp, fitted.values()), *draw_training(exp), *draw_settings(exp, args.sensitivity)]
        summarise(exp, figures)


if __name__ == "__main__":
    sys.exit(main())
