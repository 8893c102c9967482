"""Running a stage script in this process, since a numbered file cannot be imported by name."""

import importlib.util
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from common.splits.protocols import PROTOCOLS
from tests.conftest import ROOT

PROTOCOL_CASES, PROTOCOL_CASES_IN_ORDER = (
    [pytest.param(name, marks=[pytest.mark.thorough] * (name != first)) for name in PROTOCOLS]
    for first in ("listen", "next")
)
"""Every protocol for a costly stage; `make test` tries the one that the stage is about, `make test-all` all."""
WITH_PLAYS = ("listen", "random-8020", "random-811", "listen-stratified")
"""Those whose held-out pairs have plays to predict."""


@cache
def stage(file: str) -> Callable[..., Any]:
    """The `main(argv)` of a stage. The script stays in `sys.modules`: flags take their help from its source."""
    name = f"stage_{file.removesuffix('.py')}"
    spec = importlib.util.spec_from_file_location(name, ROOT / file)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return sys.modules[name].main


def complaint(capsys: pytest.CaptureFixture[str], main: Callable[..., Any], *argv: str) -> str:
    """What a mistaken command says, made sure of: exit code 2 and one line `error: ...` on stderr, no traceback."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main(list(argv))
    said = capsys.readouterr()
    assert stopped.value.code == 2
    assert said.err.startswith("error: "), said.err
    assert said.err.count("\n") == 1, said.err
    assert "Traceback" not in said.out + said.err
    return said.err
