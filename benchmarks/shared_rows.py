"""What each process of torchrun holds of a log: a generated folder of matrix form, and a model that is trained on it.

    python -m benchmarks.shared_rows --pairs 1000000 10000000 --processes 1 2 --model two_tower_als

Users of 200 events each over 5,000 items by a Zipf law; 200 users are evaluated, and the model is kept. Per process:
how many bytes of the mapped train matrix it has touched (Rss of these files in /proc/self/smaps, after the run), and
the most memory of its own (Private_Dirty of /proc/self/smaps_rollup, looked at ten times a second): what no file backs,
so that pages of the log that are merely mapped do not count. Of several sizes, also what a further event adds to it.
Linux only.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.data.manifest import FORMAT
from common.data.matrix_files import MATRIX, PARTS
from common.data.preparation.matrices import MatrixWriter
from common.experiments.experiment import Experiment
from common.experiments.flags import parse
from common.experiments.settings import ModelSettings
from common.models import HybridListNet, SASRec, TwoTower
from common.models.base import Recommender
from common.utils import distributed
from common.utils.io import ROOT, read_json, write_json, write_parquet
from common.utils.manifests import entries

EVENTS, ITEMS, HELD_OUT = 200, 5_000, 2
"""Events of a user in train, items, and events of a user in each other part."""
AT_ONCE = 5_000
"""Users that are generated together."""
LOOKS_EVERY = 0.1
"""Seconds between two looks at a process's own memory."""
FLAGS = ["--protocol", "temporal", "--phase", "select", "--wandb", "disabled", "--test-users", "200"]
NETWORK = {"width": 8, "epochs": 1, "batch": 512}
SASREC = NETWORK | {"heads": 1, "layers": 1, "length": 20, "loss": "sampled", "order": "shuffled"}
TOWERS = NETWORK | {"hidden": 16, "tags": 0}
LISTS = {"width": 8, "epochs": 1, "hidden": 16, "top": 20, "negatives": 1, "sources": "als item_knn popularity"}
MODELS: dict[str, tuple[type[Recommender], dict[str, Any]]] = {
    "sasrec": (SASRec, SASREC),
    "two_tower": (TwoTower, TOWERS | {"start": "random"}),
    "two_tower_als": (TwoTower, TOWERS | {"start": "als", "als.factors": 16, "als.iterations": 3}),
    "hybrid_listnet": (HybridListNet, LISTS | {"tags": 0}),
}
"""What is trained, by the word of --model, with which settings."""


def write_log(folder: Path, users: int) -> None:
    """A prepared folder of matrix form, as `python -m common prepare` writes them."""
    rng = np.random.default_rng(0)
    chances = np.cumsum(1 / (np.arange(ITEMS) + 10.0))
    for number, part in enumerate(PARTS):
        per_user = HELD_OUT if number else EVENTS
        writer = MatrixWriter(folder / "matrices" / part, users * per_user)
        for start in range(0, users, AT_ONCE):
            shape = (min(AT_ONCE, users - start), per_user)
            items = np.searchsorted(chances, rng.random(shape) * chances[-1]).clip(max=ITEMS - 1)
            times = np.tile(np.arange(per_user) + 10**9 * (1 + number), (shape[0], 1))
            writer.add(items.ravel(), np.ones(items.size), times.ravel())
        writer.close(np.full(users, per_user))
    for name, n in (("user", users), ("item", ITEMS)):
        ids = pd.DataFrame({f"{name}_id": [f"{name[0]}{code}" for code in range(n)]})
        write_parquet(folder / f"{name}s.parquet", ids)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    about = {"format": FORMAT, "form": MATRIX, "dataset": "generated", "source": "generated", "sha256": f"{users:064d}"}
    rows = {part: users * (HELD_OUT if number else EVENTS) for number, part in enumerate(PARTS)}
    about |= {"next_core": 1, "rows": rows, "files": entries(folder, files), "repairs": [], "notes": {}}
    write_json(folder / "manifest.json", about)


class OwnMemory(threading.Thread):
    """Looks at this process's own memory while the block runs; `peak`: the most that it was, bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self._ended = own_bytes(), threading.Event()

    def run(self) -> None:
        """Look, until the block ends."""
        while not self._ended.wait(LOOKS_EVERY):
            self.peak = max(self.peak, own_bytes())

    def __enter__(self) -> "OwnMemory":
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._ended.set()
        self.join()


def own_bytes() -> int:
    """Memory of this process that no file backs and no other process shares."""
    told = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8")
    return 1024 * int(re.findall(r"^Private_Dirty:\s+(\d+)", told, re.MULTILINE)[0])


def touched(folder: Path) -> int:
    """Bytes of the files below a folder that this process has mapped and touched."""
    found, mine = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            mine = str(folder) in line
        elif mine and line.startswith("Rss:"):
            found += 1024 * int(line.split()[1])
    return found


def train(folder: Path, asked: str) -> None:
    """One process of the training; writes what it holds into `rank<r>.json`."""
    kind, chosen = MODELS[asked]
    settings = [word for name, value in chosen.items() for word in (f"--{kind.name}.{name}", *str(value).split())]
    where = ["--dataset", str(folder / "log"), "--data-dir", str(folder / "data"), "--output-dir", str(folder / "out")]
    args = parse(ModelSettings, [*where, *FLAGS, *settings], models=[kind])
    with Experiment(args, "benchmark", models=[kind]) as exp, OwnMemory() as memory:
        before = own_bytes()
        for model, run in exp.runs(kind):
            model.fit(exp.train, validation=exp.valid, context=run.context("valid"))
            run.save(model, exp.valid.evaluate(model))
        told = {"touched": touched((folder / "log" / "matrices" / "train").resolve())}
        write_json(folder / f"rank{distributed.rank()}.json", told | {"before": before, "peak": memory.peak})


def main() -> None:
    """Make each log, train in each number of processes, print a row for each process."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--pairs", type=int, nargs="+", default=[1_000_000, 10_000_000])
    reader.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    reader.add_argument("--model", choices=tuple(MODELS), default="sasrec")
    reader.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    flags = reader.parse_args()
    if min(flags.pairs) < EVENTS or min(flags.processes) < 1:
        reader.error(f"--pairs takes {EVENTS} or more, --processes 1 or more")
    if flags.train:
        train(flags.train, flags.model)
        return
    peaks: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for pairs in flags.pairs:
        with tempfile.TemporaryDirectory(prefix="shared-rows-") as name:
            measure(Path(name), pairs // EVENTS, flags, peaks)
    for (processes, rank), found in peaks.items():
        if len(found) > 1:
            (less, low), *_, (more, high) = sorted(found)
            print(f"process {rank} of {processes}: {(high - low) / (more - less):.1f} bytes a further event")


def measure(
    folder: Path, users: int, flags: argparse.Namespace, peaks: dict[tuple[int, int], list[tuple[int, int]]]
) -> None:
    """A log of so many users: train in each number of processes, and note each process's peak of own memory."""
    write_log(folder / "log", users)
    size = sum(path.stat().st_size for path in (folder / "log" / "matrices" / "train").iterdir())
    print(f"{flags.model}, {users * EVENTS:,} events of {users:,} users, train matrix {size / 2**20:,.0f} MB")
    for processes in flags.processes:
        start(folder, processes, flags.model)
        for rank in range(processes):
            found = read_json(folder / f"rank{rank}.json")
            peaks.setdefault((processes, rank), []).append((users * EVENTS, found["peak"]))
            own = f"touched {found['touched'] / 2**20:,.0f} MB of the log ({found['touched'] / size:.0%})"
            memory = f"{found['peak'] / 2**20:,.0f} MB of its own at most, {found['before'] / 2**20:,.0f} MB before"
            print(f"process {rank} of {processes}: {own}, {memory}", flush=True)


def start(folder: Path, processes: int, model: str) -> None:
    """Train in so many processes."""
    words = [sys.executable, "-m"]
    if processes > 1:
        words += ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]
    words += ["benchmarks.shared_rows", "--train", str(folder), "--model", model]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"a process ended:\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    main()
