"""Which weights decay, and the average of the weights: by hand, validated, kept, and resumed."""

from dataclasses import replace

import pytest
from torch import nn

from common.training.optimiser import BEGIN, WeightAverage, make_optimiser
from common.training.settings import TrainingSettings
from tests.training.test_trainer import SETTINGS, Regression, kept_in, run, same

AVERAGED = replace(SETTINGS, average=0.9)


def test_biases_do_not_decay():
    settings = TrainingSettings(optimiser="adamw", weight_decay=0.3)
    network = Regression()
    groups = make_optimiser(network, settings).param_groups
    assert [(group["weight_decay"], len(group["params"])) for group in groups] == [(0.3, 1), (0.0, 1)]
    assert groups[1]["params"][0] is network.linear.bias


def test_the_average_follows_its_formula_and_gives_the_weights_back():
    network = nn.BatchNorm1d(1, affine=False)
    average, expected = WeightAverage(network, 0.6), 0.0
    for step, value in enumerate([4.0, -2.0, 8.0, 1.0, 1.0, 3.0], start=1):
        network.running_mean.fill_(value)  # type: ignore[union-attr]
        network.num_batches_tracked.add_(1)  # type: ignore[union-attr]
        average.update()
        decay = min(0.6, (1 + step) / (BEGIN + step))
        expected = decay * expected + (1 - decay) * value
        with average.in_place():
            assert network.running_mean.item() == pytest.approx(expected, rel=1e-6)  # type: ignore[union-attr]
            assert network.num_batches_tracked.item() == step, "a count has no average"  # type: ignore[union-attr]
        assert network.running_mean.item() == value  # type: ignore[union-attr]
    average.settle()
    assert network.running_mean.item() == pytest.approx(expected, rel=1e-6)  # type: ignore[union-attr]


def test_without_a_decay_nothing_is_kept():
    average = WeightAverage(Regression(), 0.0)
    assert (average.average, average.tensors()) == ({}, {})


def test_the_average_is_what_is_validated_kept_and_refitted():
    plain, _ = run()
    refitted, _ = run(settings=AVERAGED)
    assert not same(plain, refitted)
    validated, chosen = run(settings=AVERAGED, values=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    assert chosen.epochs == AVERAGED.epochs
    assert same(validated, refitted), "averaging for validation has not touched the training"
    best, chosen = run(settings=AVERAGED, values=[0.1, 0.9, 0.3, 0.3, 0.3])
    assert chosen.epochs == 2
    assert same(best, run(settings=AVERAGED, schedule=chosen)[0])


@pytest.mark.parametrize("values", [None, [0.1, 0.2, 0.4, 0.35, 0.3, 0.5, 0.2, 0.1]])
def test_killed_and_resumed_it_ends_alike(tmp_path, values):
    def killed(_: dict[str, float], epoch: int) -> None:
        if epoch == 4:
            raise RuntimeError("killed")

    undisturbed, chosen = run(settings=AVERAGED, values=values)
    with pytest.raises(RuntimeError):
        run(settings=AVERAGED, **kept_in(tmp_path, report=killed), values=values)
    resumed, again = run(settings=AVERAGED, **kept_in(tmp_path, resume=True), values=values and values[4:])
    assert same(resumed, undisturbed)
    assert (again.epochs, again.curves["train/loss"]) == (chosen.epochs, chosen.curves["train/loss"])


def test_a_checkpoint_without_the_average_is_set_aside(tmp_path, caplog):
    run(settings=replace(SETTINGS, epochs=2), **kept_in(tmp_path))
    run(settings=replace(AVERAGED, epochs=2), **kept_in(tmp_path, resume=True))
    assert "training starts at epoch 0" in caplog.text
