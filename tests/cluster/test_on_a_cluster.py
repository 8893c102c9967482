"""make cluster-test: a real master and two workers, one of them killed in mid-job, at last both."""

import os
import re
import time
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.cluster.jobs import LOST, Killer, aggregates
from common.cluster.session import spark_session
from common.cluster.standalone import standalone
from common.data.dataset import load_dataset
from common.data.preparation.pipeline import prepare
from common.data.preparation.spark.engine import SparkEngine
from common.data.synthetic.raw.logs import generate_logs
from common.data.synthetic.raw.world import RawLogSettings
from common.evaluation.task import split
from common.experiments.on_spark.stage import ASKED, LISTS, evaluate_lists, fit_and_recommend
from common.models import ALS, Popularity
from common.models.linear.als import ALSSettings
from common.splits.on_spark.view import spark_view
from common.utils.errors import UserError
from common.utils.io import write_parquet
from common.utils.temporary import swapped_in
from tests.spark import needs_spark

EVENTS = int(os.environ.get("CLUSTER_EVENTS", 0))
pytestmark = [pytest.mark.thorough, needs_spark, pytest.mark.skipif(not EVENTS, reason="make cluster-test runs it")]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with raw files in `raw` and what the local engine prepares of them in `local`."""
    folder = tmp_path_factory.mktemp("log")
    generate_logs(RawLogSettings(events=EVENTS), folder / "raw")
    prepare([folder / "raw"], folder / "local")
    return folder


def fit(spark, data, model, folder: Path) -> float:
    """NDCG@10 on validation of a model that the cluster fits and whose lists it writes."""
    evaluator = split(data, "temporal").valid
    view = spark_view(spark, data, "temporal", "select")
    with swapped_in(folder) as fresh:
        write_parquet(fresh / ASKED, pd.DataFrame({"user_id": evaluator.users}))
        fit_and_recommend(spark, view, model, fresh)
    return evaluate_lists(folder / LISTS, evaluator).metrics["ndcg_10"]


def test_a_worker_is_killed_in_mid_job_and_at_last_both(log, tmp_path):
    started = time.monotonic()
    als = ALS(ALSSettings(factors=8, iterations=3, regularisation=0.5), seed=0)
    prepared, said = tmp_path / "prepared", tmp_path / "spark.log"
    with standalone(2, cores=1, memory="1g", folder=tmp_path / "cluster") as cluster:
        with (
            pytest.raises(UserError, match="no executor is left"),
            spark_session(cluster.url, executor_memory="800m", log_file=said) as spark,
        ):
            assert spark.sparkContext.getConf().get("spark.driver.memory") == "512m"
            prepare([log / "raw"], prepared, engine=SparkEngine(spark))
            before = aggregates(spark, prepared)
            assert aggregates(spark, log / "local") == before
            data = load_dataset(str(prepared), tmp_path / "data", test_users=2_000)
            popularity = fit(spark, data, Popularity(), tmp_path / "popularity")
            killer = Killer(spark.sparkContext, cluster.workers[0], "ALS.scala")
            killer.start()
            ndcg = fit(spark, data, als, tmp_path / "als")
            killer.stop()
            assert killer.killed_at, "the worker was not killed while ALS was fitted"
            assert not cluster.workers[0].is_alive
            assert re.search(LOST, said.read_text(encoding="utf-8")), "Spark tells of no lost executor"
            assert aggregates(spark, prepared) == before
            task = split(data, "temporal")
            assert popularity == pytest.approx(task.valid(Popularity().fit(task.train))), "not the local engine's"
            assert ndcg > 0
            cluster.workers[1].end()
            gone = time.monotonic()
            fit(spark, data, als, tmp_path / "never")
        assert time.monotonic() - gone < 60
        assert not list((tmp_path / "never").iterdir()), "half-written files are left"
    assert not any(daemon.is_alive for daemon in [cluster.master, *cluster.workers])
    assert time.monotonic() - started < 360
