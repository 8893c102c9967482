"""The parts of the benchmark: the same work by the local engine and by a cluster of two workers on this machine."""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from benchmarks.cluster import formulas
from benchmarks.cluster.event_log import SETTINGS, taken
from benchmarks.cluster.jobs import FITTING, LOST, Killer, aggregates
from benchmarks.cluster.processes import tree_cpu_seconds
from benchmarks.cluster.tables import STEPS
from benchmarks.notebook import Notebook
from benchmarks.scale.logs import ensure_raw
from benchmarks.scale.models import Spent, task_of
from benchmarks.scale.sizes import Size
from common.cluster.paths import url
from common.cluster.session import cores_of, spark_session
from common.cluster.standalone import Standalone, standalone
from common.data.preparation.pipeline import prepare
from common.data.preparation.spark.engine import SparkEngine
from common.evaluation.recommendations import Evaluation
from common.experiments.on_spark.stage import ASKED, LISTS, blocks_of, evaluate_lists, fit_and_recommend
from common.models import ALS, Popularity
from common.models.base import Recommender
from common.models.linear.als import ALSSettings
from common.splits.on_spark.view import spark_view
from common.utils.errors import UserError
from common.utils.io import write_parquet
from common.utils.temporary import swapped_in

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from common.evaluation.task import Task

FACTORS, ITERATIONS = 8, 3
LAMBDA = 0.5
"""Regularisation of MLlib, which weighs it by the pairs of a user or item."""


@dataclass(frozen=True)
class Cluster:
    """How large the cluster on this machine is: workers, cores of each, and the heap of its one executor."""

    workers: int = 2
    cores: int = 1
    executor_memory: str = "1g"


def models() -> list[Recommender]:
    """The two models, with the settings that both engines take."""
    settings = ALSSettings(factors=FACTORS, iterations=ITERATIONS, regularisation=LAMBDA)
    return [Popularity(), ALS(settings, seed=0)]


def local(size: Size, notebook: Notebook) -> None:
    """Part `local`: both models by the local engine, measured on validation."""
    task = task_of(str(size.prepared), size.memory)
    for model in models():
        with Spent() as fit:
            model.fit(task.train)
        with Spent() as evaluation:
            ndcg = task.valid.evaluate(model).metrics["ndcg_10"]
        note = fit.named("fit") | evaluation.named("lists")
        notebook.note("local", f"{size.name} {model.name}", size=size.name, model=model.name, ndcg_10=ndcg, **note)


def steps(size: Size, notebook: Notebook, about: Cluster) -> None:
    """Part `steps`: the ten steps and the aggregates on the cluster. Raises a UserError where the engines' data sets
    differ."""
    ensure_raw(size, notebook)
    with measured_on(size, notebook, about, "steps") as (spark, place, noted):
        with described(spark, STEPS, noted):
            prepare([size.raw], place / "prepared", engine=SparkEngine(spark))
        with described(spark, "aggregates", noted):
            found = aggregates(spark, place / "prepared")
        if found != aggregates(spark, size.prepared):
            raise UserError(f"{place / 'prepared'} differs from {size.prepared}, which the local engine made")


def fits(size: Size, notebook: Notebook, about: Cluster) -> None:
    """Part `models`: both models and their lists on the cluster, from the data set that the local engine prepared."""
    task = task_of(str(size.prepared), size.memory)
    with measured_on(size, notebook, about, "models") as (spark, place, noted):
        for model in models():
            with described(spark, model.name, noted) as note:
                costs, evaluation = fit(spark, task, model, place / model.name)
                note |= costs | {"ndcg_10": evaluation.metrics["ndcg_10"]}
        blocks = blocks_of(spark)
    formulas.note(notebook, size.name, task.train, place / "events", FACTORS, blocks)


@contextmanager
def measured_on(
    size: Size, notebook: Notebook, about: Cluster, part: str
) -> Iterator[tuple["SparkSession", Path, dict[str, dict[str, Any]]]]:
    """A session on a new cluster, a folder, and what is noted of each work: figures from Spark's event log are added
    to it when the block ends, and CPU seconds of all processes until the session was there."""
    place = fresh(size.place / part)
    noted: dict[str, dict[str, Any]] = {}
    begun, spent = time.perf_counter(), tree_cpu_seconds()
    with started(place, about) as (_, spark):
        start = {"seconds": time.perf_counter() - begun, "all_cpu_seconds": tree_cpu_seconds() - spent}
        yield spark, place, noted
        cores = cores_of(spark)
    figures = taken(place / "events")
    for name, note in {"start": start, **noted}.items():
        about_it = {"size": size.name, "work": name, "cores": cores, **note, **figures.get(name, {})}
        notebook.note("cluster", f"{size.name} {name}", **rounded(about_it))


def kill(size: Size, notebook: Notebook, about: Cluster) -> None:
    """Part `kill`: the aggregates, ALS while a worker is killed, the aggregates again. Raises a UserError where the
    worker did not die in mid-job, where Spark's log tells of no lost executor, and where the aggregates differ."""
    task, place = task_of(str(size.prepared), size.memory), fresh(size.place / "kill")
    with started(place, about) as (running, spark):
        before = aggregates(spark, size.prepared)
        with Killer(spark.sparkContext, running.workers[0], FITTING) as killer:
            _, found = fit(spark, task, models()[-1], place / "als")
        lost = re.findall(LOST, (place / "spark.log").read_text(encoding="utf-8"))
        if not killer.killed_at or running.workers[0].is_alive or not lost:
            raise UserError("no worker died while ALS was fitted: give more --events, so that it takes longer")
        same = aggregates(spark, size.prepared) == before
    notebook.note("kill", size.name, same=same, lost=len(lost), ndcg_10=found.metrics["ndcg_10"])
    if not same:
        raise UserError(f"the aggregates differ after the kill; {place / 'spark.log'} tells what Spark did")


def fit(spark: "SparkSession", task: "Task", model: Recommender, folder: Path) -> tuple[dict[str, float], Evaluation]:
    """Fit a model on train, let executors write it and its lists into a folder, and measure these on validation;
    seconds of both, and what was measured."""
    with swapped_in(folder) as fresh:
        write_parquet(fresh / ASKED, pd.DataFrame({"user_id": task.valid.users}))
        costs = fit_and_recommend(spark, spark_view(spark, task.data, task.split_folder, "select"), model, fresh)
    return costs, evaluate_lists(folder / LISTS, task.valid)


def rounded(note: dict[str, Any]) -> dict[str, Any]:
    """A note whose numbers have six digits behind the point at most."""
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in note.items()}


def fresh(folder: Path) -> Path:
    """A folder without anything of an earlier start."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "events").mkdir(parents=True)
    return folder


@contextmanager
def started(place: Path, about: Cluster) -> Iterator[tuple[Standalone, "SparkSession"]]:
    """A cluster on this machine and a session on it, whose logs lie in a folder."""
    heap = int(about.executor_memory[:-1]) * (1024 if about.executor_memory.endswith("g") else 1)
    settings = SETTINGS | {"spark.eventLog.dir": url(place / "events")}
    with (
        standalone(about.workers, about.cores, f"{heap}m", place / "daemons") as running,
        spark_session(
            running.url, executor_memory=about.executor_memory, settings=settings, log_file=place / "spark.log"
        ) as spark,
    ):
        yield running, spark


@contextmanager
def described(spark: "SparkSession", name: str, noted: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Name the jobs of a block, and note its seconds, CPU seconds of all processes, and what the block adds."""
    spark.sparkContext.setJobDescription(name)
    note, start, spent = noted.setdefault(name, {}), time.perf_counter(), tree_cpu_seconds()
    yield note
    note |= {"seconds": time.perf_counter() - start, "all_cpu_seconds": tree_cpu_seconds() - spent}
    spark.sparkContext.setJobDescription(None)
