"""Stage 5: two towers, one for users and one for items, that meet in a dot product.

So any catalogue can be searched by vectors, through FAISS, and no user and no item is unknown: a newcomer's vector is
made from the few items they name, or from their friends, and a new item's from its tags, genres, sound and name:

    python 5_two_tower.py --protocol listen
    python 5_two_tower.py --protocol newcomer            # ends with the cold-start curve
    python 5_two_tower.py --preset classic --index hnsw --show "Radiohead"
    python 5_two_tower.py --models lightgcn              # embeddings that spread along the graph, a rival
    python 5_two_tower.py --models rank_fusion           # ranks of the towers and others, one list
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from common.experiments.experiment import Experiment
from common.experiments.flags import command, parse
from common.experiments.settings import ModelSettings
from common.models import TwoTower
from common.models.registry import BY_DEFAULT, models_of
from common.models.vector_index import KINDS, Kind
from common.plots.networks import training_curves
from common.reporting.samples import find_items, find_users, show_recommendations, show_similar
from common.reporting.stage_summary import summarise
from common.reporting.stages.scores import draw_scores
from common.reporting.stages.two_tower import draw_map, keep_index, show_cold_start, show_coldness
from common.utils.errors import check_known

STAGE = "5_two_tower"
MODELS = models_of(STAGE)  # two_tower; where they are named, lightgcn and rank_fusion


@dataclass(frozen=True)
class Settings(ModelSettings):
    """Stage 5: two towers, LightGCN, or their ranks fused with others', on one data set and protocol."""

    models: tuple[str, ...] = BY_DEFAULT[STAGE]
    """Which models to run; lightgcn and rank_fusion only where they are named."""
    index: Kind = "auto"
    """How items are searched: flat (exact), ivf (cells), hnsw (a graph); auto: flat below 100,000 items, else ivf."""
    probes: tuple[str, ...] = ()
    """Ids of users whose recommendations are printed; three of them if none are given."""
    show: tuple[str, ...] = ()
    """Names of items whose nearest items are printed; the most popular ones if none are given."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        check_known("index", KINDS, self.index)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the stage."""
    args = parse(Settings, argv, models=MODELS)
    with Experiment(args, STAGE, models=MODELS) as exp:
        users, items = find_users(exp.train, args.probes), find_items(exp.train, args.show)
        for model, run in exp.runs(*MODELS):
            model.fit(exp.train, validation=exp.valid, context=run.context("valid"))
            run.save(model, exp.valid.evaluate(model))
            if args.phase == "final":
                model.refit(exp.train_valid, context=run.context("test"))  # for as many epochs as validation has chosen
                run.save(model, exp.test.evaluate(model))
        if not exp.is_main:  # a process of torchrun that only helps to train
            return

        figures = [
            exp.plot(f"{model.name}_training", training_curves, exp.run_of(model).curves())
            for model in MODELS
            if model.name in args.models
        ]
        if TwoTower.name in args.models and (model := exp.load(TwoTower)):
            show_recommendations(model, users)
            show_similar([model], exp.shown, items)
            keep_index(exp, model, args.index)
            figures += [draw_map(exp, model), *show_cold_start(exp, model)]
            figures += draw_scores(exp, [model], "two_tower_scores")
        show_coldness(exp)
        summarise(exp, figures)


if __name__ == "__main__":
    sys.exit(main())
