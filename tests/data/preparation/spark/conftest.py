"""One Spark session for all tests of this folder."""

from collections.abc import Iterator
from typing import Any

import pytest

from common.cluster.session import spark_session

QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
SETTINGS = {
    "spark.driver.maxResultSize": "64k",  # a driver that can take almost nothing
    "spark.sql.codegen.wholeStage": "false",  # to compile a query takes longer than a small one
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


@pytest.fixture(scope="package")
def spark() -> Iterator[Any]:
    """A session of two threads, quick to start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", QUICK)
        with spark_session("local[2]", executor_memory="512m", settings=SETTINGS) as session:
            yield session
