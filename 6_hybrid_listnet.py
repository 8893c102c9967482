"""Stage 6: a deep hybrid of everything. Ids, content, people, and what simpler models know, learned listwise.

Beside its lists it predicts plays, and shows what its parts are worth and what unlike lists cost:

    python 6_hybrid_listnet.py --protocol listen
    python 6_hybrid_listnet.py --preset classic64 --hybrid-listnet.inputs content
    python 6_hybrid_listnet.py --ablation --trade-off --phase select
"""

import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from common.experiments.analysis import ablation as hybrid_study
from common.experiments.analysis import play_count_holdout as plays_study
from common.experiments.experiment import Experiment
from common.experiments.flags import command, parse
from common.experiments.run import PARTS
from common.experiments.settings import ModelSettings
from common.experiments.stage_runner import run_models, settings_classes
from common.features.preprocessing.preprocessor import MusicPreprocessor, joined
from common.models.neural.listnet.model import HybridListNet, HybridListNetSettings
from common.plots import two_stage as hybrid_figures
from common.plots.preprocessing import draw_before_after, draw_correlations
from common.plots.training_curves import draw_training
from common.plots.two_stage import draw_ablation as draw_losses
from common.reporting.samples import find_users, show_lists
from common.reporting.stage_summary import conclude
from common.training.context import RefitSchedule
from common.training.precision import precision_of
from common.utils import distributed as parallel
from common.utils.device import choose_torch_device
from common.utils.io import read_json, write_parquet
from common.utils.logs import log_once

STAGE = "6_hybrid_listnet"
MODELS = {HybridListNet.name: HybridListNet}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(ModelSettings):
    """Stage 6: the hybrid network on one data set and protocol."""

    probes: tuple[str, ...] = ()
    """Ids of users whose recommendations are printed; three of them if none are given."""
    plays: bool = False
    """Fit once more without a stratified part of the visible pairs, and say for whom plays are predicted how well."""
    ablation: bool = False
    """Learn anew without each part and compare on validation: some minutes."""
    trade_off: bool = False
    """Learn anew at several prices of likeness and draw accuracy against likeness on validation: some minutes."""
    hybrid_listnet: HybridListNetSettings = field(default_factory=HybridListNetSettings)

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        self.hybrid_listnet.check()


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the stage."""
    settings = parse(Settings, argv, settings_classes(MODELS))
    device = choose_torch_device(settings.device)
    precision = precision_of(device.name, settings.hybrid_listnet.precision)
    with (
        parallel.group(device.name),
        log_once("common.features.preprocessing.preprocessor", "common.models.neural.listnet.inputs"),
    ):
        experiment = Experiment(settings, STAGE, device.name)
        log.info("%s (%s), %s", device.name, device.reason, precision)
        probes = find_users(experiment.select, settings.probes)
        chosen = run_models(experiment, MODELS, MODELS)
        if parallel.is_main():
            show(experiment, chosen[HybridListNet.name], probes)


def show(experiment: Experiment, settings: HybridListNetSettings, probes: Sequence[str]) -> None:
    """Lists, studies, figures, and the leaderboard."""
    flags, folder = experiment.settings, experiment.run_folder(HybridListNet, settings)
    title, path = place(experiment, "training")
    draw_training(read_json(folder / "curves.json"), title, path)
    drawn = [path, *draw_preparation(experiment, settings)]
    model, phase = experiment.load(HybridListNet, settings), flags.phases[-1]
    assert isinstance(model, HybridListNet)
    if phase == "select" and (folder / "test").exists():
        log.info("\nthe saved model is that of an earlier final run, which knows validation: it is not shown")
    else:
        train = experiment.train[phase]
        show_lists(model, train, [train.users["user_id"].tolist().index(user) for user in probes])
        drawn += show_calibration(experiment, model, phase)
    if flags.plays:
        drawn += study_plays(experiment, settings, folder)
    if flags.ablation:
        drawn.append(study(experiment, settings, folder, "ablation", hybrid_study.ablation, draw_ablation))
    if flags.trade_off and not experiment.evaluators["select"].metric_suite.spaces:
        log.info("\ntrade-off: without genres, tags and sound no list is more alike than another: nothing to price")
    elif flags.trade_off:
        drawn.append(study(experiment, settings, folder, "trade_off", hybrid_study.trade_off, draw_trade_off))
    conclude(experiment, drawn)


def place(experiment: Experiment, name: str, about: str = "") -> tuple[str, Path]:
    """Title and path of a figure of this stage."""
    path = experiment.folder / "figures" / f"hybrid_{name}.png"
    return ", ".join(filter(None, (experiment.data.name, experiment.select.protocol, about))), path


def draw_preparation(experiment: Experiment, settings: HybridListNetSettings) -> list[Path]:
    """What preprocessing makes of the visible interactions, and how its columns hang together."""
    train = experiment.select
    before = joined(train.interactions, train.items, train.users)
    preprocessor = MusicPreprocessor(handle_outliers=settings.outliers)
    after = preprocessor.fit_transform(before)
    (title, first), (_, second) = place(experiment, "preprocessing"), place(experiment, "correlations")
    columns = [*preprocessor.target["interactions"], *(c for part in preprocessor.numeric.values() for c in part)]
    drawn = {first: draw_before_after(before, after, title, first)}
    drawn[second] = draw_correlations(after, columns, title, second)
    return [path for path, there in drawn.items() if there]


def show_calibration(experiment: Experiment, model: HybridListNet, phase: str) -> list[Path]:
    """Print and draw whether candidates are wanted as often as the network's distribution says."""
    if model.settings.task == "plays":
        return []
    table = hybrid_study.calibration(model, experiment.evaluators[phase])
    if not table["found"].any():
        log.info("\ncalibration: no hidden item is among the candidates, so there is nothing to compare")
        return []
    error = hybrid_study.calibration_error(table)
    part = "test" if phase == "final" else "validation"
    log.info("\ncalibration on %s: expected and found shares of wanted candidates are %.3f apart", part, error)
    title, path = place(experiment, "calibration", part)
    hybrid_figures.draw_calibration(table, error, title, path)
    return [path]


def study_plays(experiment: Experiment, settings: HybridListNetSettings, folder: Path) -> list[Path]:
    """For whom plays are predicted how well: fitted anew without a stratified part of what `select` shows."""
    split = plays_study.plays_split(experiment.select, experiment.settings.seed)
    model = HybridListNet(settings, seed=experiment.settings.seed, device=experiment.device)
    model.refit_schedule = read_plan(folder / "training" / "select")
    pairs = plays_study.predict(model.refit(split.left), split)
    if pairs.empty:
        log.info("\nplays: nothing to predict, since every interaction weighs the same or only order is learned")
        return []
    table = plays_study.by_group(pairs, list(split.groups()))
    write_parquet(folder / "plays.parquet", table)
    log.info("\nlog(1 + plays) of held-out visible pairs; in brackets what the means of user and item say")
    log.info("  %-12s %7s %17s %17s %17s %17s", "", "pairs", "RMSE", "MAE", "R2", "NDCG of order")
    for row in table.to_dict("records"):
        cells = (f"{row[k]:.4f} ({row['reference_' + k]:.4f})" for k in ("rmse", "mae", "r2", "ndcg"))
        log.info("  %-12s %7d %17s %17s %17s %17s", row["group"], row["pairs"], *cells)
    notes = experiment.data.manifest.get("notes", {})
    if explainable := notes.get("explainable_variance"):
        share = table["r2"].iloc[0] / explainable
        log.info("  of the variance that the generator's noise leaves (%.4f): %.1f%%", explainable, 100 * share)
    title, path = place(experiment, "plays")
    hybrid_figures.draw_plays_panels(pairs[pairs["all"]], title, path)
    return [path]


def read_plan(folder: Path) -> RefitSchedule | None:
    """What a training in view of validation has chosen, from its checkpoint; None where nothing was learned."""
    path = folder / "best.json"
    if not path.exists():
        return None
    kept = read_json(path)
    return RefitSchedule(kept["epoch"], kept["factors"])


def study(
    experiment: Experiment,
    settings: HybridListNetSettings,
    folder: Path,
    name: str,
    rows_of: Callable[..., Iterable[dict[str, Any]]],
    draw: Callable[[Experiment, pd.DataFrame], Path],
) -> Path:
    """Learn variants of the model on `select`, print and keep a row for each, and draw them."""

    def fit(model: HybridListNet) -> None:
        experiment.fit(model, "select")

    model, rows = HybridListNet(settings, seed=experiment.settings.seed, device=experiment.device), []
    log.info("\n%s on validation", name.replace("_", "-"))
    for row in tqdm(rows_of(model, fit, experiment.evaluators["select"]), name, disable=not sys.stderr.isatty()):
        rows.append(row)
        log.info(
            "  %s", "  ".join(f"{k} {v:.4f}" if isinstance(v, float) else str(v) for k, v in row.items() if v != "")
        )
    table = pd.DataFrame(rows)
    write_parquet(folder / f"{name}.parquet", table)
    return draw(experiment, table)


def draw_ablation(experiment: Experiment, table: pd.DataFrame) -> Path:
    """What each part is worth."""
    title, path = place(experiment, "ablation", "validation")
    draw_losses(table, title, path, "Parts of the hybrid")
    return path


def draw_trade_off(experiment: Experiment, table: pd.DataFrame) -> Path:
    """Accuracy against likeness, beside rows of other stages."""
    found = [
        sorted(experiment.folder.glob(f"{name}/tuned/seed*/{PARTS['select']}/metrics.json"))[:1]
        for name in hybrid_figures.NEIGHBOURS
    ]
    others = [measured for paths in found for path in paths if same_split(experiment, measured := read_json(path))]
    title, path = place(experiment, "trade_off", "validation")
    hybrid_figures.draw_trade_off(table, pd.DataFrame(others), title, path)
    return path


def same_split(experiment: Experiment, measured: dict[str, Any]) -> bool:
    """Whether a row was measured on this very split."""
    return measured["split_sha256"] == experiment.select.split_sha256


if __name__ == "__main__":
    sys.exit(main())
