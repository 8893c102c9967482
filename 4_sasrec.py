"""Stage 4: a history as a sequence. SASRec reads it event by event and foretells the next one.

The first of the neural stages: trained on CUDA where there is a card, on the CPU where there is none, stopped when
validation no longer rises, resumable, in one process or several:

    python 4_sasrec.py --protocol next
    python 4_sasrec.py --protocol next --preset classic --device cpu
    torchrun --nproc-per-node 2 4_sasrec.py --protocol next --resume
"""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from common.experiments.experiment import Experiment
from common.experiments.flags import command, parse
from common.experiments.run_folders import on_part, run_folders
from common.experiments.settings import ModelSettings
from common.experiments.stage_runner import run_models, settings_classes
from common.models.neural.sasrec.model import SASRec, SASRecSettings
from common.plots.training_curves import draw_attention, draw_by_length, draw_training
from common.reporting.leaderboard import leaderboard
from common.reporting.samples import find_users, show_lists
from common.reporting.stage_summary import conclude
from common.splits.train_view import names_of
from common.training.precision import precision_of
from common.utils import distributed as parallel
from common.utils.device import choose_torch_device
from common.utils.io import read_json

STAGE = "4_sasrec"
MODELS = {SASRec.name: SASRec}
BESIDE = 5
"""Rows of other stages that figures show beside SASRec's."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(ModelSettings):
    """Stage 4: SASRec on one data set and protocol."""

    probes: tuple[str, ...] = ()
    """Ids of users whose recommendations are printed and whose attention is drawn; three of them if none are given."""
    sasrec: SASRecSettings = field(default_factory=SASRecSettings)

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        self.sasrec.check()


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the stage."""
    settings = parse(Settings, argv, settings_classes(MODELS))
    device = choose_torch_device(settings.device)
    precision = precision_of(device.name, settings.sasrec.precision)
    with parallel.group(device.name):
        experiment = Experiment(settings, STAGE, device.name)
        log.info("%s (%s), %s, order of events: %s", device.name, device.reason, precision, settings.sasrec.order)
        probes = find_users(experiment.select, settings.probes)
        chosen = run_models(experiment, MODELS, MODELS)
        if parallel.is_main():
            show(experiment, chosen[SASRec.name], probes)


def show(experiment: Experiment, settings: SASRecSettings, probes: Sequence[str]) -> None:
    """Figures, the lists of a few users, and the leaderboard."""
    folder = experiment.run_folder(SASRec, settings)
    figures = [draw_curves(experiment, folder), draw_lengths(experiment)]
    model = experiment.load(SASRec, settings)
    if experiment.settings.phase == "select" and (folder / "test").exists():
        log.info("\nthe saved model is that of an earlier final run, which knows validation: no lists are shown")
    elif isinstance(model, SASRec):
        train = experiment.train[experiment.settings.phases[-1]]
        users = [train.users["user_id"].tolist().index(user) for user in probes]
        show_lists(model, train, users)
        figures.append(draw_probe(experiment, model, users[0]))
    conclude(experiment, figures)


def place(experiment: Experiment, name: str) -> tuple[str, Path]:
    """Title and path of a figure of this stage."""
    path = experiment.folder / "figures" / f"sasrec_{name}.png"
    return f"{experiment.data.name}, {experiment.select.protocol}", path


def draw_curves(experiment: Experiment, folder: Path) -> Path:
    """Loss and validation, epoch by epoch."""
    title, path = place(experiment, "training")
    draw_training(read_json(folder / "curves.json"), title, path)
    return path


def draw_lengths(experiment: Experiment) -> Path:
    """Accuracy against the length of the history, beside the rows of other stages that did best on validation."""
    title, path = place(experiment, "by_length")
    rows = leaderboard(experiment.folder, experiment.select.split_sha256)
    own = rows["model"] == SASRec.name
    results = run_folders(experiment.folder, pd.concat([rows[~own].nlargest(BESIDE, "valid_ndcg_10"), rows[own]]))
    train = experiment.train[experiment.settings.phases[-1]]
    lengths = pd.Series(train.histories.lengths, index=train.users["user_id"].astype(object))
    draw_by_length(results, lengths, on_part(title, results), path)
    return path


def draw_probe(experiment: Experiment, model: SASRec, user: int) -> Path:
    """What attention makes of one user's history."""
    title, path = place(experiment, "attention")
    train = experiment.train[experiment.settings.phases[-1]]
    items, weights = model.attention(train.histories.take(np.array([user])))
    draw_attention(names_of(train)[items].tolist(), weights, f"{title}, user {train.users['user_id'].iloc[user]}", path)
    return path


if __name__ == "__main__":
    sys.exit(main())
