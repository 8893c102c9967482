"""What every stage shows of its models' scores: how they tell held-out items apart, and the plays that they predict."""

import logging
from collections.abc import Iterable
from pathlib import Path

from common.evaluation.curves import score_calibration
from common.experiments.experiment import Experiment
from common.models.base import Recommender
from common.plots import precision_recall as plots
from common.plots import two_stage

SAMPLE = 200
"""Evaluated rows whose scores are drawn."""
log = logging.getLogger(__name__)


def draw_scores(exp: Experiment, fitted: Iterable[Recommender], figure: str = "scores") -> list[Path]:
    """The scores of held-out and other items of this command's models, and how often they are as right as they say."""
    scores = {model.name: exp.evaluator.sample_scores(model, SAMPLE) for model in fitted}
    if not scores:
        return []
    calibration = {name: score_calibration(*of_model) for name, of_model in scores.items()}
    return [exp.plot(figure, plots.scores, scores, calibration, part=exp.part)]


def show_plays(exp: Experiment, kind: type[Recommender], figure: str) -> list[Path]:
    """Print and draw how well plays of held-out pairs are predicted, beside the means of user and item alone."""
    results = exp.run_of(kind).results(exp.part)
    if "predicted_log_plays" not in results.targets:
        log.info("\nplays: nothing to predict, since every interaction weighs the same or no evaluated user is known")
        return []
    log.info("\nlog(1 + plays) of held-out pairs, %s %9s %9s", exp.part, kind.name, "means")
    for name in ("rmse", "mae", "r2", "pearson", "spearman"):
        values = (results.metrics[f"plays_{name}"], results.metrics[f"plays_reference_{name}"])
        log.info("  %-29s %9.4f %9.4f", name, *values)
    known = results.targets.dropna(subset="predicted_log_plays")
    pairs = known.rename(columns={"predicted_log_plays": "predicted"})
    return [exp.plot(figure, two_stage.play_residuals, pairs, results.metrics["plays_r2"], part=exp.part)]
