"""Models and results that are read while another process replaces them: never of two trainings."""

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faults.kills import DATA
from benchmarks.notebook import Notebook
from common.data.dataset import load_dataset
from common.data.synthetic.settings import SyntheticSettings
from common.evaluation.task import Task
from common.experiments.run import Run, RunKey, run_config
from common.experiments.stored.phase_manifest import hash_config
from common.models import ALS
from common.utils.errors import UserError

READERS = 2
START, LAST = 300, 1_800
"""Seconds until the first save, and until all is done."""
FACTORS = (2, 3)
"""The two trainings that take turns have so many factors."""


def measure(loads: int, saves: int, folder: Path, notebook: Notebook) -> None:
    """Load a run's model and results in some processes while another one writes two trainings by turns."""
    name = f"{loads} loads, {saves} saves"
    if notebook.has("saves", name):
        return
    context = multiprocessing.get_context("spawn")
    stop, found = context.Event(), context.Queue()
    place = folder / "saves" / "synthetic" / "listen" / "als" / "smoke" / "seed0"
    writer = context.Process(target=_save, args=(place, folder / "data", saves, stop, found), daemon=True)
    writer.start()
    found.get(timeout=START)  # the first save is there
    readers = [
        context.Process(target=_load, args=(place, loads // READERS, found), daemon=True) for _ in range(READERS)
    ]
    for reader in readers:
        reader.start()
    counts = [found.get(timeout=LAST) for _ in readers]
    stop.set()
    saved = found.get(timeout=LAST)
    for process in (*readers, writer):
        process.join()
    total = {key: sum(count[key] for count in counts) for key in counts[0]}
    notebook.note("saves", name, saves=saved, **total)
    print(f"{name}: {saved} saves, {total}", flush=True)


def _save(place: Path, data_dir: Path, saves: int, stop: Event, found: Any) -> None:
    """Write two trainings by turns, at least `saves` times, until all loads are done."""
    values = dict(zip(DATA[2::2], DATA[3::2], strict=True))
    synthetic = SyntheticSettings(**{name.split(".")[1]: int(value) for name, value in values.items()})
    task = Task(load_dataset("synthetic", data_dir, synthetic), "listen")
    writes = [_prepared(task, factors) for factors in FACTORS]
    count = 0
    while count < saves or not stop.is_set():
        writes[count % 2](Run(place))
        count += 1
        if count == 1:
            found.put(count)
        time.sleep(0.005)
    found.put(count)


def _prepared(task: Task, factors: int) -> Callable[[Run], None]:
    model = ALS(factors=factors, iterations=1).fit(task.train)
    key = RunKey("synthetic", "listen", "als", "smoke", 0)
    config = run_config(key, "2_als", "listen", 0, model.settings, "data", task.train.split_sha256)
    evaluation = task.valid.evaluate(model)
    names = ("model", "stage", "preset", "dataset", "protocol", "split_seed", "seed", "split_sha256")
    record = evaluation.metrics | {name: config[name] for name in names} | {"config_sha256": hash_config(config)}
    curves = {"train/loss": [float(factors)]}
    return lambda run: run.write("valid", evaluation, record, config, model, curves)


def _load(place: Path, loads: int, found: Any) -> None:
    """Load model and settings; count what is of two trainings, what ended in a sentence, and what in a traceback."""
    counts = {"loads": 0, "mixed": 0, "sentences": 0, "tracebacks": 0}
    run = Run(place)
    for _ in range(loads):
        counts["loads"] += 1
        try:
            model = run.load(ALS)
            widths = {model.settings.factors, model.item_factors.shape[1], model._user_factors.shape[1]}
            counts["mixed"] += len(widths) > 1 or not np.isfinite(model.score(np.array([0]))).all()
        except UserError:
            counts["sentences"] += 1
        except Exception:
            counts["tracebacks"] += 1
    found.put(counts)


def table_row(notebook: Notebook) -> list[str]:
    """What came of the loads."""
    total = {
        key: sum(row[key] for row in notebook.of("saves"))
        for key in ("loads", "saves", "mixed", "sentences", "tracebacks")
    }
    what = f"{total['loads']:,} loads of a model by {READERS} processes during {total['saves']:,} saves of its run"
    came = f"{total['mixed']} mixed, {total['tracebacks']} tracebacks, {total['sentences']} refused in a sentence"
    return [what, came]
