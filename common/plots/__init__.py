"""Figures: labelled tables in, PNG files out. A function may bear its module's name, so all are taken in here."""

from common.plots.cold_start import cold_start
from common.plots.embedding_map import embedding_map
from common.plots.model_comparison import (
    accuracy_against_diversity,
    costs,
    metric_agreement,
    metrics_by_cutoff,
    popularity_lift,
)
from common.plots.precision_recall import loss, precision_recall, scores, settings
from common.plots.preprocessing import before_after, correlations
from common.plots.reranking import trade_offs
from common.plots.search import ensemble_weights, search
from common.plots.training_curves import accuracy_by_length, attention, training_curves
from common.plots.two_stage import (
    ablation,
    calibration,
    candidate_recall,
    importance,
    partial_dependence,
    play_residuals,
    predicted_plays,
    trade_off,
)

__all__ = [
    "ablation",
    "accuracy_against_diversity",
    "accuracy_by_length",
    "attention",
    "before_after",
    "calibration",
    "candidate_recall",
    "cold_start",
    "correlations",
    "costs",
    "embedding_map",
    "ensemble_weights",
    "importance",
    "loss",
    "metric_agreement",
    "metrics_by_cutoff",
    "partial_dependence",
    "play_residuals",
    "popularity_lift",
    "precision_recall",
    "predicted_plays",
    "scores",
    "search",
    "settings",
    "trade_off",
    "trade_offs",
    "training_curves",
]
