"""What export and int8 quantisation cost: size, milliseconds a list, and NDCG@10 on validation, for each network.

    python -m benchmarks.export_quality --dataset lastfm-2k     # --runs sasrec@next two_tower hybrid_listnet forest

Every run is exported twice, as float32 and as int8, and scored through ONNX Runtime on the validation part; runs made
with `--phase select` are needed, since models that have seen validation are refused. Milliseconds are those of the
graph alone (of the NumPy network for the first row), one history at a time, on one thread, all variants by turns.
"""

import argparse
import copy
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from common.data.dataset import load_dataset
from common.evaluation.task import Task, evaluate, split
from common.experiments.flags import command
from common.experiments.outputs import Outputs
from common.models.inference.onnx_export import FORESTS, graphs
from common.models.inference.onnx_runtime import through_onnx
from common.models.registry import MODELS
from common.splits.histories import Query
from common.splits.store import parse_folder_name
from common.utils.environment import Seconds, use_one_thread
from common.utils.errors import UserError
from common.utils.io import ROOT

RUNS = ("sasrec@next", "two_tower", "hybrid_listnet", "forest", "hist_gradient")
LISTS = 100
"""Users whose lists are timed, one at a time."""
AS_IT_IS, FLOAT, INT8 = "NumPy", "ONNX float32", "ONNX int8"


class Variant(NamedTuple):
    """A model as it is or through ONNX, and the bytes of its graphs."""

    name: str
    model: Any
    size: int | None


class Figures(NamedTuple):
    """What was measured of a variant."""

    variant: Variant
    milliseconds: float
    ndcg: float
    per_user: np.ndarray
    lists: list[list[str]]


def variants(model: Any, folder: Path) -> list[Variant]:
    """The model itself, and what its exports make of it."""
    found = [Variant(AS_IT_IS, model, None)]
    for name, quantised in ((FLOAT, False), (INT8, True)):
        if quantised and model.name in FORESTS:
            continue
        own = folder / name.replace(" ", "-")
        own.mkdir()
        for file, one in graphs(model, quantised).items():
            (own / file).write_bytes(one.content)
        size = sum(path.stat().st_size for path in own.iterdir())
        found.append(Variant(name, through_onnx(model, own), size))
    return found


def call_of(variant: Variant, row: int) -> Callable[[], Any]:
    """The part of a list's making that a graph does, for one user."""
    model: Any = variant.model
    histories = model.histories.take([row])
    if model.name == "sasrec":
        return lambda: model.fold_in(histories)
    if model.name == "two_tower":
        return lambda: model.score(np.array([row]))
    candidates = model.candidates(Query(np.array([row]), histories))
    return lambda: model.ranker.order(candidates)


def timed(found: Sequence[Variant], n_users: int, turns: int = 3) -> list[float]:
    """Median milliseconds of processor time of each variant over some users, by turns."""
    rows = np.unique(np.linspace(0, n_users - 1, min(LISTS, n_users)).astype(int))
    spent: list[list[float]] = [[] for _ in found]
    for row in rows.tolist():
        calls = [call_of(variant, row) for variant in found]
        for turn in range(1 + turns):  # the first one warms up
            for own, call in zip(spent, calls, strict=True):
                start = Seconds.now()
                call()
                own += [(Seconds.now() - start).cpu] * (turn > 0)
    return [1000 * float(np.median(own)) for own in spent]


def measure(task: Task, model: Any) -> list[Figures]:
    """All figures of a model's variants."""
    if hasattr(model, "kept"):
        model.kept = {}  # the candidates of the users, which are the same for all variants
    with tempfile.TemporaryDirectory() as folder:
        found = variants(model, Path(folder))
        milliseconds = timed(found, task.train.n_users)
        return [_figures(task, variant, own) for variant, own in zip(found, milliseconds, strict=True)]


def _figures(task: Task, variant: Variant, milliseconds: float) -> Figures:
    evaluation = evaluate(copy.copy(variant.model), task.valid)
    top = evaluation.recommendations[evaluation.recommendations["rank"] <= 10]
    lists = top.groupby("user_id", observed=True)["item_id"].agg(lambda ids: list(map(str, ids))).tolist()
    per_user = evaluation.per_user["ndcg_10"].to_numpy(float)
    return Figures(variant, milliseconds, evaluation.metrics["ndcg_10"], per_user, lists)


def rows(figures: Sequence[Figures]) -> list[str]:
    """Lines of a Markdown table."""
    whole = next(one for one in figures if one.variant.name == FLOAT)
    lines = []
    for one in figures:
        size, of_whole = one.variant.size, whole.variant.size
        shown = "" if size is None or not of_whole else f"{size / 1e6:.2f} ({100 * size / of_whole:.1f}%)"
        change = f"{100 * (one.ndcg / whole.ndcg - 1):+.2f}%" if one is not whole else ""
        same = np.mean([a == b for a, b in zip(one.lists, figures[0].lists, strict=True)])
        cells = [one.variant.model.name, one.variant.name, shown, f"{one.milliseconds:.2f}", f"{one.ndcg:.5f}", change]
        lines.append(f"| {' | '.join([*cells, f'{100 * same:.1f}%'])} |")
    return lines


HEADER = (
    "| model | computed by | graphs, MB | CPU ms a list | NDCG@10, validation | against float32 | same top ten |\n"
    "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Export, score, print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="auto")
    parser.add_argument("--data-dir", type=Path, default=ROOT / "data")
    parser.add_argument("--output-dir", type=Path, default=ROOT / "outputs")
    parser.add_argument("--runs", nargs="+", default=RUNS, help="MODEL[/PRESET][@PROTOCOL]; listen without a protocol")
    flags = parser.parse_args(argv)
    use_one_thread()
    data = load_dataset(flags.dataset, flags.data_dir)
    print(HEADER)
    for word in flags.runs:
        name, _, protocol = word.partition("@")
        protocol = protocol or "listen"
        task = split(data, *parse_folder_name(protocol))
        run = Outputs(flags.output_dir).find(name, data.name, protocol)
        if run.newest == "test":
            raise UserError(f"{run.folder}: its model has seen validation; make runs with --phase select elsewhere")
        model = run.load(MODELS[run.key.model], task.train, inference_only=True)
        print("\n".join(rows(measure(task, model))), flush=True)


if __name__ == "__main__":
    main()
