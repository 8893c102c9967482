"""What Spark says when something is wrong, as its logs hold it, and the sentence that the user gets."""

import pytest

from common.cluster.failures import explained

MASTER = "spark://a:7077"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("java.io.IOException: No space left on device", "SPARK_LOCAL_DIRS"),
        ("is now FAILED (java.io.IOException: Failed to create directory /w/app-1/0)", "SPARK_LOCAL_DIRS"),
        ("java.lang.OutOfMemoryError: Java heap space", "raise --executor-memory"),
        ("ExecutorLostFailure (executor 0 exited) Reason: Command exited with code 52", "raise --executor-memory"),
        ("Reason: Command exited with code 137", "raise --executor-memory"),
        ("java.io.InvalidClassException: o.a.s.rpc.Ref; local class incompatible: stream", "another version of Spark"),
        ("[PYTHON_VERSION_MISMATCH] Python in worker has different version", "the same Python"),
        ('Cannot run program "python3.11": error=2', "PYSPARK_PYTHON"),
        ("[PATH_NOT_FOUND] Path does not exist: file:/data/x", "all workers mount"),
        ("All masters are unresponsive! Giving up.", f"runs at {MASTER}"),
        ("Application has been killed. Reason: Master removed our application: FAILED", "do not come up"),
    ],
)
def test_each_failure_has_its_remedy(text, said):
    error = explained(f"An error occurred while calling o1.count.\n: {text}\n at a.b.C", MASTER)
    assert said in str(error)
    assert "{" not in str(error)


def test_others_are_not_guessed_at():
    assert explained("[UNRESOLVED_COLUMN] A column cannot be resolved", MASTER) is None
    assert explained("Command exited with code 1", MASTER) is None
