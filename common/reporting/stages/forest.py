"""What stage 3 shows besides its leaderboard: candidates, importance of features, ablation."""

import logging
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from common.experiments.analysis import feature_importance as study
from common.experiments.experiment import Experiment
from common.models import Forest
from common.plots import two_stage as plots

STRONGEST = 6
"""Features whose partial dependence is drawn."""
log = logging.getLogger(__name__)


def show_candidates(exp: Experiment, model: Forest) -> Path:
    """Print what the sources find, since it bounds everything after it, and draw it against the length."""
    top = model.settings.top
    ranks = study.candidate_ranks(model.feature_builder.generator, exp.valid)
    log.info("\ncandidates: held-out items of validation among the first %d candidates of a source", top)
    for row in study.recall_table(ranks, top).to_dict("records"):
        alone = "" if np.isnan(row["alone"]) else f"{row['alone']:8.2%} found by it alone"
        log.info("  %-12s %7.2f%%  %s", row["source"], 100 * row["found"], alone)
    labels = model.training_data.labels
    log.info("learned from %s candidates, %.1f%% of them relevant", f"{len(labels):,}", 100 * labels.mean())
    costs = (model.source_seconds.wall, len(model.feature_builder.names), model.feature_seconds.wall)
    log.info("sources took %.0f s, %d features %.0f s", *costs)
    return exp.plot("forest_candidates", plots.candidate_recall, study.recall_by_length(ranks), top, part="valid")


def study_features(exp: Experiment, model: Forest) -> list[Path]:
    """Importance and partial dependence, kept as a table and drawn."""
    table = study.importances(model, exp.valid)
    exp.run_of(Forest).write_table("importance", table, exp.config_of(Forest))
    strongest = table[table["group"] != "group"]["name"].head(STRONGEST).tolist()
    log.info("\nstrongest features by impurity: %s", ", ".join(strongest))
    dependence = study.partial_dependences(model, exp.valid, strongest)
    return [
        exp.plot("forest_importance", plots.importance, table, part="valid"),
        exp.plot("forest_dependence", plots.partial_dependence, dependence, part="valid"),
    ]


def study_groups(exp: Experiment, model: Forest) -> Path:
    """The ablation by feature group: printed, kept as a table and drawn."""
    n = len(model.feature_builder.columns) + 2
    rows = tqdm(study.ablation(model, exp.valid), "ablation", n, disable=not sys.stderr.isatty())
    table = pd.DataFrame(list(rows))
    exp.run_of(Forest).write_table("ablation", table, exp.config_of(Forest))
    log.info("\nablation on validation: NDCG@10, loss against all features, 95% interval over users")
    for row in table.itertuples():
        log.info("  %-18s %.4f  %+.4f  [%+.4f, %+.4f]", row.name, row.ndcg_10, row.loss, row.low, row.high)
    return exp.plot("forest_ablation", plots.ablation, table, part="valid")
