"""What tests of Spark share."""

import shutil
from importlib.util import find_spec

import pytest

LACKING = [
    *([] if find_spec("pyspark") else ["pyspark (pip install -r requirements-spark.txt)"]),
    *([] if shutil.which("java") else ["Java (apt-get install openjdk-17-jre-headless)"]),
]
needs_spark = pytest.mark.skipif(bool(LACKING), reason=f"needs {' and '.join(LACKING)}")
