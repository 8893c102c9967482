"""Finished runs for the tests that read results, without the figures that a stage draws beside them."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from common.experiments import experiment as module
from common.experiments.experiment import Experiment
from common.experiments.presets import preset_values
from common.experiments.settings import ModelSettings
from common.models.base import Recommender

STAGE = "1_knn_baseline"


def finish(settings: ModelSettings, models: Sequence[type[Recommender]], stage: str = STAGE, **changed: Any) -> None:
    """Run models on the tuned preset, each changed by its own entry in `changed`, and leave what a stage leaves."""
    drawn = module.draw_accuracy
    module.draw_accuracy = lambda *_: None  # type: ignore[assignment]
    try:
        experiment = Experiment(settings, stage)
        for model in models:
            preset = preset_values("tuned", "synthetic", settings.protocol, model.name, model.Settings)
            experiment.run(model, dataclasses.replace(preset, **changed.get(model.name, {})))
    finally:
        module.draw_accuracy = drawn
