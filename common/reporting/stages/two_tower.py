"""What stage 5 shows besides its leaderboard: the index, a map of the items, cold start, held-out items by coldness."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from common.evaluation.registry import shown
from common.experiments.analysis import cold_start as study
from common.experiments.analysis.embedding import map_of
from common.experiments.experiment import Experiment
from common.experiments.outputs import results_of_rows
from common.experiments.run import INDEX
from common.models import TwoTower
from common.models.vector_index import SAMPLE, Index, Kind
from common.plots import model_comparison, networks
from common.reporting.extra_tables import COLDNESS, coldness_cells
from common.splits.protocols import N_GIVEN
from common.utils.io import display
from common.utils.terminal import headed

log = logging.getLogger(__name__)


def keep_index(exp: Experiment, model: TwoTower, kind: Kind) -> None:
    """Make the index, say how well and how fast it answers, and write it beside the model."""
    index, run = model.index(kind), exp.run_of(TwoTower)
    folder = run.index_folder
    index.save(folder)
    run.vouch(INDEX, exp.config_of(TwoTower))
    n = len(model.histories)
    queries = model.user_vectors(np.arange(n) if n <= SAMPLE else np.random.default_rng(1).permutation(n)[:SAMPLE])
    found = index.measure(Index(model.item_vectors(), "flat"), queries)
    how = f"{found.kind}, {found.visited} visited" if found.visited else f"{found.kind}, exact"
    text = "\nindex of %s items: %s | recall@100 %.4f | %.3f ms per query (exact search %.3f ms) | %s"
    log.info(text, f"{index.n:,}", how, found.recall, found.ms, found.exact_ms, display(folder))


def draw_map(exp: Experiment, model: TwoTower) -> Path:
    """The most popular items by their vectors, coloured by tag or genre."""
    return exp.plot("two_tower_map", networks.embedding_map, *map_of(model.item_vectors(), exp.shown))


def show_cold_start(exp: Experiment, model: TwoTower) -> list[Path]:
    """Print and draw how lists grow better with what is known of a newcomer, beside models of other stages; nothing on
    other protocols."""
    if not exp.split.startswith("newcomer"):
        return []
    rows, own = exp.rows(), exp.run_of(TwoTower).key.preset
    rows = rows[rows["model"].isin(study.COLD_START_MODELS) & rows["preset"].isin({"tuned", own})]
    results = results_of_rows(exp.folder, rows)
    curves = study.cold_start_curves(results)
    missing = [name for name in study.COLD_START_MODELS if not any(row.startswith(name) for row in curves)]
    if missing:
        log.info("\nnot on the cold-start curve, since they have not been run on newcomer: %s", ", ".join(missing))
    if results.part == exp.part:
        curves[study.WITH_FRIENDS] = study.evaluate_with_attributes(exp, model)
    log.info("\n%s", cold_start_text(curves))
    look = {"bold": TwoTower.name, "single": study.WITH_FRIENDS}
    return [exp.plot("ladder", model_comparison.cold_start, curves, part=results.part, **look)]


def cold_start_text(curves: Mapping[str, pd.DataFrame]) -> str:
    """NDCG@10 of each model by the number of known items, "-" where nobody has so many."""
    means = {name: values["mean"].reindex(N_GIVEN) for name, values in curves.items()}
    cells = [[name, *(shown("ndcg_10", value) for value in values)] for name, values in means.items()]
    return "\n".join(headed([["known items", *map(str, N_GIVEN)], *cells]))


def show_coldness(exp: Experiment) -> None:
    """Print the rows of the leaderboard by what is known of the held-out items."""
    rows = exp.all_rows()
    if rows.part == "valid" or exp.part == "test":  # where test is shown, this command has opened it
        cells = coldness_cells(rows, exp.train if rows.part == "valid" else exp.train_valid)
        log.info("\n%s", "\n".join(headed([["held-out pairs", *COLDNESS.values()], *cells])))
        log.info("share among the first 5 of 100, by what is known of the held-out item: a listener, content, nothing")
