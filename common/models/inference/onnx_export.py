"""Trained models as ONNX files: which graphs a model has, and dynamic int8 quantisation of its layers."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.models.base import Recommender
from common.models.inference.onnx_graph import onnx
from common.models.inference.onnx_networks import Exported, hybrid, item_tower, sasrec, user_tower
from common.models.inference.onnx_runtime import runtime
from common.models.inference.onnx_trees import trees
from common.utils.errors import UserError

NETWORKS = ("sasrec", "two_tower", "hybrid_listnet")
FORESTS = ("forest", "hist_gradient")
ORDER, PLAYS = "what puts the candidates of a user in order, from 0 to 1", "predicted log(1 + plays)"


def graphs(model: Recommender, quantised: bool = False) -> dict[str, Exported]:
    """The graphs of a fitted model by file name. Raises a UserError for a model that has none."""
    owner: Any = model
    if model.name not in (*NETWORKS, *FORESTS):
        raise UserError(f"{model.name} cannot be exported; give a run of {', '.join((*NETWORKS, *FORESTS))}")
    if model.name in FORESTS:
        if quantised:
            raise UserError(
                f"--quantise int8: {model.name} is made of thresholds, which stay as they are; leave it out"
            )
        return _of_trees(owner)
    makers: dict[str, dict[str, Callable[[Any, bool], Exported]]] = {
        "sasrec": {"sasrec.onnx": sasrec},
        "two_tower": {"item_tower.onnx": item_tower, "user_tower.onnx": user_tower},
        "hybrid_listnet": {"hybrid_listnet.onnx": hybrid},
    }
    owner = owner.ranker if model.name == "hybrid_listnet" else owner
    found = {name: make(owner, quantised) for name, make in makers[model.name].items()}
    if not quantised:
        return found
    return {name: one._replace(content=with_int8_layers(one.content)) for name, one in found.items()}


def _of_trees(model: Any) -> dict[str, Exported]:
    parts = {"ranker.onnx": (model.ranker.trees, ORDER), "plays.onnx": (model.ranker.plays_trees, PLAYS)}
    n_features = len(model.feature_builder.names)
    found = {name: trees(own, n_features, meaning) for name, (own, meaning) in parts.items() if own is not None}
    if not found:
        raise UserError(f"{model.name} has learned no trees, so there is nothing to export; train it on more data")
    return found


def with_int8_layers(content: bytes) -> bytes:
    """The graph with the weights of linear layers as int8, a scale for each unit; inputs are quantised as they come.

    Tables are left to `Graph.table`, which keeps a scale for each row.
    """
    runtime()
    import onnxruntime.quantization as quantization

    model = onnx().load_model_from_string(content)
    prepared = model.metadata_props.add()  # shapes were inferred when the graph was checked; otherwise it warns
    prepared.key, prepared.value = "onnx.quant.pre_process", "onnxruntime.quant"
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "int8.onnx"
        quantization.quantize_dynamic(
            model,
            made,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
        return made.read_bytes()
