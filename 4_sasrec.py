"""Stage 4: a history as a sequence. SASRec reads it event by event and predicts the next one.

The first of the neural stages: trained on CUDA where there is a card, on the CPU where there is none, stopped when
validation no longer rises, resumable, in one process or several:

    python 4_sasrec.py --protocol next
    python 4_sasrec.py --protocol next --preset classic --device cpu
    torchrun --nproc-per-node 2 4_sasrec.py --protocol next --resume
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from common.experiments.experiment import Experiment
from common.experiments.flags import command, parse
from common.experiments.settings import ModelSettings
from common.models import SASRec
from common.models.registry import models_of
from common.plots.networks import training_curves
from common.reporting.samples import find_users, show_recommendations
from common.reporting.stage_summary import summarise
from common.reporting.stages.sasrec import accuracy_by_length, attention_of
from common.reporting.stages.scores import draw_scores

STAGE = "4_sasrec"
MODELS = models_of(STAGE)  # sasrec


@dataclass(frozen=True)
class Settings(ModelSettings):
    """Stage 4: SASRec on one data set and protocol."""

    probes: tuple[str, ...] = ()
    """Ids of users whose recommendations are printed and whose attention is drawn; three of them if none are given."""


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

        figures = [exp.plot("sasrec_training", training_curves, exp.run_of(SASRec).curves())]
        figures += [accuracy_by_length(exp, exp.best_rows(beside=SASRec, n=5))]
        if model := exp.load(SASRec):
            show_recommendations(model, users)
            figures += [attention_of(exp, model, users[0]), *draw_scores(exp, [model], "sasrec_scores")]
        summarise(exp, figures)


if __name__ == "__main__":
    sys.exit(main())
