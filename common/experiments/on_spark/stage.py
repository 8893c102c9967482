"""Runs of models that are fitted on a Spark cluster, measured by the same scorer.

Executors read the split, fit, and write factors, popularity and the lists of the evaluated users as Parquet below the
run's `spark/<phase>/`; from these lists the results are computed here, as for lists that another program has made.
"""

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from common.cluster.paths import url
from common.cluster.session import cores_of, spark_session
from common.cluster.settings import SPARK
from common.evaluation.evaluator import Evaluator
from common.evaluation.outside.lists import ranking_of, read_lists
from common.evaluation.recommendations import Evaluation
from common.experiments.experiment import Experiment
from common.experiments.live_run import PHASES, LiveRun, about
from common.experiments.settings import SparkModelSettings
from common.models.base import Recommender
from common.models.linear.als import ALSSettings
from common.models.on_spark.fitting import fit_als, listeners
from common.models.on_spark.lists import Fitted, asked_users, top_lists
from common.models.top_items import DEPTH
from common.splits.on_spark.drawing import draw_on_spark
from common.splits.on_spark.view import SparkView, spark_view
from common.utils.errors import UserError
from common.utils.io import write_parquet
from common.utils.temporary import swapped_in

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ON_SPARK = ("popularity", "als")
"""Models that a cluster can fit."""
ITEMS, POPULARITY, ITEM_FACTORS, USER_FACTORS, ASKED, LISTS = (
    *("items.parquet", "popularity.parquet", "item_factors.parquet", "user_factors.parquet"),
    *("asked.parquet", "lists.parquet"),
)
"""What a phase leaves in its folder."""
SHOWN = ("ndcg_10", "recall_20", "coverage_10")
log = logging.getLogger(__name__)


def run_on_spark(
    args: SparkModelSettings, stage: str, models: Sequence[type[Recommender]], finish: Callable[[Experiment], None]
) -> None:
    """Draw the split where it is missing, fit and measure the models of a command that a cluster can fit, each on the
    parts of the command's phase, and hand the experiment to `finish`.

    Raises a UserError for a model by name that it cannot fit, and for what goes wrong on the cluster.
    """
    chosen = chosen_models(args, models)
    with spark_session(args.master, executor_memory=args.executor_memory) as spark:
        cores = cores_of(spark)
        log.info("Spark %s at %s, %d cores", spark.version, args.master, cores)
        draw_on_spark(spark, args.load_data(), args.split_folder)
        with Experiment(args, stage, models) as exp:
            for model, run in exp.runs(*chosen):
                if args.resume and run.is_complete(run.new_config, args.parts, ()):
                    log.info("%-14s complete already, skipped", model.name)
                    continue
                for part in args.parts:
                    _run_part(spark, exp, model, run, part, {"engine": f"{SPARK} {spark.version}", "cores": cores})
    finish(exp)


def chosen_models(args: Any, models: Sequence[type[Recommender]]) -> list[type[Recommender]]:
    """Those of a stage's models that are asked for and can be fitted on a cluster."""
    default = type(args)().models
    lacking = [name for name in args.models if name not in ON_SPARK]
    if lacking and args.models != default:
        raise UserError(f"--engine spark has no {lacking[0]}: name {' or '.join(ON_SPARK)}, or leave out --engine")
    if args.tune:
        raise UserError("--tune searches with the local engine alone: leave out --engine, or --tune")
    return [model for model in models if model.name in set(args.models) & set(ON_SPARK)]


def _run_part(
    spark: "SparkSession", exp: Experiment, model: Recommender, run: LiveRun, part: str, engine: dict[str, Any]
) -> None:
    """Fit for a part, write its lists, and keep what they reach."""
    phase, evaluator = PHASES[part], exp.valid if part == "valid" else exp.test
    view = spark_view(spark, exp.data, exp.split, phase)
    place = run.folder / SPARK / phase
    place.parent.mkdir(parents=True, exist_ok=True)
    with swapped_in(place) as fresh:
        write_parquet(fresh / ASKED, pd.DataFrame({"user_id": evaluator.users}))
        costs = fit_and_recommend(spark, view, model, fresh, floor=evaluator.train.count_floor)
    evaluation = evaluate_lists(place / LISTS, evaluator)
    record = evaluation.metrics | costs | about(run.new_config, part) | exp.machine | engine
    run.write(part, evaluation, record, run.new_config)
    figures = "  ".join(f"{key} {record[key]:.4f}" for key in SHOWN)
    log.info("%-14s %-6s %s  (fit %.1f s)", model.name, phase, figures, record["fit_seconds"])


def fit_and_recommend(
    spark: "SparkSession", view: SparkView, model: Recommender, folder: Path, floor: int = 1
) -> dict[str, float]:
    """Fit a model, and write it and the lists of the users in `asked.parquet` into a folder; returns seconds."""
    _write(view.items.coalesce(1), folder / ITEMS)
    start = time.perf_counter()
    _write(listeners(view.pairs), folder / POPULARITY)
    if isinstance(model.settings, ALSSettings):
        _write_factors(spark, view, model.settings, model.seed, folder)
    fitted = time.perf_counter()
    asked = spark.read.parquet(url(folder / ASKED))
    _write(recommend(spark, view, asked, folder, floor), folder / LISTS)
    return {"fit_seconds": fitted - start, "recommend_seconds": time.perf_counter() - fitted}


def recommend(
    spark: "SparkSession", view: SparkView, asked: "DataFrame", folder: Path, floor: int = 1, depth: int = DEPTH
) -> "DataFrame":
    """Lists of users, asked (user_id), by a model that `fit_and_recommend` has written into a folder."""
    has_factors = (folder / ITEM_FACTORS).exists()
    factors = spark.read.parquet(url(folder / USER_FACTORS)) if has_factors else None
    users = asked_users(asked, view.users, view.masked, factors)
    where = Fitted(folder / ITEMS, folder / POPULARITY, folder / ITEM_FACTORS if has_factors else None, floor)
    return top_lists(users, where, depth)


def blocks_of(spark: "SparkSession") -> int:
    """Blocks that users, and items, are cut into: two for each core."""
    return 2 * cores_of(spark)


def _write_factors(spark: "SparkSession", view: SparkView, settings: ALSSettings, seed: int, folder: Path) -> None:
    """Fit ALS and let executors write its factors."""
    checkpoints = folder / "checkpoints"
    spark.sparkContext.setCheckpointDir(url(checkpoints))
    model = fit_als(view.pairs, settings, seed, blocks_of(spark))
    _write(model.itemFactors, folder / ITEM_FACTORS)
    _write(model.userFactors, folder / USER_FACTORS)
    shutil.rmtree(checkpoints)


def _write(frame: "DataFrame", path: Path) -> None:
    frame.write.parquet(url(path))


def evaluate_lists(lists: Path, evaluator: Evaluator) -> Evaluation:
    """What lists in a file, or a folder of parts, reach."""
    return evaluator.evaluate_ranking(ranking_of(read_lists(lists, evaluator), evaluator))
