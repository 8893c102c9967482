"""Ctrl-C during training, and going on afterwards."""

import json
import os
import signal

import pytest

from tests.training.test_trainer import BATCH, ROWS, Batches, kept_in, run, same


@pytest.mark.parametrize("stop", [(1, 2), (3, 0), (3, 3), (4, 4), (7, 4)])
def test_ctrl_c_keeps_everything_and_a_resumed_training_ends_alike(tmp_path, stop):
    def interrupt(epoch: int, step: int) -> None:
        if (epoch, step) == stop:
            os.kill(os.getpid(), signal.SIGINT)

    values = [0.1, 0.2, 0.3, 0.4, 0.35, 0.3, 0.2]
    undisturbed, chosen = run(values=values)
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
