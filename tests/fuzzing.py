"""How long property tests search: some derandomised examples in the suite, many random ones with `make fuzz`."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
"""Examples of each test in a long search; 0 is the suite's own number, the same ones each time."""


def fuzzed(quick: int = 100) -> Callable[[Any], Any]:
    """Mark a property test, which has `quick` examples in the suite."""
    bounds = settings(
        max_examples=EXAMPLES or quick,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    return lambda test: pytest.mark.fuzz(bounds(test))
