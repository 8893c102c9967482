"""Fitted trees: kept on disk by skops, read back as arrays without it, and evaluated without scikit-learn.

Importing scikit-learn's trees takes longer than everything else that a first answer needs, and skops, which looks
through all of scikit-learn and torch, takes longer still. The candidates of one user are a few hundred rows, which
numpy walks down the trees in some milliseconds. So the trees are taken out of a saved file as what they are, arrays.
Many rows are put to scikit-learn's compiled trees, since an evaluation has time to import them; either way the answer
is the one of scikit-learn's estimator, bit for bit.
"""

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from common.models.inference.tree_arrays import Nodes
from common.utils.environment import threads

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
MANY = 2048
"""Rows that are worth scikit-learn's compiled trees, which take a third of numpy's time, and a thread of their own."""


@dataclass(frozen=True)
class Mean:
    """A forest's rule."""

    trees: int
    """How many there are."""
    precision: ClassVar[type[np.floating]] = np.float32
    """In which features are compared with thresholds."""

    def combine(self, predictions: Iterable[np.ndarray]) -> np.ndarray:
        """The mean of each tree's prediction, added up in their order, float64 (rows,)."""
        return sum(predictions) / self.trees  # type: ignore[return-value]

    def each(self, estimator: Any, rows: np.ndarray) -> Iterator[np.ndarray]:
        """The prediction of each of an estimator's compiled trees, float64 (rows,)."""
        return (one.tree_.predict(rows)[:, 0] for one in estimator.estimators_)


@dataclass(frozen=True)
class BoostedSum:
    """The rule of boosted trees without categories."""

    start: float
    """What the sum starts from."""
    shares: bool
    """Whether the sum is a logit, to be turned into a share."""
    precision: ClassVar[type[np.floating]] = np.float64

    def combine(self, predictions: Iterable[np.ndarray]) -> np.ndarray:
        """The sum of each tree's prediction, added up in their order, float64 (rows,)."""
        from scipy.special import expit

        total = sum(predictions, start=self.start)
        return expit(total) if self.shares else total  # type: ignore[return-value]

    def each(self, estimator: Any, rows: np.ndarray) -> Iterator[np.ndarray]:
        """The prediction of each of an estimator's compiled trees, float64 (rows,)."""
        no_categories = np.zeros((0, 8), np.uint32), np.zeros(rows.shape[1], np.uint32)
        return (tree.predict(rows, *no_categories, n_threads=1) for (tree,) in estimator._predictors)


Rule = Mean | BoostedSum
"""How scikit-learn makes one prediction out of the predictions of an estimator's trees."""


class Trees:
    """Fitted or saved trees."""

    def __init__(self, nodes: Nodes, rule: Rule, estimator: Any = None, file: bytes = b"") -> None:
        self.nodes, self.rule, self._fitted, self._file = nodes, rule, estimator, file

    @classmethod
    def of(cls, estimator: Any) -> Self:
        """The trees of a fitted random forest or histogram gradient boosting of scikit-learn."""
        if hasattr(estimator, "estimators_"):
            states = [one.tree_.__getstate__() for one in estimator.estimators_]
            return cls(*_forest([(state["nodes"], state["values"]) for state in states]), estimator)
        start, shares = float(estimator._baseline_prediction.item()), hasattr(estimator, "predict_proba")
        return cls(*_boosted([tree.nodes for (tree,) in estimator._predictors], start, shares), estimator)

    @cached_property
    def estimator(self) -> Any:
        """scikit-learn's estimator; of a saved one only types in TRUSTED are built."""
        if self._fitted is not None:
            return self._fitted
        from skops import io as skops

        return skops.loads(self._file, trusted=list(TRUSTED))

    @cached_property
    def content(self) -> bytes:
        """What is kept of them in a file; made once, since it takes as long as learning few trees."""
        from skops import io as skops

        return self._file or skops.dumps(self.estimator)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """What the trees predict, float32 (rows,), many rows spread over threads."""
        rows = np.ascontiguousarray(features, self.rule.precision)
        if len(rows) < MANY:
            return self.walk(rows).astype(np.float32)
        estimator = self.estimator  # built here, before several threads need it
        parts = np.array_split(rows, min(threads(), len(rows) // MANY))
        with ThreadPoolExecutor(len(parts)) as executor:
            parts_predicted = executor.map(lambda part: self.rule.combine(self.rule.each(estimator, part)), parts)
            return np.concatenate(list(parts_predicted)).astype(np.float32)

    def walk(self, features: np.ndarray) -> np.ndarray:
        """The same by numpy, float64 (rows,)."""
        rows = np.ascontiguousarray(features, self.rule.precision)
        return self.rule.combine(self.nodes.value.take(self.nodes.leaves(rows)))


def as_bytes(trees: Trees | None) -> bytes:
    """What is kept of trees, or of None, in a file."""
    from skops import io as skops

    return skops.dumps(None) if trees is None else trees.content


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
        return Trees(*read(archive, _attributes(schema)), file=content)


def _array(archive: zipfile.ZipFile, node: dict[str, Any]) -> np.ndarray:
    """An array of an archive of skops, of which nothing is run or built."""
    return np.lib.format.read_array(io.BytesIO(archive.read(node["file"])), allow_pickle=False)


def _attributes(node: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a saved object, as nodes."""
    return dict(node["content"]["content"])


def _read_forest(archive: zipfile.ZipFile, forest: dict[str, Any]) -> tuple[Nodes, Rule]:
    states = [_attributes(_attributes(node)["tree_"]) for node in forest["estimators_"]["content"]]
    return _forest([(_array(archive, state["nodes"]), _array(archive, state["values"])) for state in states])


def _read_boosted(archive: zipfile.ZipFile, boosted: dict[str, Any]) -> tuple[Nodes, Rule]:
    trees = [_attributes(tree) for step in boosted["_predictors"]["content"] for tree in step["content"]]
    start = _array(archive, boosted["_baseline_prediction"]).item()
    return _boosted([_array(archive, tree["nodes"]) for tree in trees], start, "classes_" in boosted)


def _forest(trees: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[Nodes, Rule]:
    """From scikit-learn's records of the nodes of each tree, and their values."""
    fields = ("left_child", "right_child", "feature", "threshold", "missing_go_to_left")
    value = np.concatenate([values[:, 0, 0] for _, values in trees])
    return Nodes.join([nodes for nodes, _ in trees], fields, value), Mean(len(trees))


def _boosted(trees: Sequence[np.ndarray], start: float, shares: bool) -> tuple[Nodes, Rule]:
    """From scikit-learn's records of the nodes of each tree."""
    fields = ("left", "right", "feature_idx", "num_threshold", "missing_go_to_left")
    value = np.concatenate([nodes["value"] for nodes in trees])
    return Nodes.join(trees, fields, value), BoostedSum(start, shares)
