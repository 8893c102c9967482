"""What every stage writes for the tiny generated data, the same bit for bit as when it was frozen.

`tests/frozen.json` holds hashes of the contents of all files of all runs: tables, metrics, settings, curves, arrays of
saved models and of checkpoints, with their names. What passes (times, memory, commit, machine) is left out, and so are
pictures, which are not painted. Only a change that is meant to change results may write the file anew:

    python -m tests.test_frozen --write

Another processor or another version of a library may round otherwise, so the values hold for one kind of place only,
noted beside them; elsewhere the test is skipped. There, write the file anew from the frozen code first.
"""

import argparse
import hashlib
import io
import json
import platform
import re
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from safetensors.numpy import load_file
from threadpoolctl import threadpool_info, threadpool_limits

from tests.stages import stage

FROZEN = Path(__file__).with_name("frozen.json")
DATA = ("--dataset", "synthetic", "--synthetic.users", "60", "--synthetic.items", "200", "--synthetic.seed", "1")
SMOKE: dict[str, tuple[str, ...]] = {
    "1_knn_baseline.py": (),
    "2_als.py": (),
    "3_random_forest_rank.py": (),
    "4_sasrec.py": ("--sasrec.epochs", "2"),
    "5_two_tower.py": ("--two-tower.epochs", "2"),
    "6_hybrid_listnet.py": ("--hybrid-listnet.epochs", "1"),
}
"""The stages with models, and what each takes besides the preset."""
PASSING = {
    *("fit_seconds", "fit_cpu_seconds", "recommend_ms_per_user", "rerank_ms_per_user", "train_seconds"),
    *("seconds", "seconds_to_best", "examples_per_second", "peak_rss_mb"),
    *("commit", "dirty", "machine", "versions", "threads", "device"),
}
"""Keys of JSON files whose values may differ between two runs of the same command."""
LIBRARIES = ("numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "implicit", "torch", "faiss-cpu")
Found = dict[str, Any]


def run_all(folder: Path) -> None:
    """Every command in order, data and results under `folder`, no figure painted."""
    from common.cli.rerank import main as rerank

    flags = (*DATA, "--data-dir", str(folder / "data"), "--output-dir", str(folder / "out"), "--wandb", "disabled")
    with pytest.MonkeyPatch.context() as patched, threadpool_limits(1):
        patched.setattr(Figure, "savefig", lambda *_, **__: None)
        stage("0_explore.py")(flags)
        for protocol in ("listen", "next"):
            for script, own in SMOKE.items():
                stage(script)([*flags, "--preset", "smoke", "--protocol", protocol, *own])
            rerank([*flags, "--protocol", protocol, "--run", "als", "--methods", "mmr", "novelty"])
        for script in ("2_als.py", "5_two_tower.py"):
            newcomer = ("--preset", "smoke", "--protocol", "newcomer", "--phase", "select")
            stage(script)([*flags, *newcomer, *SMOKE[script]])


def read(folder: Path) -> Found:
    """All that `run_all` has left under a folder, as it stands in the frozen file."""
    [data], [results] = (folder / "data").iterdir(), (folder / "out").iterdir()
    found: Found = {"data": of_data(data), "runs": {}, "others": {}}
    for path in sorted(path for path in results.rglob("*") if path.is_file()):
        parts = path.relative_to(results).parts
        for name, value in of_file(path).items():
            if len(parts) > 4 and parts[3].startswith("seed"):
                run, part = "/".join(parts[:4]), parts[4] if len(parts) > 5 else "run"
                place = "/".join([*parts[5:-1], name]) if len(parts) > 5 else name
                found["runs"].setdefault(run, {}).setdefault(part, {})[place] = value
            else:
                found["others"]["/".join([*parts[:-1], name])] = value
    return found


def of_data(folder: Path) -> dict[str, str]:
    """The prepared data: the hashes it states itself, and the contents of its tables."""
    stated = {"name": folder.name, "manifest": json.loads((folder / "manifest.json").read_text())["sha256"]}
    for path in sorted(folder.glob("splits/*/split.json")):
        stated[f"split {path.parent.name}"] = json.loads(path.read_text())["split_sha256"]
    return stated | {str(path.relative_to(folder)): of_table(path) for path in sorted(folder.rglob("*.parquet"))}


def of_file(path: Path) -> dict[str, Any]:
    """What is frozen of a file, by name; nothing of a picture, a log or a table made for the eye."""
    if path.suffix == ".parquet":
        return {path.name: of_table(path)}
    if path.suffix == ".json":
        content = json.loads(path.read_text(encoding="utf-8"))
        told = {k: content[k] for k in ("config_sha256", "ndcg_10") if path.name == "metrics.json"}
        return told | {path.name: digest(json.dumps(lasting(content), sort_keys=True).encode())}
    if path.suffix in (".npz", ".safetensors", ".skops"):
        arrays = sorted(of_arrays(path).items())
        shapes = [(name, str(array.dtype), array.shape) for name, array in arrays]
        names = digest(json.dumps(shapes).encode())
        return {path.name: digest(*(raw(array) for _, array in arrays)), f"{path.name} names and shapes": names}
    if path.suffix == ".faiss":
        return {path.name: digest(path.read_bytes())}
    assert path.suffix in (".png", ".txt", ".md", ".csv"), f"{path.name}: say here what is frozen of such a file"
    return {}


def of_table(path: Path) -> str:
    """Hash of a table's columns in order: names, types and values; categories count as their strings."""
    frame, parts = pd.read_parquet(path), []
    for name, column in frame.items():
        if isinstance(column.dtype, np.dtype) and column.dtype != object:
            kind, content = column.dtype.str, column.to_numpy().tobytes()
        else:
            kind = "category" if isinstance(column.dtype, pd.CategoricalDtype) else "text"
            values = column.astype(object)
            content = json.dumps(values.where(values.notna(), None).tolist()).encode()
        parts += [str(name).encode(), kind.encode(), content]
    return digest(*parts)


def of_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name; those of scikit-learn's models, named at random there, in order of contents."""
    if path.suffix == ".safetensors":
        return load_file(path)
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    with zipfile.ZipFile(path) as packed:
        names = [name for name in packed.namelist() if name.endswith(".npy")]
        arrays = [np.load(io.BytesIO(packed.read(name)), allow_pickle=False) for name in names]
    arrays.sort(key=lambda array: digest(str(array.dtype).encode(), str(array.shape).encode(), raw(array)))
    return {f"{place:06}": array for place, array in enumerate(arrays)}


def raw(array: np.ndarray) -> bytes:
    """The bytes of an array, without what lies between the fields of a record."""
    fields = array.dtype.names
    return b"".join(array[field].tobytes() for field in fields) if fields else array.tobytes()


def lasting(content: Any) -> Any:
    """JSON without what passes, at any depth."""
    if isinstance(content, dict):
        return {key: lasting(value) for key, value in content.items() if key not in PASSING}
    return [lasting(value) for value in content] if isinstance(content, list) else content


def digest(*parts: bytes) -> str:
    """SHA-256 of parts and of where each ends."""
    made = hashlib.sha256()
    for part in parts:
        made.update(len(part).to_bytes(8, "big") + part)
    return made.hexdigest()


def here() -> dict[str, str]:
    """What rounding depends on: versions, and the kind of processor that numpy and torch compute for."""
    kernels = [found.get("architecture", "unknown") for found in threadpool_info() if "numpy" in found["filepath"]]
    found = {"python": platform.python_version(), "numpy's BLAS": kernels[0] if kernels else "unknown"}
    return found | {"torch's CPU": torch.backends.cpu.get_cpu_capability()} | {n: version(n) for n in LIBRARIES}


def processor() -> str:
    """What the system calls its processor; told, not compared."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    told = dict(re.split(r"\s*:\s*", line, maxsplit=1) for line in lines if ":" in line)
    return f"{told.get('model name', platform.machine())}, model {told.get('model', 'unknown')}"


def differences(before: Any, now: Any, place: str = "") -> Iterator[str]:
    """Every place where two frozen contents are not the same."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in [*before, *(key for key in now if key not in before)]:
            where = f"{place} > {key}" if place else key
            if key in before and key in now:
                yield from differences(before[key], now[key], where)
            else:
                yield f"{where}: {'is new' if key in now else 'is missing'}"
    elif before != now:
        yield f"{place}: {before} before, {now} now"


def test_everything_is_as_it_was_frozen(tmp_path, capsys):
    frozen = json.loads(FROZEN.read_text(encoding="utf-8"))
    if other := list(differences(frozen["place"], here())):
        pytest.skip(f"frozen in another place, where numbers may be rounded otherwise: {'; '.join(other)}")
    run_all(tmp_path)
    capsys.readouterr()  # pages of what the commands say would bury what differs
    found = list(differences({key: frozen[key] for key in ("data", "runs", "others")}, read(tmp_path)))
    told = f"not as at {frozen['commit']}, frozen on {frozen['processor']}, now on {processor()}"
    if found:
        pytest.fail("\n".join([f"{len(found)} values {told}:", *found]), pytrace=False)


def test_what_differs_is_named():
    before = {"runs": {"listen/als": {"valid": {"a": "1", "b": "2"}}, "next/als": {}}}
    now = {"runs": {"listen/als": {"valid": {"a": "3", "c": "4"}}}}
    assert list(differences(before, before)) == []
    assert list(differences(before, now)) == [
        "runs > listen/als > valid > a: 1 before, 3 now",
        "runs > listen/als > valid > b: is missing",
        "runs > listen/als > valid > c: is new",
        "runs > next/als: is missing",
    ]


def test_a_table_is_its_names_types_order_and_values(tmp_path):
    frame = pd.DataFrame({"who": pd.Categorical(["b", "a"]), "score": np.array([0.1, 0.2], dtype="float32")})
    changed = [
        frame.rename(columns={"who": "user"}),
        frame[["score", "who"]],
        frame.iloc[::-1],
        frame.assign(who=["b", "a"]),
        frame.assign(score=frame["score"].astype("float64")),
        frame.assign(score=np.nextafter(frame["score"].to_numpy(), np.float32(1))),
    ]
    hashes = []
    for place, table in enumerate([frame, frame.assign(who=pd.Categorical(["b", "a"], ["b", "a", "c"])), *changed]):
        table.to_parquet(tmp_path / f"{place}.parquet", index=False)
        hashes.append(of_table(tmp_path / f"{place}.parquet"))
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 1 + len(changed)


def write(path: Path) -> None:
    """Run everything and freeze what it gives."""
    commit = subprocess.run(["git", "rev-parse", "--short=7", "HEAD"], capture_output=True, text=True, check=True)
    with tempfile.TemporaryDirectory() as folder:
        run_all(Path(folder))
        found = read(Path(folder))
    content = {"commit": commit.stdout.strip(), "place": here(), "processor": processor(), **found}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    reader = argparse.ArgumentParser(description="Run everything and freeze what it gives.")
    reader.add_argument("--write", nargs="?", type=Path, const=FROZEN, required=True, help="tests/frozen.json if bare")
    write(reader.parse_args().write)
