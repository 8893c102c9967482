"""What went wrong on a cluster, in a sentence with the remedy."""

import re
from importlib.metadata import version
from typing import NamedTuple

from common.utils.errors import UserError


class Failure(NamedTuple):
    """Words by which Spark tells of a failure, and what to say."""

    pattern: str
    sentence: str


OTHER_VERSION = (
    "local class incompatible|InvalidClassException|ClassNotFoundException: org.apache.spark|NoSuchMethodError|"
    "UnsupportedClassVersionError"
)
"""By what a master or an executor of another version is known: classes that one side lacks or has otherwise."""
FAILURES = (
    Failure(
        "No space left on device|Failed to create (a )?(local )?dir(ectory)?|Disk quota exceeded|Read-only file system",
        "a worker of the Spark cluster cannot write to its disk: free some space there, or let SPARK_LOCAL_DIRS and "
        "--work-dir of the worker name folders on a disk that has some",
    ),
    Failure(
        r"OutOfMemoryError|exit(ed)? (with )?(code|status) (52|137)|Container killed|oom-kill|MemoryError",
        "an executor ran out of memory: raise --executor-memory, or give the cluster more workers",
    ),
    Failure(
        OTHER_VERSION,
        "the cluster runs another version of Spark or Java than pyspark {version} here: install one version everywhere "
        "(requirements-spark.txt), with Java 17",
    ),
    Failure(
        "PYTHON_VERSION_MISMATCH|Cannot run program|No module named|ModuleNotFoundError",
        "the workers lack the Python of this process or its packages: install the same Python and "
        "requirements-spark.txt there, and let PYSPARK_PYTHON name its path",
    ),
    Failure(
        "PATH_NOT_FOUND|FileNotFoundException|FileNotFoundError|NoSuchFileException|READ_FILE_NOT_EXIST",
        "executors do not find files of this machine: keep data and outputs on a file system that all workers mount "
        "under the same path, and do not change them meanwhile",
    ),
    Failure(
        "All masters are unresponsive",
        "the master does not take this job: check that a Spark master of version {version} runs at {master}",
    ),
    Failure(
        "Master removed our application|Application has been killed",
        "the master ended the job, as executors do not come up: check that its workers are of pyspark {version} and "
        "have --executor-memory to give",
    ),
)
"""The first that fits is said."""
NO_EXECUTOR = (
    "no executor is left, and none has come within {seconds:.0f} s: start workers that have --executor-memory and a "
    "free core for {master}, then start again; nothing half-written is left"
)


def explained(text: str, master: str) -> UserError | None:
    """The error to tell a user of a failure whose messages are given; None for one that is not known here."""
    for failure in FAILURES:
        if re.search(failure.pattern, text):
            return UserError(failure.sentence.format(master=master, version=version("pyspark")))
    return None
