"""Fitted trees: kept on disk by skops, read back without it, and walked without scikit-learn's checks.

The candidates of one person are a few hundred rows. scikit-learn's `predict` spends longer on checking and preparing
them than its trees take to answer, and importing skops, which looks through all of scikit-learn and torch, takes longer
than everything else that a first answer needs. So the trees are taken out of a saved file as what they are, arrays, and
asked directly; what they say is the same, bit for bit. Files are written by skops, and whoever wants the estimator
itself gets it from there.
"""

import io
import json
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from common.machine import threads

TRUSTED = (
    "sklearn.tree._tree.Tree",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
"""What a saved estimator may hold beside what skops trusts by itself: scikit-learn's own trees, nothing else."""
NOTHING = ("builtins", "str")
"""How skops calls a saved None, and any other plain value."""
ALONE = 2048
"""Rows that are not worth a thread of their own."""


class Walk(Protocol):
    """What trees say of rows, float64 (rows,)."""

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Walk every row down every tree."""


@dataclass(frozen=True)
class ForestWalk:
    """The mean of regression trees, added up one after the other."""

    trees: Sequence[Any]
    """scikit-learn's compiled trees."""

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Mean over the trees of the leaves' values."""
        rows, total = np.ascontiguousarray(features, np.float32), np.zeros(len(features))
        for leaf_of, values in self._leaves:
            total += values.take(leaf_of(rows))
        return total / len(self.trees)

    @cached_property
    def _leaves(self) -> list[tuple[Any, np.ndarray]]:
        """Of each tree what finds the leaf of a row, and the values of its nodes."""
        return [(tree.apply, tree.value[:, 0, 0].copy()) for tree in self.trees]


@dataclass(frozen=True)
class BoostedWalk:
    """The sum of boosted trees without categories."""

    trees: Sequence[Any]
    """scikit-learn's predictors."""
    start: float
    """What the sum starts from."""
    shares: bool
    """Whether the sum is a logit, to be turned into a share."""

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Sum over the trees of the leaves' values."""
        from scipy.special import expit

        rows, total = np.ascontiguousarray(features, np.float64), np.full(len(features), self.start)
        no_categories = np.zeros((0, 8), np.uint32), np.zeros(rows.shape[1], np.uint32)
        for tree in self.trees:
            total += tree.predict(rows, *no_categories, n_threads=1)
        return expit(total) if self.shares else total


class Trees:
    """Fitted or saved trees."""

    def __init__(self, walk: Walk, estimator: Any = None, file: bytes = b"") -> None:
        self.walk, self._fitted, self._file = walk, estimator, file

    @classmethod
    def of(cls, estimator: Any) -> Self:
        """The trees of a fitted random forest or histogram gradient boosting of scikit-learn."""
        if hasattr(estimator, "estimators_"):
            return cls(ForestWalk([tree.tree_ for tree in estimator.estimators_]), estimator)
        trees = [tree for (tree,) in estimator._predictors]
        start = float(estimator._baseline_prediction.item())
        return cls(BoostedWalk(trees, start, hasattr(estimator, "predict_proba")), estimator)

    @cached_property
    def estimator(self) -> Any:
        """scikit-learn's estimator; of a saved one only types in TRUSTED are built."""
        if self._fitted is not None:
            return self._fitted
        from skops import io as skops

        return skops.loads(self._file, trusted=list(TRUSTED))

    def predict(self, features: np.ndarray) -> np.ndarray:
        """What the trees predict, float32 (rows,), many rows spread over threads."""
        parts = min(threads(), 1 + len(features) // ALONE)
        if parts == 1:
            return self.walk(features).astype(np.float32)
        with ThreadPoolExecutor(parts) as pool:
            return np.concatenate(list(pool.map(self.walk, np.array_split(features, parts)))).astype(np.float32)


def as_bytes(trees: Trees | None) -> bytes:
    """What is kept of trees, or of None, in a file."""
    from skops import io as skops

    return skops.dumps(None if trees is None else trees.estimator)


def read_trees(path: Path) -> Trees | None:
    """What `as_bytes` was given; whatever is not such a file raises ValueError, KeyError, OSError or BadZipFile."""
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema = json.loads(archive.read("schema.json"))
        kind = schema["__module__"], schema["__class__"]
        if kind == NOTHING and schema["content"] == "null":
            return None
        read = {"RandomForestRegressor": _read_forest}.get(kind[1], _read_boosted)
        if not kind[0].startswith("sklearn.ensemble."):
            raise ValueError(f"{path} holds no trees")
        return Trees(read(_Saved(archive), _attributes(schema)), file=content)


@dataclass(frozen=True)
class _Saved:
    """The arrays and plain values of an archive of skops; nothing in it is run or built."""

    archive: zipfile.ZipFile

    def array(self, node: dict[str, Any]) -> np.ndarray:
        """An array."""
        return np.lib.format.read_array(io.BytesIO(self.archive.read(node["file"])), allow_pickle=False)

    def value(self, node: dict[str, Any]) -> Any:
        """A number, an array or what else JSON holds."""
        return self.array(node) if "file" in node else json.loads(node["content"])


def _attributes(node: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a saved object, as nodes."""
    return dict(node["content"]["content"])


def _read_forest(saved: _Saved, forest: dict[str, Any]) -> ForestWalk:
    from sklearn.tree._tree import Tree

    trees, columns = [], json.loads(forest["n_features_in_"]["content"])
    for node in forest["estimators_"]["content"]:
        state = _attributes(_attributes(node)["tree_"])
        tree = Tree(columns, np.ones(1, np.intp), 1)
        tree.__setstate__({name: saved.value(part) for name, part in state.items()})
        trees.append(tree)
    return ForestWalk(trees)


def _read_boosted(saved: _Saved, boosted: dict[str, Any]) -> BoostedWalk:
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

    trees = []
    for step in boosted["_predictors"]["content"]:
        (node,) = step["content"]
        trees.append(TreePredictor(**{name: saved.array(part) for name, part in _attributes(node).items()}))
    return BoostedWalk(trees, saved.array(boosted["_baseline_prediction"]).item(), "classes_" in boosted)
