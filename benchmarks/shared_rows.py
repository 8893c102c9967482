"""How much of a log each process of torchrun holds: a generated folder of matrix form, SASRec, one epoch.

    python -m benchmarks.shared_rows --pairs 10000000 --processes 1 2

Users of 200 events each over 5,000 items by a Zipf law; 200 users are evaluated. Per process: how many
bytes of the mapped train matrix it has touched (Rss of these files in /proc/self/smaps, after the training), and its
largest resident memory. Linux only.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from common.data.manifest import FORMAT
from common.data.matrix_files import MATRIX, PARTS
from common.data.preparation.matrices import MatrixWriter
from common.experiments.experiment import Experiment
from common.experiments.flags import parse
from common.experiments.settings import ModelSettings
from common.models.neural.sasrec.model import SASRec
from common.utils import distributed
from common.utils.environment import peak_rss_mb
from common.utils.io import ROOT, read_json, write_json, write_parquet
from common.utils.manifests import entries

EVENTS, ITEMS, HELD_OUT = 200, 5_000, 2
"""Events of a user in train, items, and events of a user in each other part."""
AT_ONCE = 5_000
"""Users that are generated together."""
SETTINGS = {"width": 8, "heads": 1, "layers": 1, "length": 20, "epochs": 1, "batch": 512, "loss": "sampled"}
FLAGS = ["--protocol", "temporal", "--phase", "select", "--wandb", "disabled", "--test-users", "200"]


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


def touched(folder: Path) -> int:
    """Bytes of the files below a folder that this process has mapped and touched."""
    found, mine = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            mine = str(folder) in line
        elif mine and line.startswith("Rss:"):
            found += 1024 * int(line.split()[1])
    return found


def train(folder: Path, order: str) -> None:
    """One process of the training; writes what it holds into `rank<r>.json`."""
    settings = [word for name, value in SETTINGS.items() for word in (f"--sasrec.{name}", str(value))]
    where = ["--dataset", str(folder / "log"), "--data-dir", str(folder / "data"), "--output-dir", str(folder / "out")]
    args = parse(ModelSettings, [*where, *FLAGS, *settings, "--sasrec.order", order], models=[SASRec])
    with Experiment(args, "4_sasrec", models=[SASRec]) as exp:
        before = peak_rss_mb()
        for model, run in exp.runs(SASRec):
            model.fit(exp.train, validation=exp.valid, context=run.context("valid"))
        told = {"touched": touched((folder / "log" / "matrices" / "train").resolve())}
        write_json(folder / f"rank{distributed.rank()}.json", told | {"before": before, "peak": peak_rss_mb()})


def main() -> None:
    """Make the log, train in each number of processes, print a row for each process."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--pairs", type=int, default=10_000_000)
    reader.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    reader.add_argument("--order", default="shuffled", choices=("kept", "shuffled"))
    reader.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    flags = reader.parse_args()
    if flags.pairs < EVENTS or min(flags.processes) < 1:
        reader.error(f"--pairs takes {EVENTS} or more, --processes 1 or more")
    if flags.train:
        train(flags.train, flags.order)
        return
    with tempfile.TemporaryDirectory(prefix="shared-rows-") as name:
        folder, users = Path(name), flags.pairs // EVENTS
        write_log(folder / "log", users)
        size = sum(path.stat().st_size for path in (folder / "log" / "matrices" / "train").iterdir())
        print(f"{users * EVENTS:,} events of {users:,} users, train matrix {size / 2**20:,.0f} MB, order {flags.order}")
        for processes in flags.processes:
            start(folder, processes, flags.order)
            for rank in range(processes):
                found = read_json(folder / f"rank{rank}.json")
                own = f"touched {found['touched'] / 2**20:,.0f} MB of the log ({found['touched'] / size:.0%})"
                peaks = f"resident {found['peak']:,.0f} MB at most, {found['before']:,.0f} MB before the training"
                print(f"process {rank} of {processes}: {own}, {peaks}")


def start(folder: Path, processes: int, order: str) -> None:
    """Train in so many processes."""
    words = [sys.executable, "-m"]
    if processes > 1:
        words += ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]
    words += ["benchmarks.shared_rows", "--train", str(folder), "--order", order]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"a process ended:\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    main()
