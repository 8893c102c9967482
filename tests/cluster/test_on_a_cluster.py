"""make cluster-test: a real master and two workers, one of them killed in mid-job, at last the other one, too."""

import os
import re
import time
from pathlib import Path

import pytest

from benchmarks.cluster.jobs import FITTING, LOST, Killer, aggregates
from benchmarks.cluster.parts import fit
from benchmarks.cluster.processes import tree_cpu_seconds
from common.cluster.session import spark_session
from common.cluster.standalone import standalone
from common.data.dataset import load_dataset
from common.data.preparation.pipeline import prepare
from common.data.preparation.spark.engine import SparkEngine
from common.data.synthetic.raw.logs import generate_logs
from common.data.synthetic.raw.world import RawLogSettings
from common.evaluation.task import split
from common.models import ALS, Popularity
from common.models.linear.als import ALSSettings
from common.utils.errors import UserError
from tests.spark import needs_spark

EVENTS = int(os.environ.get("CLUSTER_EVENTS", 0))
pytestmark = [
    pytest.mark.thorough,
    needs_spark,
    pytest.mark.skipif(not EVENTS, reason="make test-all runs it by itself"),
]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with raw files in `raw` and what the local engine prepares of them in `local`."""
    folder = tmp_path_factory.mktemp("log")
    generate_logs(RawLogSettings(events=EVENTS), folder / "raw")
    prepare([folder / "raw"], folder / "local")
    return folder


def test_a_worker_is_killed_in_mid_job_and_at_last_both(log, tmp_path):
    before_all = tree_cpu_seconds()
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
            task = split(data, "temporal")
            popularity = fit(spark, task, Popularity(), tmp_path / "popularity")[1]
            with Killer(spark.sparkContext, cluster.workers[0], FITTING) as killer:
                _, found = fit(spark, task, als, tmp_path / "als")
            assert killer.killed_at, "the worker was not killed while ALS was fitted"
            assert not cluster.workers[0].is_alive
            assert re.search(LOST, said.read_text(encoding="utf-8")), "Spark tells of no lost executor"
            assert aggregates(spark, prepared) == before
            own = task.valid(Popularity().fit(task.train))
            assert popularity.metrics["ndcg_10"] == pytest.approx(own), "not the local engine's"
            assert found.metrics["ndcg_10"] > 0
            with Killer(spark.sparkContext, cluster.workers[1], FITTING) as last:
                fit(spark, task, als, tmp_path / "never")
        assert last.killed_at
        assert time.monotonic() - last.killed_at < 60
        assert not list((tmp_path / "never").iterdir()), "half-written files are left"
    assert not any(daemon.is_alive for daemon in [cluster.master, *cluster.workers])
    spent = tree_cpu_seconds() - before_all + killer.cpu_seconds + last.cpu_seconds
    assert spent < 360, "more than 6 minutes of a processor"
