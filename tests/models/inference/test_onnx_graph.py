"""Graphs compute what their nodes say; layers are those of `numpy_layers`, tables keep a scale for each row."""

import numpy as np
import pytest

from common.models.inference.numpy_layers import Weights, gelu
from common.models.inference.onnx_graph import FLOAT, INT, Graph, Layers, Port
from common.models.inference.onnx_runtime import session

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(6, 5)).astype(np.float32)
X = Port("x", FLOAT, ("batch", 5), "rows")


def run(graph: Graph, made: str, **given: np.ndarray) -> np.ndarray:
    out = [Port("y", FLOAT, ("a", "b"), "what is made")]
    return session(graph.model({made: "y"}, out)).run(None, given)[0]


@pytest.mark.parametrize("layer", ["linear", "layer_norm", "batch_norm", "mlp"])
def test_layers_are_those_of_numpy(layer):
    names = ["weight", "bias"] + ["mean", "variance"] * (layer == "batch_norm")
    shape = (5, 5) if layer == "linear" else (5,)
    arrays = {f"l.{n}": RNG.random(shape if n == "weight" else 5).astype(np.float32) for n in names}
    if layer == "mlp":
        arrays = {f"l.{n}.{part}": RNG.random((5, 5) if part == "weight" else 5).astype(np.float32)
                  for n in (0, 3) for part in ("weight", "bias")}  # fmt: skip
    graph = Graph([X])
    made = getattr(Layers(graph, arrays), layer)("l", "x")
    np.testing.assert_allclose(run(graph, made, x=ROWS), getattr(Weights(arrays), layer)("l", ROWS), atol=1e-5)


def test_gelu_and_parts():
    graph = Graph([X])
    layers = Layers(graph, {"part.l.weight": ROWS})
    assert "l" in layers.below("part")
    assert "l" not in layers
    np.testing.assert_allclose(run(graph, layers.gelu("x"), x=ROWS), gelu(ROWS), atol=1e-6)


@pytest.mark.parametrize("quantised", [False, True])
def test_tables_are_looked_up_and_taken_whole(quantised):
    table = ROWS * np.array([[1e-6], [1], [100], [0], [3], [1]], np.float32)
    off = np.abs(table).max(axis=1, keepdims=True) / 253 if quantised else np.zeros((6, 1))
    graph = Graph([Port("codes", INT, ("batch",), "codes")], quantised)
    made = graph.look_up(graph.table(table), "codes")
    codes = np.array([5, 0, 3])
    assert (np.abs(run(graph, made, codes=codes) - table[codes]) <= off[codes]).all()
    graph = Graph([X], quantised)
    made = graph("Add", graph.whole(graph.table(table)), "x")
    assert (np.abs(run(graph, made, x=0 * ROWS) - table) <= off).all()


def test_ports_describe_themselves():
    assert X.described() == {"name": "x", "dtype": "float32", "shape": ["batch", 5], "meaning": "rows"}
