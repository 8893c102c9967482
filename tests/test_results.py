"""What every stage writes for the tiny generated data: the files, their columns and shapes, and figures within bounds.

`tests/results.json` holds all of it but what passes (times, memory, commit, machine). Names of files, columns, settings
and metrics, and numbers of rows are exact; figures may move a little, since another processor rounds otherwise. Where
it makes trees or networks end elsewhere, a list holds the value of each make of processor (Intel, AMD), of which
`--write` knows its own alone. Only a
change that is meant to change results may write the file anew, and `docs/log.md` says why:

    python -m tests.test_results --write
"""

import argparse
import json
import math
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from safetensors.numpy import load_file
from threadpoolctl import threadpool_limits

from common.cli.rerank import main as rerank
from common.splits.store import load_split
from tests.stages import stage

RESULTS = Path(__file__).with_name("results.json")
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
    *("config_sha256", "data_sha256", "split_sha256", "lists_of"),
}
"""Keys of JSON files that differ between two runs, or between two machines."""
EXACT, TRAINED = 1e-4, 0.05
"""How far a figure may move: of models in closed form, and of those that are trained in many rounded steps."""
SMALL_FIGURE = 0.01
"""How far a figure near 0 may move at most."""
IN_CLOSED_FORM = {
    *("random", "popularity", "trending", "content_knn", "tag_knn"),
    *("user_knn", "item_knn", "hybrid_knn", "ease"),
}
CACHE = "cross_fits"
"""A folder whose names hash the code and the libraries, too."""
SPLITS = {
    "listen": "42e249b76492a8dd",
    "next": "cfec61a778a96340",
    "next-shuffled": "e29b2ac6d03735ad",
    "newcomer": "5865c9283bd5e3b7",
    "temporal": "ca5680075113c4e8",
    "random-8020": "8b4cfc108f44cfe4",
    "random-811": "5dd1f7e07634474f",
    "listen-stratified": "f844a08dd5e01010",
}
"""How the hash of each split of the generated data begins: what is drawn stays what it was."""
METRICS = ("ndcg_10", "hr_10", "recall_20", "coverage_10", "plays_r2")
Found = dict[str, Any]


def run_all(folder: Path) -> None:
    """Every command in order, data and results under `folder`, no figure painted."""
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
    """What `run_all` has left under a folder: {path of a file: what is held of it}."""
    [results] = (folder / "out").iterdir()
    found = {}
    for path in sorted(path for path in results.rglob("*") if path.is_file() and CACHE not in path.parts):
        name = re.sub(r"-\d{5}-\d{7}|-[0-9a-f]{12}\b", "-*", path.relative_to(results).as_posix())
        found[name] = of_file(path)
    return found


def of_file(path: Path) -> Found:
    """{"shape": columns, keys or arrays; "rows" of a table; "values" of settings and of the main metrics}."""
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path)
        return {"rows": len(frame), "shape": {name: kind(column) for name, column in frame.items()}}
    if path.suffix == ".json":
        content = lasting(json.loads(path.read_text(encoding="utf-8")))
        held = {"config.json": content, "metrics.json": {key: content[key] for key in METRICS if key in content}}
        return {"shape": sorted(content)} | ({"values": held[path.name]} if path.name in held else {})
    if path.suffix == ".safetensors":
        return {"shape": {name: f"{array.dtype}{array.shape}" for name, array in sorted(load_file(path).items())}}
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as stored:
            return {"shape": {name: f"{stored[name].dtype}{stored[name].shape}" for name in sorted(stored.files)}}
    return {"shape": path.suffix}


def packed(found: Found) -> str:
    """As JSON with a line per file; shapes that several files have stand in it once."""
    shapes: list[str] = []
    for held in found.values():
        if (shape := json.dumps(held["shape"])) not in shapes:
            shapes.append(shape)
    files = {n: json.dumps({**held, "shape": shapes.index(json.dumps(held["shape"]))}) for n, held in found.items()}
    lines = ",\n".join(f"{json.dumps(name)}: {held}" for name, held in files.items())
    return "\n".join(['{"shapes": [', ",\n".join(shapes), '], "files": {', lines, "}}", ""])


def unpacked(text: str) -> Found:
    """What was packed."""
    content = json.loads(text)
    return {name: {**held, "shape": content["shapes"][held["shape"]]} for name, held in content["files"].items()}


def kind(column: pd.Series) -> str:
    """The type of a column as a reader of the file meets it."""
    if isinstance(column.dtype, np.dtype) and column.dtype != object:
        return str(column.dtype)
    return "category" if isinstance(column.dtype, pd.CategoricalDtype) else "text"


def lasting(content: Any) -> Any:
    """JSON without what passes, at any depth."""
    if isinstance(content, dict):
        return {key: lasting(value) for key, value in content.items() if key not in PASSING}
    return [lasting(value) for value in content] if isinstance(content, list) else content


def bound(name: str) -> float:
    """How far the figures of a file may move."""
    return EXACT if name.split("/")[1] in IN_CLOSED_FORM else TRAINED


def differences(before: Any, now: Any, most: float, place: str = "") -> Iterator[str]:
    """Every place where two contents differ, numbers with a fraction by more than `most`."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in [*before, *(key for key in now if key not in before)]:
            where = f"{place} > {key}" if place else key
            if key in before and key in now:
                yield from differences(before[key], now[key], most, where)
            else:
                yield f"{where}: {'is new' if key in now else 'is missing'}"
    elif isinstance(before, list) and isinstance(now, float):  # one value for each make of processor
        tried = [list(differences(value, now, most, place)) for value in before]
        yield from min(tried, key=len)
    elif isinstance(before, float) and isinstance(now, float):
        if not math.isclose(before, now, rel_tol=most, abs_tol=min(most, SMALL_FIGURE)) and not (
            math.isnan(before) and math.isnan(now)
        ):
            yield f"{place}: {before} before, {now} now"
    elif before != now:
        yield f"{place}: {before} before, {now} now"


@pytest.mark.thorough
def test_results_keep_their_shape_and_their_figures(tmp_path, capsys):
    before = unpacked(RESULTS.read_text(encoding="utf-8"))
    run_all(tmp_path)
    capsys.readouterr()  # pages of what the commands say would bury what differs
    now = read(tmp_path)
    found = list(differences(dict.fromkeys(before), dict.fromkeys(now), 0))
    for name in before.keys() & now.keys():
        settings = name.endswith("config.json")
        found += differences(before[name], now[name], 0 if settings else bound(name), name)
    if found:
        pytest.fail("\n".join([f"{len(found)} differences:", *sorted(found)]), pytrace=False)


@pytest.mark.parametrize("protocol", SPLITS)
def test_the_same_pairs_are_held_out(small_data, protocol):
    assert load_split(small_data, protocol).info["split_sha256"].startswith(SPLITS[protocol])


def test_what_differs_is_named():
    before = {"a": 1, "b": 0.5, "c": {"d": "x"}, "e": float("nan"), "f": [1, 2]}
    assert list(differences(before, {**before, "b": 0.5001}, 1e-3)) == []
    now = {"a": 2, "b": 0.6, "c": {"d": "y", "n": 1}, "f": [2, 1]}
    assert list(differences(before, now, 1e-3)) == [
        "a: 1 before, 2 now",
        "b: 0.5 before, 0.6 now",
        "c > d: x before, y now",
        "c > n: is new",
        "e: is missing",
        "f: [1, 2] before, [2, 1] now",
    ]


def test_packing_loses_nothing():
    found = {"a": {"shape": ["x"], "rows": 3}, "b": {"shape": ["x"], "values": {"ndcg_10": 0.5}}, "c": {"shape": ".md"}}
    assert unpacked(packed(found)) == found


def test_models_in_closed_form_keep_their_figures_to_four_digits():
    assert bound("listen/ease/smoke/seed0/test/metrics.json") == EXACT
    assert bound("next/sasrec/smoke/seed0/test/metrics.json") == TRAINED
    assert bound("listen/leaderboard.json") == TRAINED


if __name__ == "__main__":
    reader = argparse.ArgumentParser(description="Run everything and keep what it gives.")
    reader.add_argument(
        "--write", nargs="?", type=Path, const=RESULTS, required=True, help="tests/results.json if bare"
    )
    target = reader.parse_args().write
    with tempfile.TemporaryDirectory() as made:
        run_all(Path(made))
        target.write_text(packed(read(Path(made))), encoding="utf-8")
