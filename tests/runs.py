"""Finished runs for the tests that read results, without the figures that a stage draws beside them."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.experiments import live_run
from common.experiments.experiment import Experiment
from common.experiments.run import Run
from common.experiments.settings import ModelSettings
from common.models.base import Recommender

STAGE = "1_knn_baseline"


def run_through(exp: Experiment, *models: type[Recommender]) -> None:
    """What a stage does with its models: fit, evaluate, and with `--phase final` refit and test."""
    for model, run in exp.runs(*models):
        model.fit(exp.train, validation=exp.valid, context=run.context("valid"))
        run.save(model, exp.valid.evaluate(model))
        if exp.part == "test":
            model.refit(exp.train_valid, context=run.context("test"))
            run.save(model, exp.test.evaluate(model))


def finish(
    settings: ModelSettings, models: Sequence[type[Recommender]], stage: str = STAGE, **changed: Any
) -> list[Run]:
    """Run models on the tuned preset, each changed by its own entry in `changed`, and leave what a stage leaves."""
    drawn = live_run.draw_accuracy
    live_run.draw_accuracy = lambda run, parts: Path("not drawn")
    try:
        exp = Experiment(settings, stage)
        for model in models:
            exp.settings[model.name] = dataclasses.replace(exp.settings_of(model), **changed.get(model.name, {}))
        run_through(exp, *models)
    finally:
        live_run.draw_accuracy = drawn
    return [exp.run_of(model) for model in models]
