"""A session starts, works, leaves nothing behind, and says in one sentence why it does not start."""

import os
import sys

import pytest

from common.cluster.session import spark_session
from common.utils.errors import UserError
from tests.spark import needs_spark


@pytest.mark.thorough
@needs_spark
def test_a_session_works_and_ends_with_its_jvm(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    log_file = tmp_path / "spark.log"
    with spark_session("local[1]", executor_memory="512m", log_file=log_file) as spark:
        jvm = spark.sparkContext._gateway.proc
        assert spark.range(1000).selectExpr("id % 7 AS k").groupBy("k").count().count() == 7
        assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
    assert jvm.poll() is not None
    assert "Successfully stopped SparkContext" in log_file.read_text(encoding="utf-8")
    assert capfd.readouterr() == ("", ""), "Spark writes on the terminal"
    assert "SPARK_LOCAL_IP" not in os.environ


def test_without_pyspark(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with (
        pytest.raises(UserError, match=r"needs pyspark: pip install -r requirements-spark.txt"),
        spark_session("local"),
    ):
        pass
