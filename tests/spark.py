"""What tests of Spark share."""

import shutil
from contextlib import AbstractContextManager
from importlib.util import find_spec

import pytest

from common.cluster.session import spark_session

LACKING = [
    *([] if find_spec("pyspark") else ["pyspark (pip install -r requirements-spark.txt)"]),
    *([] if shutil.which("java") else ["Java (apt-get install openjdk-17-jre-headless)"]),
]
needs_spark = pytest.mark.skipif(bool(LACKING), reason=f"needs {' and '.join(LACKING)}")


def on_threads() -> AbstractContextManager:
    """A session of one thread of this machine."""
    return spark_session("local[1]", executor_memory="600m", settings={"spark.sql.shuffle.partitions": "2"})
