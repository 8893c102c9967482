"""Stage 2: matrix factorisation. ALS, its linear rival EASE, and an ensemble that weighs by what is known of the user.

Besides the lists it writes an index of similar items, and figures of how well the scores tell hidden items apart:

    python 2_als.py --protocol listen
    python 2_als.py --protocol newcomer --preset classic
    python 2_als.py --models als --als.factors 256 --als.regularisation 50 --phase select
"""

import dataclasses
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from common.experiments.analysis.similar_items import points_of_view, show_index, similar_items
from common.experiments.ensemble_weights import tune_weights
from common.experiments.experiment import Experiment
from common.experiments.flags import command, parse
from common.experiments.presets import preset_values
from common.experiments.run_folders import on_part, run_folders
from common.experiments.settings import ModelSettings
from common.experiments.stage_runner import check_names, run_models, settings_classes
from common.experiments.tuning import trials_of
from common.models import ALS, EASE, Ensemble, ItemKNN
from common.models.base import Recommender
from common.models.ensemble import EnsembleSettings
from common.models.linear.als import ALSSettings, devices
from common.models.linear.ease import EASESettings
from common.plots.precision_recall import draw_loss, draw_precision_recall, draw_scores, draw_sensitivity
from common.reporting.leaderboard import leaderboard
from common.reporting.samples import find
from common.reporting.stage_summary import conclude
from common.splits.train_view import most_popular
from common.utils.device import choose_device
from common.utils.io import display, read_json, read_parquet, write_parquet

STAGE = "2_als"
MODELS: dict[str, type[Recommender]] = {model.name: model for model in (ALS, EASE, Ensemble)}
GRID = {"factors": (16, 64, 256), "regularisation": (0.01, 1.0, 10.0, 100.0)}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(ModelSettings):
    """Stage 2: ALS, EASE and the adaptive ensemble on one data set and protocol."""

    models: tuple[str, ...] = tuple(MODELS)
    """Which models to run."""
    show: tuple[str, ...] = ()
    """Names of items whose similar items are printed; the most popular ones if none are given."""
    sensitivity: bool = False
    """Draw what factors and regularisation do from a small grid, where no tuning study is there to draw it from."""
    als: ALSSettings = field(default_factory=ALSSettings)
    ease: EASESettings = field(default_factory=EASESettings)
    ensemble: EnsembleSettings = field(default_factory=EnsembleSettings)

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        check_names(self.models, MODELS)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the stage."""
    settings = parse(Settings, argv, settings_classes(MODELS))
    experiment = Experiment(settings, STAGE, choose_device(settings.device, devices()).name)
    shown = find(experiment.select, settings.show) or list(most_popular(experiment.select, 3))
    chosen = run_models(experiment, MODELS, settings.models, {"ensemble": tune_weights})

    fitted = {name: experiment.load(MODELS[name], chosen[name]) for name in settings.models}
    if settings.phase == "select":  # beside results on test lies the model of the final phase, which knows validation
        folders = {name: experiment.run_folder(MODELS[name], chosen[name]) for name in fitted}
        fitted = {name: model for name, model in fitted.items() if not (folders[name] / "test").exists()}
    if isinstance(ensemble := fitted.get("ensemble"), Ensemble):
        path = experiment.run_folder(Ensemble, chosen["ensemble"]) / "similar_items.parquet"
        index_similar_items(experiment, ensemble, shown, path)
    figures = [*draw(experiment, fitted), *draw_training(experiment, chosen["als"])]
    conclude(experiment, [*figures, *draw_settings(experiment, chosen["als"], settings.sensitivity)])


def index_similar_items(experiment: Experiment, ensemble: Ensemble, shown: Sequence[int], path: Path) -> None:
    """Write the index of similar items and print that of a few."""
    flags, train = experiment.settings, experiment.train[experiment.settings.phases[-1]]
    settings = preset_values(flags.preset, experiment.data.presets, flags.protocol, ItemKNN.name, ItemKNN.Settings)
    index = similar_items(points_of_view(ensemble, ItemKNN(settings).fit(train)), train)
    write_parquet(path, index)
    show_index(index, train, shown)
    log.info("\nsimilar items of all %s items: %s", f"{train.n_items:,}", display(path))


def draw(experiment: Experiment, fitted: dict[str, Recommender]) -> list[Path]:
    """Precision against recall of every row so far, and the scores of this run's models."""
    folder, title = experiment.folder / "figures", f"{experiment.data.name}, {experiment.select.protocol}"
    results = run_folders(experiment.folder, leaderboard(experiment.folder, experiment.select.split_sha256))
    paths = [folder / "precision_recall.png", folder / "scores.png"]
    draw_precision_recall(results, on_part(title, results), paths[0])
    if not fitted:
        return paths[:1]
    draw_scores(fitted, experiment.evaluators[experiment.settings.phases[-1]], title, paths[1])
    return paths


def draw_training(experiment: Experiment, settings: ALSSettings) -> list[Path]:
    """The loss of ALS, where this run or a former one has trained it."""
    curves = experiment.run_folder(ALS, settings) / "curves.json"
    if not curves.exists():
        return []
    path, noted = experiment.folder / "figures" / "als_loss.png", read_json(curves)
    losses = noted.get("refit/loss", noted["train/loss"])
    draw_loss(losses, f"{experiment.data.name}, {experiment.select.protocol}", path)
    return [path]


def draw_settings(experiment: Experiment, start: ALSSettings, grid: bool) -> list[Path]:
    """What factors and regularisation do on validation: from the tuning study, else from a grid where one is wanted."""
    kept = experiment.folder / ALS.name / "sensitivity.parquet"
    trials = trials_of(experiment, ALS, start)
    if trials.empty and grid:
        write_parquet(kept, try_grid(experiment, start))
    if trials.empty and not kept.exists():
        return []
    path = experiment.folder / "figures" / "als_settings.png"
    title = f"{experiment.data.name}, {experiment.select.protocol}"
    draw_sensitivity(read_parquet(kept) if trials.empty else trials, title, path)
    return [path]


def try_grid(experiment: Experiment, start: ALSSettings) -> pd.DataFrame:
    """Validation NDCG@10 of every pair of factors and regularisation in GRID, all else as it is."""
    evaluator, rows = experiment.evaluators["select"], []
    for values in tqdm(list(product(*GRID.values())), "settings", disable=not sys.stderr.isatty()):
        settings = dict(zip(GRID, values, strict=True))
        model = ALS(dataclasses.replace(start, **settings), seed=experiment.settings.seed).fit(experiment.select)
        rows.append(settings | {"ndcg_10": evaluator(model)})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    sys.exit(main())
