"""Trees as ONNX graphs, thresholds and values in double precision, so that every row takes the way it takes here."""

from typing import Any

import numpy as np

from common.models.inference.onnx_graph import FLOAT, Graph, Port, onnx
from common.models.inference.onnx_networks import Exported
from common.models.inference.tree_arrays import Nodes
from common.models.inference.trees import BoostedSum, Trees

DOUBLE = 11
"""What ONNX calls float64."""
LEFT_IF_AT_MOST = 0
"""What ONNX calls a node whose first branch is for values up to its threshold."""


def trees(fitted: Trees, n_features: int, meaning: str) -> Exported:
    """What the trees of a fitted ranker predict for the features of pairs."""
    ports = [Port("features", FLOAT, ("pairs", n_features), "features of pairs, in the order of feature_names.json")]
    g = Graph(ports)
    total = g(
        "TreeEnsemble",
        g("Cast", "features", to=DOUBLE),
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function=1,  # the sum
        post_transform=0,
        **attributes_of(fitted.nodes),
    )
    total = g("Squeeze", total, g.constant([1]))
    if isinstance(fitted.rule, BoostedSum):
        total = g("Add", total, g.constant(np.float64(fitted.rule.start)))
        total = g("Sigmoid", total) if fitted.rule.shares else total
    else:
        total = g("Div", total, g.constant(np.float64(fitted.rule.trees)))
    out = [Port("predictions", np.dtype(np.float64), ("pairs",), meaning)]
    return Exported(g.model({total: "predictions"}, out), ports, out)


def attributes_of(nodes: Nodes) -> dict[str, Any]:
    """The attributes of ai.onnx.ml's TreeEnsemble 5, which numbers branching nodes and leaves each by themselves.

    A tree that is a leaf alone gets a node both of whose branches lead to it.
    """
    own = np.arange(len(nodes.value))
    right, left = nodes.leads_to[::2], nodes.leads_to[1::2]
    is_leaf = right == own
    branching, alone = np.flatnonzero(~is_leaf), nodes.roots[is_leaf[nodes.roots]]
    number, leaf = np.cumsum(~is_leaf) - 1, np.cumsum(is_leaf) - 1
    places = np.concatenate([branching, alone])  # a leaf leads to itself, whatever the features say
    first = number.copy()
    first[alone] = len(branching) + np.arange(len(alone))

    def to(children: np.ndarray) -> tuple[list[int], list[int]]:
        targets = children[places]
        return np.where(is_leaf[targets], leaf[targets], number[targets]).tolist(), is_leaf[targets].astype(
            int
        ).tolist()

    (true, true_leaf), (false, false_leaf) = to(left), to(right)
    tensor = onnx().numpy_helper.from_array
    return {
        "tree_roots": first[nodes.roots].tolist(),
        "nodes_featureids": nodes.feature[places].tolist(),
        "nodes_splits": tensor(np.where(is_leaf, 0.0, nodes.threshold)[places], "splits"),
        "nodes_modes": tensor(np.full(len(places), LEFT_IF_AT_MOST, np.uint8), "modes"),
        "nodes_missing_value_tracks_true": (nodes.twin % 2)[places].tolist(),
        "nodes_truenodeids": true,
        "nodes_trueleafs": true_leaf,
        "nodes_falsenodeids": false,
        "nodes_falseleafs": false_leaf,
        "leaf_targetids": [0] * int(is_leaf.sum()),
        "leaf_weights": tensor(nodes.value[is_leaf].astype(np.float64), "weights"),
    }
