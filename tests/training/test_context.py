"""What a fit is given: nothing by default, and nothing that a fit could change for the next one."""

import dataclasses
import subprocess
import sys

import pytest

from common.training.context import NO_CONTEXT, FitContext


def test_by_default_nothing_is_kept_reported_or_shared():
    assert FitContext() == NO_CONTEXT
    assert (NO_CONTEXT.checkpoints, NO_CONTEXT.resume, NO_CONTEXT.report, NO_CONTEXT.shared) == (
        None,
        False,
        None,
        None,
    )


def test_a_context_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        NO_CONTEXT.resume = True  # type: ignore[misc]


def test_it_needs_no_torch():
    code = "import sys, common.training.context; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
