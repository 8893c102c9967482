"""Generated logs, the ten steps that prepare them, and what the steps found against the ledger."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.notebook import Notebook
from benchmarks.scale.child import OverTimeError, cpu_seconds, measured
from benchmarks.scale.sizes import Size, size_of
from common.data.synthetic.raw.comparison import compare_steps
from common.data.synthetic.raw.ledger import find_cut
from common.data.synthetic.raw.logs import NOTES, ledger_of, make_ledger, missing_files, write_one
from common.data.synthetic.raw.texts import Texts
from common.data.synthetic.raw.world import RawLogSettings, build_world
from common.utils.io import read_json, write_json

KEPT = ("step", "rows_in", "rows_out", "dropped", "seconds", "cpu_seconds", "peak_mb")
"""What is noted of a step."""
COSTS = "costs.json"


def make_files(folder: str, log: dict[str, Any]) -> dict[str, Any]:
    """Write the raw files that are missing; CPU seconds of each are kept, so that those of all can be told."""
    world, place = build_world(RawLogSettings(**log)), Path(folder)
    texts, path = Texts(world), place / NOTES / COSTS
    costs = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for file in missing_files(world, place):
        before = cpu_seconds() if file else 0.0  # the texts belong to the first
        costs[str(file)] = (write_one(world, texts, file, place), cpu_seconds() - before)[1]
        write_json(path, costs)
    return {"files_cpu_seconds": round(sum(costs.values()), 2), "bytes": size_of(place), "files": world.files}


def write_ledger(folder: str, log: dict[str, Any]) -> dict[str, Any]:
    """Count what was planted, user by user."""
    world = build_world(RawLogSettings(**log))
    ledger = make_ledger(world, Path(folder), find_cut(world))
    write_json(ledger_of(Path(folder)), ledger)
    pairs = sum(part["new_pairs"] for part in ledger["aggregate_interactions"].values())
    return {"rows": ledger["scan"]["rows"], "pairs": pairs, **ledger["write_tables"]}


def prepare_files(raw: str, out: str, memory: str) -> dict[str, Any]:
    """Run the steps that are not done yet."""
    from common.data.preparation.pipeline import prepare
    from common.utils import memory as limits

    limits.use(memory)
    prepare([Path(raw)], Path(out))
    return {}


def generate(size: Size, notebook: Notebook) -> None:
    """Part `generate`: the raw files and, by the side, the ledger."""
    size.raw.mkdir(parents=True, exist_ok=True)
    files = measured("logs.make_files", folder=size.raw, log=size.log) | {"rows": 0}
    if not notebook.has("generate", size.name):
        counted = measured("logs.write_ledger", folder=size.raw, log=size.log)
        notebook.note(
            *("generate", size.name),
            rows=counted["rows"],
            pairs=counted["pairs"],
            users=counted["users"],
            items=counted["items"],
            cpu_seconds=files["files_cpu_seconds"],
            ledger_cpu_seconds=counted["cpu_seconds"],
            peak_mb=max(files["peak_mb"], counted["peak_mb"]),
            bytes=files["bytes"],
        )


def ensure_raw(size: Size, notebook: Notebook) -> None:
    """Make the raw files anew where some are gone."""
    world = build_world(RawLogSettings(**size.log))
    if missing_files(world, size.raw) or not ledger_of(size.raw).exists():
        generate(size, notebook)
        if not ledger_of(size.raw).exists():
            measured("logs.write_ledger", folder=size.raw, log=size.log)


def prepare(size: Size, notebook: Notebook, deadline: float) -> None:
    """Part `prepare`: the ten steps, each noted when it ends; after the deadline none is begun any more."""
    if not is_prepared(size):
        ensure_raw(size, notebook)
    seen = len(_steps(size))

    def look() -> None:
        nonlocal seen
        steps = _steps(size)
        for step in steps[seen:]:
            _note(size, notebook, step)
        if len(steps) > seen and time.monotonic() > deadline and len(steps) < 10:
            raise OverTimeError
        seen = len(steps)

    took = measured(*("logs.prepare_files", size.prepared, look), raw=size.raw, out=size.prepared, memory=size.memory)
    for step in _steps(size):
        _note(size, notebook, step)
    compared, wrong = compare_steps(read_json(ledger_of(size.raw)), _steps(size))
    notebook.note("ledger", size.name, compared=compared, wrong=wrong)
    notebook.note(
        *("prepare", size.name),
        peak_mb=max(step["peak_mb"] for step in _steps(size)),
        cpu_seconds=round(sum(step["cpu_seconds"] for step in _steps(size)), 2),
        disk_mb=max(took["disk_mb"], round(most_held(_steps(size)) / 1e6, 1)),
        data_set_mb=round(size_of(size.prepared) / 1e6, 1),
        memory=size.memory,
    )


def _note(size: Size, notebook: Notebook, step: dict[str, Any]) -> None:
    name = f"{size.name} {step['step']}"
    if not notebook.has("step", name):
        notebook.note("step", name, size=size.name, **{key: step[key] for key in KEPT})


def most_held(steps: list[dict[str, Any]]) -> int:
    """Bytes that tables took when a step had written its own and what it had read was not yet deleted, at the most.

    What was seen of the folder belongs to the last of several starts.
    """
    from common.data.preparation.pipeline import TEN_STEPS, needed_later

    held, most = Counter[str](), 0
    for number, entry in enumerate(steps, 1):
        written: Counter[str] = Counter()
        for name, size in entry["files"].items():
            written[name.split("/")[0]] += size
        most = max(most, held.total() + written.total())
        needed = needed_later(TEN_STEPS[number:])
        held = Counter({table: size for table, size in {**held, **written}.items() if table in needed})
    return most


def _steps(size: Size) -> list[dict[str, Any]]:
    """What the steps that are done say of themselves."""
    try:
        steps: list[dict[str, Any]] = json.loads((size.prepared / "steps.json").read_text(encoding="utf-8"))["steps"]
    except (OSError, ValueError):
        return []
    return steps


def is_prepared(size: Size) -> bool:
    """Whether all steps are done and the data set is there."""
    return len(_steps(size)) == 10 and (size.prepared / "manifest.json").exists()
