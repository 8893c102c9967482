"""Stages that are killed between their first and their last write, then resumed: as if nothing had happened?"""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.compare import differences, leftovers
from benchmarks.notebook import Notebook
from common.utils.environment import ONE_THREAD
from common.utils.errors import UserError
from common.utils.io import ROOT

STAGES = {
    "0_explore": [],
    "1_knn_baseline": [],
    "2_als": [],
    "3_random_forest_rank": ["--no-importance"],
    "4_sasrec": [],
    "5_two_tower": [],
    "6_hybrid_listnet": [],
}
PROTOCOLS = ("listen", "next", "next-shuffled", "newcomer", "temporal")
SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT")
DATA = ["--dataset", "synthetic", "--synthetic.users", "60", "--synthetic.items", "150", "--synthetic.seed", "1"]
TRIES = 4
"""Attempts to hit a process before it ends by itself."""
PATIENCE = 600
"""Seconds that a stage may take."""


@dataclass(frozen=True)
class Kill:
    """One kill: a stage on a protocol, by a signal, between two renames of one run folder or anywhere."""

    number: int
    stage: str
    protocol: str
    signal: str
    between: bool

    def __str__(self) -> str:
        """Its name in the notebook."""
        return f"{self.number:03} {self.stage} {self.protocol} {self.signal}{' between' if self.between else ''}"


def planned(kills: int) -> Iterator[Kill]:
    """All stages, protocols and signals by turns; every second kill hits between two renames of one run folder."""
    places = [(stage, protocol) for protocol in PROTOCOLS for stage in STAGES if stage[0] != "0"]
    places = [*places[:3], ("0_explore", ""), *places[3:]]
    for number in range(kills):
        stage, protocol = places[number % len(places)]
        yield Kill(number, stage, protocol, SIGNALS[number % 3], number % 2 == 0 and stage[0] != "0")


def measure(kills: int, folder: Path, notebook: Notebook) -> None:
    """Kill and resume what is not noted yet."""
    for kill in planned(kills):
        if not notebook.has("kills", str(kill)):
            found = _killed_and_resumed(kill, folder)
            notebook.note("kills", str(kill), between=kill.between, signal=kill.signal, **found)
            print(f"{kill}: {found}", flush=True)


def _killed_and_resumed(kill: Kill, folder: Path) -> dict[str, object]:
    reference, renames = _undisturbed(kill, folder)
    draw = random.Random(kill.number)
    for attempt in range(TRIES):
        work = folder / "killed"
        shutil.rmtree(work, ignore_errors=True)
        at, delay = _aim(kill, renames, draw, attempt)
        code = _run(kill, work, folder, at, delay)
        seen = _renames(work / "renames")
        died = code == -signal.Signals[kill.signal] or code == 128 + signal.Signals[kill.signal]
        if died and len(seen) >= 1 and len(seen) <= len(renames):
            break
    else:
        return {"died": False}
    resumed = _run(kill, work, folder, 0, 0.0, *(["--resume"] if kill.protocol else []))
    wrong = differences(reference, work / "outputs") if resumed == 0 else [f"exit code {resumed}"]
    return {"died": True, "rename": at, "of": len(renames), "wrong": wrong, "left": leftovers(work)}


def _undisturbed(kill: Kill, folder: Path) -> tuple[Path, list[list[str]]]:
    """Outputs and renames of a run that nobody disturbs, made once."""
    work = folder / "undisturbed" / f"{kill.stage}-{kill.protocol}"
    if not (work / "done").exists():
        shutil.rmtree(work, ignore_errors=True)
        if code := _run(kill, work, folder, 0, 0.0):
            raise UserError(f"{kill.stage} {kill.protocol} ends with exit code {code}; {work / 'said'} says why")
        (work / "done").touch()
    return work / "outputs", _renames(work / "renames")


def _aim(kill: Kill, renames: list[list[str]], draw: random.Random, attempt: int) -> tuple[int, float]:
    """The rename before which to strike, from 2 on, or some time after a rename."""
    if not kill.between:
        late = attempt == 0 and draw.random() < 0.5
        return draw.randrange(2, len(renames)), 0.05 * draw.random() if late else 0.0
    inside = [
        number
        for number in range(2, len(renames) + 1)
        if swap_of(renames[number - 1]) and swap_of(renames[number - 1]) == swap_of(renames[number - 2])
    ]
    return draw.choice(inside), 0.0


def swap_of(rename: list[str]) -> str:
    """The `.swap-...` folder that a rename takes from or gives to; empty for another rename."""
    found = [part for path in rename for part in Path(path).parts[:-1] if part.startswith(".swap-")]
    return found[0] if found else ""


def _run(kill: Kill, work: Path, folder: Path, at: int, delay: float, *more: str) -> int:
    """Run the stage into `work`; returns its exit code, negative for a signal that it did not catch."""
    work.mkdir(parents=True, exist_ok=True)
    data = folder / "data" if kill.protocol else work / "data"
    words = [*DATA, "--wandb", "disabled", "--data-dir", str(data), "--output-dir", str(work / "outputs")]
    if kill.protocol:
        words += ["--protocol", kill.protocol, "--preset", "smoke", *STAGES[kill.stage]]
    watched = [str(work / "renames"), str(at), kill.signal, str(delay), str(ROOT / f"{kill.stage}.py")]
    with (work / "said").open("a") as said:
        return subprocess.run(
            [sys.executable, "-m", "benchmarks.faults.child", *watched, *words, *more],
            cwd=ROOT,
            env=os.environ | ONE_THREAD,
            stdout=said,
            stderr=said,
            timeout=PATIENCE,
            check=False,
        ).returncode


def _renames(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def table_row(notebook: Notebook) -> list[str]:
    """What came of the kills."""
    rows = [row for row in notebook.of("kills") if row["died"]]
    between = sum(row["between"] for row in rows)
    equal = sum(not row["wrong"] and not row["left"] for row in rows)
    signals = ", ".join(f"{sum(row['signal'] == name for row in rows)} by {name}" for name in SIGNALS)
    what = f"{len(rows)} kills ({signals}; {between} between two renames of one run folder), then `--resume`"
    return [what, f"{equal} of {len(rows)} equal to an undisturbed run, nothing left behind"]
