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

from benchmarks.cluster.event_log import SETTINGS, taken
from benchmarks.cluster.jobs import LOST, Killer, aggregates
from benchmarks.notebook import Notebook
from benchmarks.scale.models import Spent, task_of
from benchmarks.scale.sizes import Size
from common.cluster.paths import url
from common.cluster.session import cores_of, spark_session
from common.cluster.standalone import Standalone, standalone
from common.data.dataset import Dataset
from common.experiments.on_spark.stage import ASKED, LISTS, evaluate_lists, fit_and_recommend
from common.models import ALS, Popularity
from common.models.base import Recommender
from common.models.linear.als import ALSSettings
from common.splits.on_spark.view import spark_view
from common.utils.errors import UserError
from common.utils.io import write_parquet

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from common.evaluation.evaluator import Evaluator

PROTOCOL = "temporal"
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


def cluster(size: Size, notebook: Notebook, about: Cluster) -> None:
    """Part `cluster`: aggregates, both models, and their lists, on the cluster; figures from Spark's event log."""
    task = task_of(str(size.prepared), size.memory)
    place = fresh(size.place / "cluster")
    walls: dict[str, dict[str, Any]] = {}
    with started(place, about) as (_, spark):
        cores = cores_of(spark)
        with described(spark, "aggregates", walls) as note:
            note |= {"numbers": aggregates(spark, size.prepared)}
        for model in models():
            with described(spark, model.name, walls) as note:
                note |= fit(spark, task.data, task.valid, model, place / model.name)
    for name, figures in taken(place / "events").items():
        if name in walls:
            about_it = {"size": size.name, "work": name, "cores": cores, **walls[name]}
            notebook.note("cluster", f"{size.name} {name}", **about_it, **{k: round(v, 3) for k, v in figures.items()})


def kill(size: Size, notebook: Notebook, about: Cluster) -> None:
    """Part `kill`: the aggregates, ALS while a worker is killed, the aggregates again. Raises a UserError where the
    worker did not die in mid-job, where Spark's log tells of no lost executor, and where the aggregates differ."""
    task, place = task_of(str(size.prepared), size.memory), fresh(size.place / "kill")
    with started(place, about) as (running, spark):
        before = aggregates(spark, size.prepared)
        killer = Killer(spark.sparkContext, running.workers[0], "ALS.scala")
        killer.start()
        found = fit(spark, task.data, task.valid, models()[-1], place / "als")
        killer.stop()
        lost = re.findall(LOST, (place / "spark.log").read_text(encoding="utf-8"))
        if not killer.killed_at or running.workers[0].is_alive or not lost:
            raise UserError("no worker died while ALS was fitted: give more --events, so that it takes longer")
        same = aggregates(spark, size.prepared) == before
    notebook.note("kill", size.name, same=same, lost=len(lost), ndcg_10=found["ndcg_10"])
    if not same:
        raise UserError(f"the aggregates differ after the kill; {place / 'spark.log'} tells what Spark did")


def fit(
    spark: "SparkSession", data: Dataset, evaluator: "Evaluator", model: Recommender, folder: Path
) -> dict[str, float]:
    """Fit a model on train, let executors write its lists into a new folder, and measure them."""
    folder.mkdir(parents=True)
    write_parquet(folder / ASKED, pd.DataFrame({"user_id": evaluator.users}))
    costs = fit_and_recommend(spark, spark_view(spark, data, PROTOCOL, "select"), model, folder)
    return costs | {"ndcg_10": evaluate_lists(folder / LISTS, evaluator).metrics["ndcg_10"]}


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
def described(spark: "SparkSession", name: str, walls: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Name the jobs of a block, and note its seconds and what the block adds."""
    spark.sparkContext.setJobDescription(name)
    note, start = walls.setdefault(name, {}), time.perf_counter()
    yield note
    note["seconds"] = round(time.perf_counter() - start, 3)
    spark.sparkContext.setJobDescription(None)
