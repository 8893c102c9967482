"""The learning rate by epoch."""

import pytest

from common.training.schedule import learning_rate
from common.training.settings import TrainingSettings
from tests.training.test_trainer import BATCH, run


def test_the_learning_rate_follows_the_schedule():
    for schedule in ("constant", "cosine"):
        settings = TrainingSettings(epochs=4, batch=BATCH, schedule=schedule, warmup=1.5)
        _, chosen = run(settings=settings)
        expected = [learning_rate(settings, epoch) for epoch in (1, 2, 3, 4)]
        assert chosen.curves["train/learning_rate"] == pytest.approx(expected)
    assert expected[-1] == 0
