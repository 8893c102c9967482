"""Checkpoints: never half of one, and never that of something else."""

from pathlib import Path
from typing import Any

import pytest

from common.training.settings import TrainingSettings
from common.utils.errors import UserError
from common.utils.io import read_json, write_json
from tests.training.test_trainer import BATCH, flip, kept_in, run


def unseal(path: Path, **changes: Any) -> None:
    """Change values of a checkpoint of an earlier version, which had no seal."""
    content = read_json(path) | changes
    write_json(path, {key: value for key, value in content.items() if key != "seal"})


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda folder: (folder / "last.json").write_text("{"), r"last\.json is not valid JSON"),
        (
            lambda folder: (folder / "last.json").write_text("[1]"),
            r"last\.json is not a checkpoint, or damaged; leave out --resume",
        ),
        (
            lambda folder: write_json(folder / "last.json", read_json(folder / "last.json") | {"epoch": 2}),
            r"last\.json is not a checkpoint, or damaged; leave out --resume",
        ),
        (lambda folder: unseal(folder / "last.json", curves=7), r"last\.json is damaged .*; leave out --resume"),
        (lambda folder: unseal(folder / "last.json", since_best="x"), r"last\.json is damaged .*; leave out --resume"),
        (lambda folder: flip(next(folder.glob("last-*"))), r"safetensors is missing or damaged .*; leave out --resume"),
        (lambda folder: next(folder.glob("last-*")).unlink(), r"safetensors is missing or damaged .*; leave out --res"),
        (lambda folder: next(folder.glob("best-*")).write_bytes(b""), r"best-.*missing or damaged .*; leave out"),
    ],
)
def test_a_damaged_checkpoint_is_refused(tmp_path, damage, complaint):
    run(**kept_in(tmp_path), values=[0.1, 0.3, 0.2, 0.2, 0.2])
    damage(tmp_path)
    with pytest.raises(UserError, match=complaint):
        run(**kept_in(tmp_path, resume=True), values=[0.1])


def test_the_checkpoint_of_something_else_is_refused(tmp_path):
    run(**kept_in(tmp_path))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UserError, match=r"last\.json belongs to another data set \('one', not 'two'\); leave out"):
        run(**kept_in(tmp_path, resume=True, data="two"))
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_write_that_fails_leaves_the_former_checkpoint(tmp_path, monkeypatch):
    run(**kept_in(tmp_path), settings=TrainingSettings(epochs=2, batch=BATCH))
    from common.training import checkpoint

    def full(path: Path, content: Any) -> None:
        raise UserError("no space")

    monkeypatch.setattr(checkpoint, "write_json", full)
    with pytest.raises(UserError, match="no space"):
        run(**kept_in(tmp_path, resume=False), settings=TrainingSettings(epochs=3, batch=BATCH))
    monkeypatch.undo()
    state, _ = checkpoint.read_checkpoint(tmp_path, "last", {"model": "regression"})
    assert state["epoch"] == 2
