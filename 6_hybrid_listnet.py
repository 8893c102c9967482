"""Stage 6: a deep hybrid of everything. Ids, content, users, and what simpler models know, learned listwise.

Beside its lists it predicts plays, and shows what its parts are worth and what diverse lists cost:

    python 6_hybrid_listnet.py --protocol listen
    python 6_hybrid_listnet.py --preset classic64 --hybrid-listnet.inputs content
    python 6_hybrid_listnet.py --ablation --trade-off --phase select
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from common.experiments.experiment import Experiment
from common.experiments.flags import command, parse
from common.experiments.settings import ModelSettings
from common.models import HybridListNet
from common.models.registry import models_of
from common.plots.networks import training_curves
from common.reporting.samples import find_users, show_recommendations
from common.reporting.stage_summary import summarise
from common.reporting.stages.listnet import (
    draw_preprocessing,
    show_calibration,
    study_ablation,
    study_plays,
    study_trade_off,
)
from common.reporting.stages.scores import draw_scores, show_plays

STAGE = "6_hybrid_listnet"
MODELS = models_of(STAGE)  # hybrid_listnet


@dataclass(frozen=True)
class Settings(ModelSettings):
    """Stage 6: the hybrid network on one data set and protocol."""

    probes: tuple[str, ...] = ()
    """Ids of users whose recommendations are printed; three of them if none are given."""
    plays: bool = False
    """Fit once more without a stratified part of the visible pairs, and say for whom plays are predicted how well."""
    ablation: bool = False
    """Learn anew without each part and compare on validation: some minutes."""
    trade_off: bool = False
    """Learn anew at several weights of similarity and draw accuracy against it on validation: some minutes."""


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
                model.refit(exp.train_valid, context=run.context("test"))  # for as many epochs as validation has chosen
                run.save(model, exp.test.evaluate(model))
        if not exp.is_main:  # a process of torchrun that only helps to train
            return

        figures = [exp.plot("hybrid_training", training_curves, exp.run_of(HybridListNet).curves())]
        figures += draw_preprocessing(exp)
        if model := exp.load(HybridListNet):
            show_recommendations(model, users)
            figures += [*show_calibration(exp, model), *draw_scores(exp, [model], "hybrid_scores")]
            figures += show_plays(exp, HybridListNet, "hybrid_predicted_plays")
        figures += study_plays(exp) if args.plays else []
        figures += study_ablation(exp) if args.ablation else []
        figures += study_trade_off(exp) if args.trade_off else []
        summarise(exp, figures)


if __name__ == "__main__":
    sys.exit(main())
