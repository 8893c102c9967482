"""Exported models asked through ONNX Runtime, on the CPU: the scores that the models themselves would give."""

import copy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from common.models.base import Recommender, as_histories
from common.models.inference.onnx_graph import NEEDED
from common.models.neural.sasrec.batches import reorder
from common.splits.histories import Histories
from common.utils.environment import threads
from common.utils.errors import UserError

AT_ONCE = 64
"""Histories that go through a graph together."""


def runtime() -> Any:
    """The library; a UserError where it is not installed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(f"exported models need onnxruntime; install it: {NEEDED}") from error
    return onnxruntime


def session(content: bytes | Path) -> Any:
    """An exported graph, ready to be run, from its file or its bytes."""
    library = runtime()
    options = library.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads(), 3
    given = str(content) if isinstance(content, Path) else content
    return library.InferenceSession(given, options, providers=["CPUExecutionProvider"])


def padded(histories: Histories, most: int | None = None) -> np.ndarray:
    """The last `most` events of each history (None: all) as graphs take them, int64 (users, longest)."""
    lengths = histories.lengths if most is None else np.minimum(histories.lengths, most)
    width = max(1, int(lengths.max(initial=1)))
    cells = np.full((len(histories), width), -1, np.int64)
    kept = histories.from_end < width
    cells[histories.rows[kept], width - 1 - histories.from_end[kept]] = histories.items[kept]
    return cells


def in_blocks(histories: Histories, most: int | None, run: Any) -> np.ndarray:
    """What `run` makes of padded histories and their rows, some at a time, put together."""
    rows = np.arange(len(histories))
    blocks = np.split(rows, range(AT_ONCE, len(rows), AT_ONCE))
    return np.concatenate([run(padded(histories.take(block), most), block) for block in blocks])


def through_onnx(model: Recommender, folder: Path) -> Recommender:
    """The same model, but that what was exported into a folder computes its scores."""
    ways = {"sasrec": _sasrec, "two_tower": _two_tower, "hybrid_listnet": _hybrid}
    other = copy.copy(model)
    ways.get(model.name, _trees)(other, folder)
    return other


def _sasrec(model: Any, folder: Path) -> None:
    run = session(folder / "sasrec.onnx").run

    def fold_in(histories: Any) -> np.ndarray:
        ordered = reorder(as_histories(histories, model.histories.n_items), model.settings.order, None)
        return in_blocks(ordered, model.settings.length, lambda cells, _: run(["scores"], {"items": cells})[0])

    model.fold_in = fold_in


def _two_tower(model: Any, folder: Path) -> None:
    users = session(folder / "user_tower.onnx").run

    def vectors_of(histories: Histories, attributes: np.ndarray, what: str = "vectors") -> np.ndarray:
        def run(cells: np.ndarray, rows: np.ndarray) -> np.ndarray:
            return users([what], {"items": cells, "attributes": attributes[rows].astype(np.float32)})[0]

        return in_blocks(histories, None, run)

    def score(codes: np.ndarray) -> np.ndarray:
        return vectors_of(model.histories.take(codes), model.attributes[codes], "scores")

    @cache
    def item_vectors() -> np.ndarray:
        nobody = {"items": np.full((1, 1), -1), "attributes": np.zeros((1, model.attributes.shape[1]), np.float32)}
        return users(["item_vectors"], nobody)[0]

    model._vectors, model.score, model.item_vectors = vectors_of, score, item_vectors


def _hybrid(model: Any, folder: Path) -> None:
    ranker = copy.copy(model.ranker)
    run = session(folder / "hybrid_listnet.onnx").run

    def outputs(users: np.ndarray, items: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        given = {"features": features.astype(np.float32), "users": users.astype(np.int64)}
        ranks, plays = run(["ranks", "plays"], given | {"items": items.astype(np.int64)})
        return ranks, plays

    ranker._outputs = outputs
    model.ranker = ranker


class OnnxTrees:
    """Exported trees in the place of `Trees`."""

    def __init__(self, path: Path) -> None:
        self.run = session(path).run

    def predict(self, features: np.ndarray) -> np.ndarray:
        """What the trees predict, float32 (rows,)."""
        return self.run(["predictions"], {"features": features.astype(np.float32)})[0].astype(np.float32)


def _trees(model: Any, folder: Path) -> None:
    ranker = copy.copy(model.ranker)
    for name, part in (("trees", "ranker"), ("plays_trees", "plays")):
        path = folder / f"{part}.onnx"
        setattr(ranker, name, OnnxTrees(path) if path.exists() else None)
    model.ranker = ranker
