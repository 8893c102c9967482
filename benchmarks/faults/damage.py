"""Every stored file of finished runs damaged in six ways: named in a sentence, never used, made anew by --resume."""

import contextlib
import importlib.util
import io
import shutil
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faults.compare import content_of
from benchmarks.faults.kills import DATA
from benchmarks.notebook import Notebook
from common.__main__ import main as command
from common.experiments.stored import run_files
from common.utils.io import ROOT, read_json, read_parquet, write_json, write_parquet

RUNS = {
    "als": ("2_als", ["--models", "als"]),
    "forest": ("3_random_forest_rank", ["--models", "forest", "--no-importance"]),
    "sasrec": ("4_sasrec", []),
}
"""What is damaged: a model of arrays, one of trees, one of a network; the stage of each, and its flags."""
NEVER_READ = ("log.txt", "measures.json")
"""Files that no command reads."""


def cut(path: Path, other: Path) -> None:
    """The last bytes are gone."""
    path.write_bytes(path.read_bytes()[:-9])


def emptied(path: Path, other: Path) -> None:
    """No byte is left."""
    path.write_bytes(b"")


def swapped(path: Path, other: Path) -> None:
    """Another run's file of that name, or of that kind."""
    shutil.copy(other, path)


def another_shape(path: Path, other: Path) -> None:
    """Sound as a file, but of fewer rows, columns or keys."""
    if path.suffix == ".json":
        write_json(path, [])
    elif path.suffix == ".parquet":
        write_parquet(path, read_parquet(path).iloc[:5, :2])
    else:
        _spoil(path, lambda array: array[:2])


def another_type(path: Path, other: Path) -> None:
    """Sound as a file, but text where numbers belong."""
    if path.suffix == ".json":
        write_json(path, dict.fromkeys(read_json(path), "text"))
    elif path.suffix == ".parquet":
        write_parquet(path, read_parquet(path).astype(str))
    else:
        _spoil(path, lambda array: np.zeros(array.shape, np.uint8))


def _spoil(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Other arrays in an .npz or .safetensors; a .skops is no file of arrays, and gets those of one."""
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file, save_file

        save_file({name: np.ascontiguousarray(change(array)) for name, array in load_file(path).items()}, path)
        return
    arrays = {"trees": np.arange(9.0)}
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as saved:
            arrays = {name: saved[name] if saved[name].ndim == 0 else change(saved[name]) for name in saved.files}
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def flipped(path: Path, other: Path) -> None:
    """One bit in the middle is another."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(bytes(content))


WAYS = (cut, emptied, swapped, another_shape, another_type, flipped)


def measure(runs: Sequence[str], folder: Path, notebook: Notebook) -> None:
    """Damage what is not noted yet, in a copy of finished runs."""
    work = folder / "damage"
    place = ["--data-dir", str(folder / "data"), "--output-dir", str(work / "outputs")]
    for name in RUNS:
        if not any(work.glob(f"outputs/*/listen/{name}/smoke/seed0/test/manifest.json")):
            _stage(name, place)
    original = work / "outputs"
    for name in runs:
        [run] = original.glob(f"*/listen/{name}/smoke/seed0")
        [other] = original.glob(f"*/listen/{'sasrec' if name == 'als' else 'als'}/smoke/seed0")
        for file in _stored(run):
            for way in WAYS:
                case = f"{name} {file} {way.__name__}"
                if not notebook.has("damage", case):
                    found = _damaged(name, run, other, file, way, folder)
                    notebook.note("damage", case, **found)
                    print(f"{case}: {found}", flush=True)


def _stored(run: Path) -> list[str]:
    """Every file of a run that a command may read: no figures, logs and checkpoints of what is finished."""
    files = (path.relative_to(run) for path in sorted(run.rglob("*")) if path.is_file())
    kept = [path for path in files if path.parts[0] not in ("figures", "training") and path.name not in NEVER_READ]
    return [path.as_posix() for path in kept]


def _damaged(
    name: str, run: Path, other: Path, file: str, way: Callable[[Path, Path], None], folder: Path
) -> dict[str, Any]:
    """Damage one file of a copy, ask everybody who reads it, and resume."""
    copy = folder / "damaged"
    shutil.rmtree(copy, ignore_errors=True)
    outputs = folder / "damage" / "outputs"
    shutil.copytree(outputs, copy / "outputs")
    path = copy / "outputs" / run.relative_to(outputs) / file
    before = content_of(path) if path.name != "manifest.json" else None
    way(path, other / file if (other / file).exists() else other / "model" / "model.json")
    place = ["--data-dir", str(folder / "data"), "--output-dir", str(copy / "outputs")]
    data = path.relative_to(copy / "outputs").parts[0]
    asked = {
        "report": lambda: command(["report", *DATA, *place, "--wandb", "disabled"]),
        "page": lambda: command(["page", *place]),
        "compare": lambda: command(["compare", "als", "sasrec", "forest", "--dataset", data, *place[2:]]),
        "recommend": lambda: _script("recommend")(
            ["--user", _user(outputs), "--model", name, "--preset", "smoke", *DATA, *place]
        ),
    }
    said, tracebacks = "", []
    for ask, call in asked.items():
        run_files._told.clear()  # each command is a process of its own
        text, failed = _heard(call)
        said += text
        tracebacks += [f"{ask}: {failed}"] if failed else []
    run_files._told.clear()
    text, failed = _heard(lambda: _stage(name, place, "--resume"))
    tracebacks += [f"resume: {failed}"] if failed else []
    named = path.name in said + text
    if before is None:  # a manifest has times in it: it has to vouch for its part again
        again = not run_files.RunFiles(path.parents[1]).fault(path.parent.name)
    else:
        again = path.exists() and content_of(path) == before
    return {"tracebacks": tracebacks, "silent": not named, "anew": again}


def _user(outputs: Path) -> str:
    [lists] = outputs.glob("*/listen/als/smoke/seed0/test/recommendations.parquet")
    return str(read_parquet(lists)["user_id"].iloc[0])


def _script(name: str) -> Callable[[list[str]], None]:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)  # flags take their help from its source
    spec.loader.exec_module(sys.modules[name])
    return sys.modules[name].main


def _stage(name: str, place: list[str], *more: str) -> None:
    stage, flags = RUNS[name]
    words = [*DATA, "--wandb", "disabled", "--protocol", "listen", "--preset", "smoke", *flags, *place, *more]
    _script(stage)(words)


def _heard(call: Callable[[], None]) -> tuple[str, str]:
    """What a command says, and the end of the traceback that it ends in, if it does."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            call()
        except SystemExit as stop:
            return said.getvalue(), "" if stop.code in (0, 2, None) else f"exit code {stop.code}"
        except BaseException:
            return said.getvalue(), traceback.format_exc()[-300:]
    return said.getvalue(), ""


def table_row(notebook: Notebook) -> list[str]:
    """What came of the damages."""
    rows = notebook.of("damage")
    files = len({row["name"].rsplit(" ", 1)[0] for row in rows})
    tracebacks, silent = (sum(bool(row[key]) for row in rows) for key in ("tracebacks", "silent"))
    anew = sum(row["anew"] for row in rows)
    what = (
        f"{files} stored files of finished runs, each damaged in {len(WAYS)} ways, read by report, page, compare and "
    )
    what += "recommend, then `--resume`"
    return [what, f"{tracebacks} tracebacks, {silent} silent uses; {anew} of {len(rows)} made anew"]
