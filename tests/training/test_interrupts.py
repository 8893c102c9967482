"""Ctrl-C during training, and going on afterwards."""

import json
import os
import signal
import time

import pytest

from common.training.interrupts import Terminated, ended_by_sigterm, exit_code
from tests.training.test_trainer import BATCH, ROWS, Batches, kept_in, run, same


@pytest.mark.parametrize("stop", [(1, 2), (3, 0), (3, 3), (4, 4), (7, 4)])
def test_ctrl_c_keeps_everything_and_a_resumed_training_ends_alike(tmp_path, stop):
    def interrupt(epoch: int, step: int) -> None:
        if (epoch, step) == stop:
            os.kill(os.getpid(), signal.SIGINT)

    values = [0.1, 0.2, 0.3, 0.4, 0.35, 0.3, 0.2]
    undisturbed, chosen = run(values=values)
    assert exit_code(KeyboardInterrupt()) == 130
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(Batches(on_batch=interrupt), **kept_in(tmp_path), values=values)
    assert signal.getsignal(signal.SIGINT) is handler
    state = json.loads((tmp_path / "last.json").read_text())
    last_step = stop[1] == ROWS // BATCH - 1
    assert (state["epoch"], state["step"]) == ((stop[0], 0) if last_step else (stop[0] - 1, stop[1] + 1))
    reports: list[int] = []
    kept = kept_in(tmp_path, resume=True, report=lambda of_epoch, epoch: reports.append(epoch))
    resumed, again = run(values=values[state["epoch"] :] or [9.0], **kept)
    assert same(resumed, undisturbed)
    assert (again.epochs, again.factors, again.curves) == (chosen.epochs, chosen.factors, chosen.curves)
    assert reports == list(range(1, 8)), "epochs before the interruption are reported, too"


def test_sigterm_keeps_the_checkpoint_as_ctrl_c_does(tmp_path):
    def end(epoch: int, step: int) -> None:
        if (epoch, step) == (2, 1):
            os.kill(os.getpid(), signal.SIGTERM)

    former = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated) as stopped:
        run(Batches(on_batch=end), **kept_in(tmp_path), values=[0.1, 0.2])
    assert exit_code(stopped.value) == 143
    assert signal.getsignal(signal.SIGTERM) is former
    state = json.loads((tmp_path / "last.json").read_text())
    assert (state["epoch"], state["step"]) == (1, 2)


def test_outside_of_a_training_sigterm_ends_a_command_at_once():
    former = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), ended_by_sigterm():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)  # the handler interrupts it
    assert signal.getsignal(signal.SIGTERM) is former
