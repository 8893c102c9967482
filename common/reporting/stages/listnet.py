"""What stage 6 shows besides its leaderboard: preprocessing, calibration, predicted plays, ablation, trade-off."""

import logging
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from common.experiments.analysis import ablation as study
from common.experiments.analysis import play_count_holdout
from common.experiments.experiment import Experiment
from common.experiments.outputs import runs_in
from common.experiments.run import PART_NAMES
from common.experiments.stored.run_files import tell
from common.features.preprocessing.joining import joined
from common.features.preprocessing.preprocessor import MusicPreprocessor
from common.features.preprocessing.quality import as_text
from common.models import HybridListNet
from common.models.base import Recommender
from common.models.neural.listnet.inputs import MOST_ROWS
from common.plots import preprocessing, two_stage
from common.training.context import RefitSchedule
from common.utils.errors import UserError
from common.utils.io import read_json
from common.utils.manifests import is_intact

BESIDE = ("als", "ease", "forest", "hist_gradient", "two_tower")
"""Models shown beside the curve of accuracy against similarity."""
log = logging.getLogger(__name__)


def draw_preprocessing(exp: Experiment) -> list[Path]:
    """What preprocessing makes of the visible interactions, and how its columns correlate."""
    train = exp.train
    before = joined(train.some_interactions(MOST_ROWS), train.items, train.users)
    preprocessor = MusicPreprocessor(handle_outliers=exp.settings_of(HybridListNet).outliers)
    after = preprocessor.fit_transform(before)
    log.info("\nquality of the visible data, before and after preprocessing:\n%s", as_text(preprocessor.quality))
    columns = [*preprocessor.target["interactions"], *(c for part in preprocessor.numeric.values() for c in part)]
    figures = [
        exp.plot("hybrid_preprocessing", preprocessing.before_after, before, after),
        exp.plot("hybrid_correlations", preprocessing.correlations, after, columns),
    ]
    return [path for path in figures if path.exists()]


def show_calibration(exp: Experiment, model: HybridListNet) -> list[Path]:
    """Print and draw whether candidates are relevant as often as the network's distribution says."""
    if model.settings.task == "plays":
        return []
    table = study.calibration(model, exp.evaluator)
    if not table["found"].any():
        log.info("\ncalibration: no held-out item is among the candidates, so there is nothing to compare")
        return []
    error = study.calibration_error(table)
    text = "\ncalibration on %s: expected and found shares of relevant candidates are %.3f apart"
    log.info(text, PART_NAMES[exp.part], error)
    return [exp.plot("hybrid_calibration", two_stage.calibration, table, error, part=exp.part)]


def study_plays(exp: Experiment) -> list[Path]:
    """For whom plays are predicted how well: fitted anew without a stratified part of the train view."""
    split, run = play_count_holdout.plays_split(exp.train, exp.args.seed), exp.run_of(HybridListNet)
    model = HybridListNet(exp.settings_of(HybridListNet), seed=exp.args.seed, device=exp.device)
    try:
        model.ranker.refit_schedule = read_schedule(run.checkpoints("valid"))
    except UserError as error:
        tell(f"plays are left out: {error}")
        return []
    pairs = play_count_holdout.predict(model.refit(split.left, exp.context()), split)
    if pairs.empty:
        log.info("\nplays: nothing to predict, since every interaction weighs the same or only order is learned")
        return []
    table = play_count_holdout.by_group(pairs, list(split.groups()))
    run.write_table("plays", table, exp.config_of(HybridListNet))
    log.info("\nlog(1 + plays) of held-out visible pairs; in brackets what the means of user and item say")
    log.info("  %-12s %7s %17s %17s %17s %17s", "", "pairs", "RMSE", "MAE", "R2", "NDCG of order")
    for row in table.to_dict("records"):
        cells = (f"{row[k]:.4f} ({row['reference_' + k]:.4f})" for k in ("rmse", "mae", "r2", "ndcg"))
        log.info("  %-12s %7d %17s %17s %17s %17s", row["group"], row["pairs"], *cells)
    if explainable := exp.data.manifest.get("notes", {}).get("explainable_variance"):
        share = table["r2"].iloc[0] / explainable
        log.info("  of the variance that the generator's noise leaves (%.4f): %.1f%%", explainable, 100 * share)
    return [exp.plot("hybrid_plays", two_stage.play_residuals, pairs[pairs["all"]], float(table["r2"].iloc[0]))]


def read_schedule(folder: Path) -> RefitSchedule | None:
    """What a validated training has chosen, from its checkpoint; None where nothing was learned."""
    path = folder / "best.json"
    if not path.exists():
        return None
    kept = read_json(path)
    try:
        if is_intact(kept):
            return RefitSchedule(int(kept["epoch"]), [float(factor) for factor in kept["factors"]])
    except (KeyError, TypeError, ValueError):
        pass
    raise UserError(f"{path} is damaged; delete {folder.parent} and run 6_hybrid_listnet.py without --resume")


def study_ablation(exp: Experiment) -> list[Path]:
    """Learn the model anew without each part: printed, kept as a table and drawn."""
    table = _study(exp, "ablation", study.ablation)
    return [exp.plot("hybrid_ablation", two_stage.ablation, table, part="valid", heading="Parts of the hybrid")]


def study_trade_off(exp: Experiment) -> list[Path]:
    """Learn the model anew at several weights of similarity: printed, kept as a table and drawn beside other models."""
    if not exp.valid.metric_suite.spaces:
        log.info("\ntrade-off: without genres, tags and sound no list is more similar than another: nothing to weigh")
        return []
    table = _study(exp, "trade_off", study.trade_off)
    first = {run.key.model: run for run in reversed(runs_in(exp.folder, "valid")) if run.key.preset == "tuned"}
    others = [first[name].results("valid").metrics for name in BESIDE if name in first]
    others = [row for row in others if row["split_sha256"] == exp.train.split_sha256]
    return [exp.plot("hybrid_trade_off", two_stage.trade_off, table, pd.DataFrame(others), part="valid")]


def _study(exp: Experiment, name: str, rows_of: Callable[..., Iterable[dict[str, Any]]]) -> pd.DataFrame:
    """Rows of variants of the model, learned on train and evaluated on validation; printed and kept."""

    def fit(model: Recommender) -> None:
        model.device = exp.device
        exp.fit(model)

    model, rows = HybridListNet(exp.settings_of(HybridListNet), seed=exp.args.seed), []
    log.info("\n%s on validation", name.replace("_", "-"))
    for row in tqdm(rows_of(model, fit, exp.valid), name, disable=not sys.stderr.isatty()):
        rows.append(row)
        cells = (f"{k} {v:.4f}" if isinstance(v, float) else str(v) for k, v in row.items() if v != "")
        log.info("  %s", "  ".join(cells))
    table = pd.DataFrame(rows)
    exp.run_of(HybridListNet).write_table(name, table, exp.config_of(HybridListNet))
    return table
