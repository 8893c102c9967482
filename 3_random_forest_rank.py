"""Stage 3: learning to rank in two stages. Cheap models propose candidates, a random forest puts them in order.

Beside its lists it says how many held-out items are candidates at all, what the features are worth, and why a user is
recommended something:

    python 3_random_forest_rank.py --protocol listen
    python 3_random_forest_rank.py --protocol next --models forest --phase select
    python 3_random_forest_rank.py --models forest --ablation --phase select
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from common.experiments.experiment import Experiment
from common.experiments.flags import command, parse
from common.experiments.settings import ModelSettings
from common.models import Forest
from common.models.registry import models_of
from common.models.two_stage.kept_cross_fits import keep_only
from common.reporting.samples import find_users, show_recommendations
from common.reporting.stage_summary import summarise
from common.reporting.stages.forest import show_candidates, study_features, study_groups
from common.reporting.stages.scores import draw_scores, show_plays

STAGE = "3_random_forest_rank"
MODELS = models_of(STAGE)  # forest, hist_gradient


@dataclass(frozen=True)
class Settings(ModelSettings):
    """Stage 3: candidates, features, and trees that put them in order, on one data set and protocol."""

    models: tuple[str, ...] = tuple(model.name for model in MODELS)
    """Which models to run."""
    probes: tuple[str, ...] = ()
    """Ids of users whose recommendations are printed; three of them if none are given."""
    importance: bool = True
    """Measure what the features are worth to the forest, and draw it; --no-importance is quicker."""
    ablation: bool = False
    """Learn anew without each group of features and compare on validation: some minutes."""


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the stage."""
    args = parse(Settings, argv, models=MODELS)
    with Experiment(args, STAGE, models=MODELS) as exp:
        users = find_users(exp.train, args.probes)
        for model, run in exp.runs(*MODELS):
            model.fit(exp.train, validation=exp.valid, context=run.context("valid"))
            run.save(model, exp.valid.evaluate(model))
            if args.phase == "final":
                model.refit(exp.train_valid, context=run.context("test"))
                run.save(model, exp.test.evaluate(model))
        keep_only(exp.shared, exp.train)  # which the studies look at

        fitted = {model.name: model for model in exp.load_all(MODELS)}
        figures = draw_scores(exp, fitted.values(), "forest_scores")
        if Forest.name in args.models:
            forest = Forest(exp.settings_of(Forest), seed=args.seed).fit(exp.train, context=exp.context())
            figures += [show_candidates(exp, forest), *show_plays(exp, Forest, "forest_plays")]
            if args.importance and forest.ranker.trees:
                figures += study_features(exp, forest)
            if args.ablation and forest.ranker.trees:
                figures += [study_groups(exp, forest)]
            show_recommendations(forest if args.phase == "select" else fitted.get(Forest.name), users)
        summarise(exp, figures)


if __name__ == "__main__":
    sys.exit(main())
