"""What the stages share: models in order, each tuned if asked for and run; then the leaderboard and the figures."""

import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.comparison import draw_comparison
from common.errors import unknown_name
from common.evaluation.leaderboard import text, write_leaderboard
from common.experiment import Experiment
from common.files import display
from common.models.contract import NoSettings, Recommender, setting_parts
from common.tuning import tune

Models = Mapping[str, type[Recommender]]
Search = Callable[[Experiment, type[Recommender], Any, int], Any]
log = logging.getLogger(__name__)


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


@contextmanager
def said_once(*names: str) -> Iterator[None]:
    """While the block runs, loggers do not say the same message twice."""
    said: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        new = message not in said
        said.add(message)
        return new

    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addFilter(is_new)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_new)


def conclude(experiment: Experiment, figures: Iterable[Path] = ()) -> None:
    """Write the leaderboard and the figures that compare its rows; print it and where everything is."""
    split = experiment.select.protocol
    table = write_leaderboard(experiment.folder, experiment.data.name, split, experiment.select.split_sha256)
    log.info("\n%s", text(table, experiment.data.name, split))
    drawn = [*draw_comparison(experiment.folder, table, f"{experiment.data.name}, {split}"), *figures]
    log.info("results: %s\nfigures: %s", display(experiment.folder), ", ".join(path.name for path in drawn))
    if experiment.hint:
        log.info("runs in W&B: %s", experiment.hint)
