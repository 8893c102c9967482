"""An experiment whose figures are named and not drawn."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from common.experiments.experiment import Experiment


@pytest.fixture
def undrawn(small_settings, ran, monkeypatch) -> Callable[..., Any]:
    """Gives an experiment of a stage over finished runs; its `plot` returns the figure's name, values and options."""

    def made(stage: str, **changes: Any) -> Experiment:
        exp = Experiment(dataclasses.replace(small_settings, output_dir=ran, **changes), stage)
        monkeypatch.setattr(exp, "plot", lambda name, draw, *values, **named: (name, values, named))
        return exp

    return made
