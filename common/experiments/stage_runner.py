"""What the stages share: models in order, each tuned if asked for and run."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from common.experiments.experiment import Experiment
from common.experiments.tuning import tune
from common.models.base import Recommender
from common.utils.errors import unknown_name
from common.utils.settings import NoSettings, setting_parts

Models = Mapping[str, type[Recommender]]


Search = Callable[[Experiment, type[Recommender], Any, int], Any]


def check_names(names: Iterable[str], models: Models) -> None:
    """Raise a UserError for the first name that is none of the stage's models."""
    for name in names:
        if name not in models:
            raise unknown_name("model", name, models)


def settings_classes(models: Models) -> dict[str, type]:
    """The settings class of each model that has any: what the stage has flags for."""
    return {name: model.Settings for name, model in models.items() if model.Settings is not NoSettings}


def run_models(
    experiment: Experiment, models: Models, wanted: Iterable[str], searches: Mapping[str, Search] | None = None
) -> dict[str, Any]:
    """Tune, if asked for, and run the wanted models in order; returns the settings of every model of the stage.

    `searches` names the models that are not tuned by `tune`. A model made of others takes the settings that the
    others have in this run.
    """
    flags, families = experiment.settings, settings_classes(models)
    chosen = {name: getattr(flags, name) for name in families}
    for name in wanted:
        chosen[name] = with_parts(getattr(flags, name, NoSettings()), chosen)
        if flags.tune and name in families:
            search = (searches or {}).get(name, tune)
            chosen[name] = search(experiment, models[name], chosen[name], flags.tune)
        experiment.run(models[name], chosen[name])
    return chosen


def with_parts(settings: Any, chosen: dict[str, Any]) -> Any:
    """Settings of a model made of others, with those of the others as this run has chosen them."""
    names = setting_parts(type(settings)).keys() & chosen.keys()
    return dataclasses.replace(settings, **{name: chosen[name] for name in names})
