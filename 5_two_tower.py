"""Stage 5: two towers, one for people and one for items, that meet in a dot product.

So any catalogue can be searched by vectors, through FAISS, and nobody and nothing is unknown: a newcomer's vector is
made from the few items they name, or from their friends, and a new item's from its tags, genres, sound and name:

    python 5_two_tower.py --protocol listen
    python 5_two_tower.py --protocol newcomer            # ends with the cold-start ladder
    python 5_two_tower.py --preset classic --index hnsw --show "Radiohead"
"""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from common.evaluation.segments import by_n_given
from common.experiments.analysis.cold_start import LADDER, cold_start_rows, evaluate_with_attributes
from common.experiments.experiment import Experiment
from common.experiments.flags import command, parse
from common.experiments.run import PARTS
from common.experiments.run_folders import on_part, run_folders
from common.experiments.settings import ModelSettings
from common.experiments.stage_runner import run_models, settings_classes
from common.models.neural.two_tower.model import TwoTower, TwoTowerSettings
from common.models.vector_index import KINDS, SAMPLE, Index, Kind
from common.plots.cold_start import WITH_FRIENDS, draw_cold_start
from common.plots.embedding_map import draw_map
from common.plots.training_curves import draw_training
from common.reporting.extra_tables import cold_start_text, unseen_text
from common.reporting.leaderboard import leaderboard
from common.reporting.samples import find, find_users, show_lists, show_similar
from common.reporting.stage_summary import conclude
from common.splits.train_view import most_popular
from common.training.precision import precision_of
from common.utils import distributed as parallel
from common.utils.device import choose_torch_device
from common.utils.errors import unknown_name
from common.utils.io import display, read_json

STAGE = "5_two_tower"
MODELS = {TwoTower.name: TwoTower}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(ModelSettings):
    """Stage 5: two towers on one data set and protocol."""

    index: Kind = "auto"
    """How items are searched: flat (exact), ivf (cells), hnsw (a graph); auto: flat below 100,000 items, else ivf."""
    probes: tuple[str, ...] = ()
    """Ids of users whose recommendations are printed; three of them if none are given."""
    show: tuple[str, ...] = ()
    """Names of items whose nearest items are printed; the most popular ones if none are given."""
    two_tower: TwoTowerSettings = field(default_factory=TwoTowerSettings)

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        if self.index not in KINDS:
            raise unknown_name("index", self.index, KINDS)
        self.two_tower.check()


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the stage."""
    settings = parse(Settings, argv, settings_classes(MODELS))
    device = choose_torch_device(settings.device)
    precision = precision_of(device.name, settings.two_tower.precision)
    with parallel.group(device.name):
        experiment = Experiment(settings, STAGE, device.name)
        log.info("%s (%s), %s", device.name, device.reason, precision)
        probes = find_users(experiment.select, settings.probes)
        shown = find(experiment.select, settings.show) or most_popular(experiment.select, 3).tolist()
        chosen = run_models(experiment, MODELS, MODELS)
        if parallel.is_main():
            show(experiment, chosen[TwoTower.name], probes, shown)


def show(experiment: Experiment, settings: TwoTowerSettings, probes: Sequence[str], shown: Sequence[int]) -> None:
    """Lists, neighbours, the index, figures, and the leaderboard."""
    folder = experiment.run_folder(TwoTower, settings)
    title, figures = f"{experiment.data.name}, {experiment.select.protocol}", experiment.folder / "figures"
    drawn = [figures / "two_tower_training.png"]
    draw_training(read_json(folder / "curves.json"), title, drawn[0])
    model = experiment.load(TwoTower, settings)
    phase = experiment.settings.phases[-1]
    if phase == "select" and (folder / "test").exists():
        log.info("\nthe saved model is that of an earlier final run, which knows validation: it is not shown")
    elif isinstance(model, TwoTower):
        train = experiment.train[phase]
        users = [train.users["user_id"].tolist().index(user) for user in probes]
        show_lists(model, train, users)
        show_similar([model], train, shown)
        keep_index(model, experiment.settings.index, folder)
        drawn.append(figures / "two_tower_map.png")
        draw_map(model.item_vectors(), train, title, drawn[-1])
        if experiment.select.protocol.startswith("newcomer"):
            drawn.append(show_ladder(experiment, model, folder / PARTS[phase], figures / "ladder.png"))
    log.info("\n%s", unseen_text(experiment))
    conclude(experiment, drawn)


def keep_index(model: TwoTower, kind: Kind, folder: Path) -> None:
    """Make the index, say how well and how fast it answers, and write it beside the model."""
    index = model.index(kind)
    index.save(folder / "index")
    n = len(model.histories)
    queries = model.user_vectors(np.arange(n) if n <= SAMPLE else np.random.default_rng(1).permutation(n)[:SAMPLE])
    found = index.measure(Index(model.item_vectors(), "flat"), queries)
    how = f"{found.kind}, {found.visited} visited" if found.visited else f"{found.kind}, exact"
    text = "\nindex of %s items: %s | recall@100 %.4f | %.3f ms per query (exact search %.3f ms) | %s"
    log.info(text, f"{index.n:,}", how, found.recall, found.ms, found.exact_ms, display(folder / "index"))


def show_ladder(experiment: Experiment, model: TwoTower, results: Path, path: Path) -> Path:
    """Print and draw how lists grow better with what is known of a newcomer, beside the models of other stages."""
    table = leaderboard(experiment.folder, experiment.select.split_sha256)
    own = experiment.preset(TwoTower, model.settings)
    wanted = table["model"].isin(LADDER) & table["preset"].isin({"tuned", own})
    folders = run_folders(experiment.folder, table[wanted])
    rows = cold_start_rows(folders)
    missing = [name for name in LADDER if not any(row.startswith(name) for row in rows)]
    if missing:
        log.info("\nnot on the ladder, since they have not been run on newcomer: %s", ", ".join(missing))
    if all(folder.name == results.name for folder in folders.values()):
        rows[WITH_FRIENDS] = by_n_given(evaluate_with_attributes(experiment, model, results))
    log.info("\n%s", cold_start_text(rows))
    draw_cold_start(rows, on_part(f"{experiment.data.name}, newcomer", folders), path)
    return path


if __name__ == "__main__":
    sys.exit(main())
