"""Finished runs that the tests of tables and pages read."""

import dataclasses
from pathlib import Path

import pytest

from common.data.sources.registry import SYNTHETIC
from common.experiments.settings import ModelSettings
from common.models import ItemKNN, Popularity, Random
from tests.conftest import SMALL
from tests.runs import finish


@pytest.fixture(scope="session")
def ran(small_data_dir, tmp_path_factory) -> Path:
    """A folder of outputs: on `listen` two seeds of Random, Popularity and item kNN; on `newcomer` Popularity."""
    out = tmp_path_factory.mktemp("reporting") / "out"
    settings = ModelSettings(
        dataset=SYNTHETIC, synthetic=SMALL, data_dir=small_data_dir, output_dir=out, wandb="disabled"
    )
    finish(settings, [Random, Popularity, ItemKNN])
    finish(dataclasses.replace(settings, seed=1), [Random])
    finish(dataclasses.replace(settings, protocol="newcomer"), [Popularity])
    return out
