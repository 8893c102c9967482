"""When training stops early, and what a checkpoint keeps of it."""

import json

import pytest

from common.training.early_stopping import EarlyStopping
from common.training.settings import TrainingSettings
from tests.training.test_trainer import BATCH, kept_in, run


@pytest.mark.parametrize(
    ("values", "patience", "stops", "best"),
    [
        ([0.1, 0.2, 0.2, 0.1, 0.3], 2, 4, 2),
        ([0.3, 0.1, 0.1, 0.1, 0.1], 1, 2, 1),
        ([0.1, 0.1, 0.2, 0.1, 0.1], 2, 5, 3),
        ([0.1, 0.2, 0.3, 0.4, 0.5], 1, None, 5),
    ],
)
def test_training_stops_after_patience_validations_without_a_better_one(values, patience, stops, best):
    stopping, stopped = EarlyStopping(patience, validate_every=1), None
    for epoch, value in enumerate(values, 1):
        improves = stopping.improves(value, epoch)
        assert improves == (value > max(values[: epoch - 1], default=-1))
        if stopping.is_over:
            stopped = epoch
            break
    assert stopped == stops
    assert stopping.best_epoch == best
    assert stopping.best == values[best - 1]


def test_validation_is_due_every_few_epochs_and_after_the_last():
    stopping = EarlyStopping(patience=1, validate_every=3)
    assert [epoch for epoch in range(1, 9) if stopping.is_due(epoch, last_epoch=8)] == [3, 6, 8]


def test_what_was_kept_comes_back_and_nothing_starts_anew():
    stopping = EarlyStopping(patience=3, validate_every=1)
    for epoch, value in enumerate([0.1, 0.4, 0.2, 0.3], 1):
        stopping.improves(value, epoch)
    other = EarlyStopping(patience=3, validate_every=1)
    other.restore(json.loads(json.dumps(stopping.state() | {"epoch": 4, "factors": []})))
    assert other == stopping
    other.restore({})
    assert other == EarlyStopping(patience=3, validate_every=1)


def test_a_checkpoint_of_before_is_resumed(tmp_path):
    """The keys of a checkpoint are those that older versions wrote, at the top level."""
    settings = TrainingSettings(epochs=3, batch=BATCH, patience=2, learning_rate=0.05)
    run(settings=settings, values=[0.3, 0.2, 0.25], **kept_in(tmp_path))
    state = json.loads((tmp_path / "last.json").read_text())
    assert (state["best"], state["best_epoch"], state["since_best"], state["finished"]) == (0.3, 1, 2, True)
    before = {key: value for key, value in state.items() if key not in ("seal", "format")}
    (tmp_path / "last.json").write_text(json.dumps(before | {"since_best": 0, "finished": False, "epoch": 1}))
    values = [0.1, 0.1, 0.9]
    _, chosen = run(settings=settings, values=values, **kept_in(tmp_path, resume=True))
    assert chosen.epochs == 1, "epochs 2 and 3 are not better than the first"
    state = json.loads((tmp_path / "last.json").read_text())
    assert (state["epoch"], state["since_best"]) == (3, 2)
