"""Every network trained in half precision by the trainer itself, against float32: what a GPU does, on the CPU.

On a CPU the trainer takes float32 alone. Here it is told bfloat16 or float16 as it would be on a GPU; autocast, loss
scaling, clipping, the optimiser's step and validation are its own.
"""

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from common.evaluation.task import Task
from common.models.registry import MODELS
from common.training import precision as precisions
from common.training import trainer as loop
from common.training.context import FitContext

NETWORKS: dict[str, dict[str, Any]] = {
    "sasrec": {"length": 20, "width": 16, "heads": 2, "dropout": 0.0},
    "two_tower": {"width": 16, "hidden": 16, "tags": 16, "negatives": 128, "dropout": 0.0, "id_dropout": 0.0},
    "lightgcn": {"width": 16, "batch": 128},
    "hybrid_listnet": {
        "top": 20,
        "width": 8,
        "hidden": (16,),
        "tags": 8,
        "words": 8,
        "dropout": 0.0,
        "id_dropout": 0.0,
    },
}
"""Preset smoke, without dropout, which draws other values in another precision."""
CASES = [pytest.param(name, marks=[pytest.mark.thorough] * (name == "hybrid_listnet")) for name in NETWORKS]
"""Cross-fitting takes the hybrid longer than all others together."""
TRAINING = {"epochs": 6, "validate_every": 6, "batch": 16, "learning_rate": 0.01, "warmup": 0.0, "clip": 1.0}
IN_FLOAT32 = ("lightgcn",)
"""Networks without a product that half precision touches: theirs with the graph are kept in float32."""
LOSS_NEAR, NDCG_NEAR = 0.02, 0.05
"""How far each epoch's loss may be from that in float32, as a share of it, and NDCG@10 on validation."""
BEGIN, FORWARD = loop.Trainer._begin, torch.nn.Linear.forward


class Trained(NamedTuple):
    """What came of a training."""

    trainer: loop.Trainer
    given: int
    """Steps that the optimiser was given."""
    types: set[torch.dtype]
    """In what the network's matrices were multiplied."""

    @property
    def losses(self) -> np.ndarray:
        return np.array(self.trainer.state["curves"]["train/loss"])

    @property
    def ndcg(self) -> float:
        return self.trainer.state["curves"]["val/ndcg_10"][-1]

    @property
    def skipped(self) -> int:
        """Steps that the optimiser has not taken, since the scaler had found an overflow."""
        return self.given - int(max(float(state["step"]) for state in self.trainer.optimiser.state.values()))


@pytest.fixture(scope="module")
def train(small_data):
    """Trains a network in a precision, as if the CPU were a GPU that has it; what was trained once is kept."""
    task, shared, kept = Task(small_data, "listen"), dict[Any, Any](), dict[Any, Trained]()

    def trained(name: str, precision: str, **scaling: Any) -> Trained:
        if (key := (name, precision, *scaling.items())) not in kept:
            model = MODELS[name](MODELS[name].Settings(**TRAINING | NETWORKS[name]), seed=0, device="cpu")
            with watched(precision, scaling) as found:
                model.fit(task.train, task.valid, FitContext(data_sha256=small_data.sha256, shared=shared))
            kept[key] = Trained(found["trainer"], found["given"], found["types"])
        return kept[key]

    return trained


class watched:  # noqa: N801
    """The trainer told a precision, and with how it begins to scale the loss, while the block runs."""

    def __init__(self, precision: str, scaling: dict[str, Any]) -> None:
        self.found: dict[str, Any] = {"given": 0, "types": set()}
        self.precision, self.scaling, self.patches = precision, scaling, pytest.MonkeyPatch()

    def __enter__(self) -> dict[str, Any]:
        for module in (loop, precisions):
            self.patches.setattr(module, "precision_of", lambda *_: self.precision)
        self.patches.setattr(loop.Trainer, "_begin", self.begin())
        self.patches.setattr(torch.nn.Linear, "forward", self.forward())
        return self.found

    def __exit__(self, *_: object) -> None:
        self.patches.undo()

    def begin(self) -> Any:
        found, scaling = self.found, self.scaling

        def begun(trainer: loop.Trainer) -> None:
            BEGIN(trainer)
            if scaling:
                assert trainer.scaler.is_enabled()
                trainer.scaler.load_state_dict(trainer.scaler.state_dict() | scaling)
            found["trainer"] = trainer

            def counted(*_: Any) -> None:
                found["given"] += 1

            trainer.optimiser.register_step_pre_hook(counted)

        return begun

    def forward(self) -> Any:
        found = self.found

        def noted(module: torch.nn.Linear, values: torch.Tensor) -> torch.Tensor:
            made = FORWARD(module, values)
            found["types"] |= {made.dtype} if torch.is_grad_enabled() else set()
            return made

        return noted


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", CASES)
def test_a_network_learns_in_half_precision_what_it_learns_in_float32(name, precision, train):
    full, half = train(name, "float32"), train(name, precision)
    assert full.losses[-1] < 0.95 * full.losses[0], "it learns"
    np.testing.assert_allclose(half.losses, full.losses, rtol=LOSS_NEAR)
    assert half.ndcg == pytest.approx(full.ndcg, abs=NDCG_NEAR)
    assert full.types <= {torch.float32}
    if name in IN_FLOAT32:
        assert (half.types, half.losses.tolist(), half.ndcg) == (set(), full.losses.tolist(), full.ndcg)
    else:
        assert half.types == {getattr(torch, precision)}
        assert half.losses.tolist() != full.losses.tolist()


@pytest.mark.parametrize("name", CASES)
def test_in_float16_the_loss_is_scaled_and_a_step_that_overflows_is_left_out(name, train):
    half = train(name, "float16")
    assert half.trainer.scaler.is_enabled()
    assert half.trainer.scaler.get_scale() == 2.0 ** (16 - half.skipped)
    assert half.skipped < 0.1 * half.given
    assert not train(name, "float32").trainer.scaler.is_enabled()
    assert not train(name, "bfloat16").trainer.scaler.is_enabled()


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "hybrid_listnet"])
def test_a_scale_that_is_too_large_comes_down_and_a_small_one_grows(name, train):
    large, small = train(name, "float16", scale=2.0**24), train(name, "float16", scale=4.0, growth_interval=12)
    assert (large.skipped > 0) == (name not in IN_FLOAT32)
    assert large.trainer.scaler.get_scale() == 2.0 ** (24 - large.skipped)
    assert large.losses[-1] < large.losses[0], "it learns once steps are taken"
    assert small.skipped == 0
    assert small.trainer.scaler.get_scale() == 4.0 * 2 ** (small.given // 12)
    np.testing.assert_allclose(small.losses, train(name, "float32").losses, rtol=LOSS_NEAR)
