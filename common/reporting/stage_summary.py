"""The end of every stage: the leaderboard and the figures that compare its rows."""

import logging
from collections.abc import Iterable
from pathlib import Path

from common.experiments.experiment import Experiment
from common.plots.model_comparison import draw_comparison
from common.reporting.leaderboard import text, write_leaderboard
from common.utils.io import display

log = logging.getLogger(__name__)


def conclude(experiment: Experiment, figures: Iterable[Path] = ()) -> None:
    """Write the leaderboard and the figures that compare its rows; print it and where everything is."""
    split = experiment.select.protocol
    table = write_leaderboard(experiment.folder, experiment.data.name, split, experiment.select.split_sha256)
    log.info("\n%s", text(table, experiment.data.name, split))
    drawn = [*draw_comparison(experiment.folder, table, f"{experiment.data.name}, {split}"), *figures]
    log.info("results: %s\nfigures: %s", display(experiment.folder), ", ".join(path.name for path in drawn))
    if experiment.hint:
        log.info("runs in W&B: %s", experiment.hint)
