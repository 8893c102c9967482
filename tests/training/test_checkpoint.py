"""Checkpoints: never half of one, and never that of something else."""

import re
from pathlib import Path
from typing import Any

import pytest

from common.training import checkpoint
from common.training.settings import TrainingSettings
from common.utils.errors import UserError
from common.utils.io import read_json, write_json
from tests.training.test_trainer import BATCH, flip, kept_in, run, same


def unseal(path: Path, **changes: Any) -> None:
    """Change values of a checkpoint of an earlier version, which had no seal."""
    content = read_json(path) | changes
    write_json(path, {key: value for key, value in content.items() if key != "seal"})


VALUES = [0.1, 0.3, 0.2, 0.2, 0.2]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda folder: (folder / "last.json").write_text("{"), r"last\.json is missing or damaged"),
        (lambda folder: (folder / "last.json").write_text("[1]"), r"last\.json is not a checkpoint, or damaged"),
        (
            lambda folder: write_json(folder / "last.json", read_json(folder / "last.json") | {"epoch": 2}),
            r"last\.json is not a checkpoint, or damaged",
        ),
        (lambda folder: unseal(folder / "last.json", curves=7), r"last\.json is damaged"),
        (lambda folder: unseal(folder / "last.json", curves={"train/loss": [1.0]}), r"last\.json is damaged"),
        (lambda folder: unseal(folder / "last.json", since_best="x"), r"last\.json is damaged"),
        (lambda folder: flip(next(folder.glob("last-*"))), r"last-.*\.safetensors is missing or damaged"),
        (lambda folder: next(folder.glob("last-*")).unlink(), r"last-.*\.safetensors is missing or damaged"),
        (lambda folder: next(folder.glob("best-*")).write_bytes(b""), r"best-.*\.safetensors is missing or damaged"),
        (lambda folder: (folder / "best.json").unlink(), r"best\.json is missing or damaged"),
    ],
)
def test_a_damaged_checkpoint_is_named_and_training_starts_at_the_beginning(tmp_path, caplog, damage, complaint):
    """With the result of an undisturbed run, whatever had been read before the damage was met."""
    undisturbed, chosen = run(values=VALUES)
    run(**kept_in(tmp_path), values=VALUES)
    damage(tmp_path)
    damaged = files(tmp_path)
    reported: list[int] = []
    kept = kept_in(tmp_path, resume=True, report=lambda values, epoch: reported.append(epoch))
    network, again = run(**kept, values=VALUES)
    assert same(network, undisturbed)
    assert (again.epochs, again.factors, again.curves) == (chosen.epochs, chosen.factors, chosen.curves)
    assert reported == [1, 2, 3, 4, 5]
    [said] = [record.getMessage() for record in caplog.records]
    assert re.search(rf"{complaint}.*; training starts at epoch 0, what was there is now in .*/set-aside$", said)
    assert files(tmp_path / checkpoint.ASIDE) == damaged
    assert same(run(**kept_in(tmp_path, resume=True), values=[9.0])[0], undisturbed), "and is kept as ever"


def test_the_checkpoint_of_something_else_is_set_aside(tmp_path, caplog):
    run(**kept_in(tmp_path))
    before = files(tmp_path)
    network, _ = run(**kept_in(tmp_path, resume=True, data="two"))
    assert "last.json belongs to another data set ('one', not 'two'); training starts at epoch 0" in caplog.text
    assert same(network, run()[0])
    assert files(tmp_path / checkpoint.ASIDE) == before
    run(**kept_in(tmp_path, resume=True, data="three"))
    assert read_json(tmp_path / checkpoint.ASIDE / "last.json")["identity"]["data set"] == "two", "one is enough"


def test_what_is_not_the_checkpoints_fault_is_no_reason_to_set_it_aside(tmp_path):
    def starved(folder: Path) -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        checkpoint.fault_of(tmp_path, starved)


def test_a_write_that_fails_leaves_the_former_checkpoint(tmp_path, monkeypatch):
    run(**kept_in(tmp_path), settings=TrainingSettings(epochs=2, batch=BATCH))

    def full(path: Path, content: Any) -> None:
        raise UserError("no space")

    monkeypatch.setattr(checkpoint, "write_json", full)
    with pytest.raises(UserError, match="no space"):
        run(**kept_in(tmp_path, resume=False), settings=TrainingSettings(epochs=3, batch=BATCH))
    monkeypatch.undo()
    state, _ = checkpoint.read_checkpoint(tmp_path, "last", {"model": "regression"})
    assert state["epoch"] == 2
