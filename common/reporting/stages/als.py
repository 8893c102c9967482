"""What stage 2 shows besides its leaderboard: similar items, the loss and the settings of ALS."""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from common.experiments.analysis.similar_items import index_of, show_index
from common.experiments.experiment import Experiment
from common.experiments.stored.kept_tables import read_kept, write_kept
from common.experiments.stored.run_files import tell
from common.experiments.tuning import try_grid
from common.models import ALS, Ensemble, ItemKNN
from common.plots import precision_recall as plots
from common.utils.errors import UserError
from common.utils.io import display

GRID = {"factors": (16, 64, 256), "regularisation": (0.01, 1.0, 10.0, 100.0)}
log = logging.getLogger(__name__)


def index_similar_items(exp: Experiment, ensemble: Ensemble, items: Sequence[int]) -> None:
    """Write the index of similar items and print that of a few."""
    neighbours = ItemKNN(exp.settings_of(ItemKNN)).fit(exp.shown)
    index = index_of(ensemble, neighbours, exp.shown)
    path = exp.run_of(Ensemble).write_table("similar_items", index, exp.config_of(Ensemble))
    show_index(index, exp.shown, items)
    log.info("\nsimilar items of all %s items: %s", f"{exp.shown.n_items:,}", display(path))


def draw_training(exp: Experiment) -> list[Path]:
    """The loss of ALS, where this command or an earlier one has trained it."""
    noted = exp.run_of(ALS).curves()
    losses = noted.get("refit/loss", noted.get("train/loss"))
    return [exp.plot("als_loss", plots.loss, losses)] if losses else []


def draw_settings(exp: Experiment, grid: bool) -> list[Path]:
    """What factors and regularisation do on validation: from the tuning study, else from a grid if asked for."""
    kept, start = exp.folder / ALS.name / "sensitivity.parquet", exp.settings_of(ALS)
    fixed = {name: value for name, value in asdict(start).items() if name not in GRID}
    made_of = {"split_sha256": exp.train.split_sha256, "seed": exp.args.seed, "settings": fixed}
    trials = _trials(exp)
    if trials is None and grid:
        write_kept(kept, try_grid(exp.search(ALS), start, GRID), made_of)
    if trials is None:
        trials = read_kept(kept, made_of, "make it anew with 2_als.py --sensitivity, or delete it")
    return [] if trials is None else [exp.plot("als_settings", plots.settings, trials)]


def _trials(exp: Experiment) -> pd.DataFrame | None:
    """The trials of the tuning study; None without any, and, with a warning, where the study is damaged."""
    try:
        trials = exp.search(ALS).trials(exp.settings_of(ALS))
    except UserError as error:
        tell(f"left out: {error}")
        return None
    return None if trials.empty else trials
