"""Finished runs, made once and copied for each test that spoils one."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from common.data.sources.registry import SYNTHETIC
from common.experiments.run import Run
from common.experiments.settings import ModelSettings
from common.models import ALS, Popularity
from tests.conftest import SMALL
from tests.runs import finish

FACTORS: dict[str, Any] = {"als": {"factors": 4, "iterations": 2}}


@pytest.fixture(scope="session")
def finished(small_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a split with the final runs of two models."""
    folder = tmp_path_factory.mktemp("finished")
    place = {"dataset": SYNTHETIC, "synthetic": SMALL, "data_dir": small_data_dir, "wandb": "disabled"}
    settings = ModelSettings(**place, output_dir=folder)  # type: ignore[arg-type]
    finish(settings, [ALS, Popularity], **FACTORS)
    return next(folder.glob("*/listen"))


@pytest.fixture
def split(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, which a test may spoil."""
    return shutil.copytree(finished, tmp_path / "out" / finished.parent.name / finished.name)


@pytest.fixture
def als(split: Path) -> Run:
    """A run of it with a model, curves and results on both parts."""
    return Run(next(split.glob("als/*/seed0")))
