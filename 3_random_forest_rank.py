"""Stage 3: learning to rank in two stages. Cheap models propose candidates, a random forest puts them in order.

Beside its lists it says how many hidden items are candidates at all, what the features are worth, and why somebody is
recommended something:

    python 3_random_forest_rank.py --protocol listen
    python 3_random_forest_rank.py --protocol next --models forest --phase select
    python 3_random_forest_rank.py --models forest --ablation --phase select
"""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from common.experiments.analysis import feature_importance as forest_study
from common.experiments.experiment import Experiment
from common.experiments.flags import command, parse
from common.experiments.settings import ModelSettings
from common.experiments.stage_runner import check_names, run_models, settings_classes
from common.models import Forest, HistGradient
from common.models.base import Recommender
from common.models.two_stage.forest import ForestSettings, HistGradientSettings
from common.models.two_stage.tree_ranker import TwoStage
from common.plots import two_stage as forest_figures
from common.reporting.samples import find_users, show_lists
from common.reporting.stage_summary import conclude
from common.utils.device import choose_device
from common.utils.io import read_json, read_parquet, write_parquet

STAGE = "3_random_forest_rank"
MODELS: dict[str, type[Recommender]] = {model.name: model for model in (Forest, HistGradient)}
STRONGEST = 6
"""Features whose partial dependence is drawn."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(ModelSettings):
    """Stage 3: candidates, features, and trees that put them in order, on one data set and protocol."""

    models: tuple[str, ...] = tuple(MODELS)
    """Which models to run."""
    probes: tuple[str, ...] = ()
    """Ids of users whose recommendations are printed; three of them if none are given."""
    importance: bool = True
    """Measure what the features are worth to the forest, and draw it; --no-importance is quicker."""
    ablation: bool = False
    """Learn anew without each group of features and compare on validation: some minutes."""
    forest: ForestSettings = field(default_factory=ForestSettings)
    hist_gradient: HistGradientSettings = field(default_factory=HistGradientSettings)

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        check_names(self.models, MODELS)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the stage."""
    settings = parse(Settings, argv, settings_classes(MODELS))
    experiment = Experiment(settings, STAGE, choose_device(settings.device).name)
    probes = find_users(experiment.select, settings.probes)
    chosen = run_models(experiment, MODELS, settings.models)
    if Forest.name not in settings.models:
        conclude(experiment)
        return

    model = Forest(chosen[Forest.name], seed=settings.seed).fit(experiment.select)
    figures = [*show_candidates(experiment, model), *show_plays(experiment, model)]
    if settings.importance and model.ranker is not None:
        figures += study_features(experiment, model)
    if settings.ablation and model.ranker is not None:
        figures += [study_groups(experiment, model)]
    # After `select` the saved model may be that of an earlier `final`, which knows validation.
    asked = model if settings.phase == "select" else experiment.load(Forest, chosen[Forest.name])
    show_probes(experiment, asked, probes)
    conclude(experiment, figures)


def place(experiment: Experiment, name: str) -> tuple[str, Path]:
    """Title and path of a figure of this stage, made on validation."""
    title = f"{experiment.data.name}, {experiment.select.protocol}, validation"
    return title, experiment.folder / "figures" / f"forest_{name}.png"


def show_candidates(experiment: Experiment, model: TwoStage) -> list[Path]:
    """Print what the sources find, since it bounds everything after it, and draw it against the length."""
    evaluator, top = experiment.evaluators["select"], model.settings.top
    ranks = forest_study.candidate_ranks(model.bench.stage, evaluator)
    log.info("\ncandidates: hidden items of validation among the first %d proposals of a source", top)
    for row in forest_study.recall_table(ranks, top).itertuples():
        alone = "" if np.isnan(row.alone) else f"{row.alone:8.2%} found by it alone"
        log.info("  %-12s %7.2f%%  %s", row.source, 100 * row.found, alone)
    wanted = model.lessons.wanted
    log.info("learned from %s candidates, %.1f%% of them wanted", f"{len(wanted):,}", 100 * wanted.mean())
    costs = (model.source_seconds, len(model.bench.names), model.feature_seconds)
    log.info("sources took %.0f s, %d features %.0f s", *costs)
    title, path = place(experiment, "candidates")
    forest_figures.draw_recall(forest_study.recall_by_length(ranks), top, title, path)
    return [path]


def show_plays(experiment: Experiment, model: TwoStage) -> list[Path]:
    """Print and draw how well plays of hidden pairs are predicted, beside the means of the user and the item alone."""
    part = "valid" if experiment.settings.phase == "select" else "test"
    folder = experiment.run_folder(Forest, model.settings) / part
    targets = read_parquet(folder / "targets.parquet")
    if "predicted_log_plays" not in targets:
        log.info("\nplays: nothing to predict, since every interaction weighs the same or nobody asked for is known")
        return []
    measured = read_json(folder / "metrics.json")
    log.info("\nlog(1 + plays) of hidden pairs, %s %9s %9s", part, "forest", "means")
    for name in ("rmse", "mae", "r2", "pearson", "spearman"):
        log.info("  %-29s %9.4f %9.4f", name, measured[f"plays_{name}"], measured[f"plays_reference_{name}"])
    path = experiment.folder / "figures" / "forest_plays.png"
    title = f"{experiment.data.name}, {experiment.select.protocol}, {'test' if part == 'test' else 'validation'}"
    forest_figures.draw_plays(targets, title, path)
    return [path]


def study_features(experiment: Experiment, model: TwoStage) -> list[Path]:
    """Importance and partial dependence, kept as a table and drawn."""
    evaluator, paths = experiment.evaluators["select"], []
    table = forest_study.importances(model, evaluator)
    write_parquet(experiment.run_folder(Forest, model.settings) / "importance.parquet", table)
    strongest = table[table["group"] != "group"]["name"].head(STRONGEST).tolist()
    log.info("\nstrongest features by impurity: %s", ", ".join(strongest))
    title, path = place(experiment, "importance")
    forest_figures.draw_importance(table, title, path)
    paths.append(path)
    title, path = place(experiment, "dependence")
    forest_figures.draw_dependence(forest_study.partial_dependences(model, evaluator, strongest), title, path)
    return [*paths, path]


def study_groups(experiment: Experiment, model: TwoStage) -> Path:
    """The ablation by feature group: printed, kept as a table and drawn."""
    n = len(model.bench.columns) + 2
    rows = forest_study.ablation(model, experiment.evaluators["select"])
    rows = tqdm(rows, "ablation", n, disable=not sys.stderr.isatty())
    table = pd.DataFrame(list(rows))
    write_parquet(experiment.run_folder(Forest, model.settings) / "ablation.parquet", table)
    log.info("\nablation on validation: NDCG@10, loss against all features, 95% interval over users")
    for row in table.itertuples():
        log.info("  %-18s %.4f  %+.4f  [%+.4f, %+.4f]", row.name, row.ndcg_10, row.loss, row.low, row.high)
    title, path = place(experiment, "ablation")
    forest_figures.draw_ablation(table, title, path)
    return path


def show_probes(experiment: Experiment, model: Forest, users: Sequence[int]) -> None:
    """Print the recommendations of a few users with names and what moved them."""
    train = experiment.train[experiment.settings.phases[-1]]
    show_lists(model, train, [train.users["user_id"].tolist().index(user) for user in users])


if __name__ == "__main__":
    sys.exit(main())
