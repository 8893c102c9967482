"""An epoch of SASRec: this repository against RecTools' SASRecModel, the same histories in the same run.

`python -m benchmarks.sasrec_speed --rectools-python PATH` from the root of the repository; README.md beside this file
says what is compared. Each side trains in a process of its own, RecTools' in its own environment; they take turns, an
epoch each.
"""

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import Worker

WIDTH, LAYERS, HEADS, BATCH, DROPOUT = 128, 2, 4, 128, 0.2
"""Those of the preset `classic`, on both sides."""


class Turns:
    """The worker's end of a pipe: waits to be told before every epoch, and says what the epoch took."""

    def __init__(self) -> None:
        self.before = self.peak()
        self.start = 0.0

    def wait(self) -> None:
        """Wait for a word, and end with the pipe."""
        if not sys.stdin.readline():
            raise SystemExit(0)
        self.start = time.perf_counter()

    def tell(self, loss: float) -> None:
        """Seconds since the word, loss, and memory in MiB: largest ever, and beyond what the start took."""
        seconds = time.perf_counter() - self.start
        answer = {"seconds": seconds, "loss": loss, "peak": self.peak(), "added": self.peak() - self.before}
        print(json.dumps(answer), flush=True)

    @staticmethod
    def peak() -> float:
        """Largest resident memory so far, MiB."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def read(path: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """User and item codes of events, in order of time, and the size of the catalogue."""
    with np.load(path, allow_pickle=False) as saved:
        return saved["users"], saved["items"], int(saved["n_items"])


def work_ours(path: Path, length: int, epochs: int) -> None:
    """Train SASRec of this repository, an epoch at a word."""
    from common.models.neural.base import seeded
    from common.models.neural.sasrec.model import SASRec, SASRecSettings
    from common.splits.histories import Histories
    from common.training.context import FitContext
    from common.training.trainer import Trainer

    users, items, n_items = read(path)
    ones = np.ones(len(items), np.float32)
    model = SASRec(SASRecSettings(length=length, width=WIDTH, layers=LAYERS, heads=HEADS, batch=BATCH, epochs=epochs))
    model.histories = Histories.from_events(users, items, ones, int(users.max()) + 1, n_items)
    model.popularity, model.side = np.ones(n_items, np.float32), np.zeros((n_items, 0), np.float32)
    turns = Turns()

    def report(values: dict[str, float], epoch: int) -> None:
        turns.tell(values["train/loss"])
        turns.wait()

    with seeded(0, "cpu"):
        turns.wait()
        context = FitContext(report=report)
        Trainer(model.build(), model.batches_of(model.histories), model.settings, context).run()


def work_theirs(path: Path, length: int, epochs: int) -> None:
    """In RecTools' environment: train SASRecModel, an epoch at a word."""
    import pandas as pd
    import pytorch_lightning as lightning
    from rectools.dataset import Dataset
    from rectools.models import SASRecModel
    from rectools.models.nn.item_net import IdEmbeddingsItemNet

    users, items, _ = read(path)
    events = pd.DataFrame({"user_id": users, "item_id": items, "weight": 1.0})
    events["datetime"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(len(events)), unit="s")
    turns = Turns()

    class Pause(lightning.Callback):
        def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
            turns.wait()

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            turns.tell(float(trainer.callback_metrics["train_loss"]))

    def trainer() -> Any:
        quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
        return lightning.Trainer(max_epochs=epochs, accelerator="cpu", logger=False, callbacks=[Pause()], **quiet)

    model = SASRecModel(
        n_blocks=LAYERS,
        n_heads=HEADS,
        n_factors=WIDTH,
        dropout_rate=DROPOUT,
        session_max_len=length,
        batch_size=BATCH,
        loss="softmax",
        epochs=epochs,
        item_net_block_types=(IdEmbeddingsItemNet,),
        get_trainer_func=trainer,
    )
    model.fit(Dataset.construct(events))


def write_events(path: Path, dataset: str) -> str:
    """Events of protocol `next` as a model sees them in `select`; returns what they are."""
    from common import load_dataset, split

    data = load_dataset(dataset)
    known = split(data, "next").train.histories
    np.savez(path, allow_pickle=False, users=known.rows, items=known.items.astype(np.int64), n_items=known.n_items)
    return f"{data.name}, next: {len(known):,} users, {known.n_items:,} items, {len(known.items):,} events"


def main(argv: Sequence[str] | None = None) -> None:
    """Let both sides take turns and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rectools-python", required=True, help="Python of an environment with RecTools")
    parser.add_argument("--dataset", default="auto")
    parser.add_argument("--length", type=int, nargs="*", default=[50, 200])
    parser.add_argument("--turns", type=int, default=5, help="epochs that count, after one to warm up")
    flags = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.npz"
        print(write_events(path, flags.dataset))
        for length in flags.length:
            compare(path, flags.rectools_python, length, flags.turns)


def compare(path: Path, python: str, length: int, turns: int) -> None:
    """One length: seconds of an epoch, memory and loss of both sides."""
    words = [str(path), str(length), str(turns + 2)]
    sides = {
        "ours": Worker(sys.executable, "sasrec_speed", "ours", *words),
        "RecTools": Worker(python, "sasrec_speed", "theirs", *words),
    }
    told: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    try:
        for _ in range(turns + 1):
            for name, worker in sides.items():
                told[name].append(worker.ask("go"))
    finally:
        for worker in sides.values():
            worker.close()
    print(f"length {length}, width {WIDTH}, {LAYERS} layers, {HEADS} heads, batches of {BATCH}, softmax over all items")
    medians = {name: statistics.median(a["seconds"] for a in answers[1:]) for name, answers in told.items()}
    for name, answers in told.items():
        last = answers[-1]
        losses = f"loss {answers[0]['loss']:.3f} -> {last['loss']:.3f}"
        memory = f"peak {last['peak']:,.0f} MiB, {last['added']:,.0f} of it for training"
        print(f"  {name:<10} {medians[name]:6.2f} s an epoch, median of {turns}   {memory}   {losses}")
    print(f"  RecTools / ours  {medians['RecTools'] / medians['ours']:.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work = work_ours if sys.argv[2] == "ours" else work_theirs
        work(Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
    else:
        main()
