"""ONNX graphs node by node, and the layers of networks in them; formulas and names of weights are torch's.

Weights stand in the graph as arrays. A large table, of which rows are looked up or which is a factor of all scores, may
be kept as int8 with a scale for each row: every value is then off by at most half a 127th of the row's largest.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from common.models.inference.numpy_layers import SMALL
from common.utils.arrays import below
from common.utils.errors import UserError

OPSET, OPSET_OF_TREES, IR = 18, 5, 10
"""Operator sets of the graphs: the main one, and that of machine learning, whose version 5 has double thresholds."""
NEEDED = "python -m pip install -r requirements-export.txt"
FLOAT, DOUBLE, INT = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)


def onnx() -> Any:
    """The library; a UserError where it is not installed."""
    try:
        import onnx as library
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise UserError(f"export needs onnx; install it: {NEEDED}") from error
    return library


class Port(NamedTuple):
    """An input or output of a graph: name, type, sizes (names for those that vary), and what it means."""

    name: str
    dtype: np.dtype
    shape: tuple[int | str, ...]
    meaning: str

    def described(self) -> dict[str, Any]:
        """As a manifest has it."""
        return {"name": self.name, "dtype": str(self.dtype), "shape": list(self.shape), "meaning": self.meaning}


class Table(NamedTuple):
    """Rows of numbers in a graph: float32 (n, width) by name, or int8 with scales float32 (n, 1)."""

    rows: str
    scales: str | None


class Graph:
    """A graph that grows by a node at a time. Values are known by their names.

    quantised: whether tables are kept as int8.
    """

    def __init__(self, inputs: Sequence[Port], quantised: bool = False) -> None:
        self.inputs, self.quantised = list(inputs), quantised
        self.nodes: list[Any] = []
        self.arrays: dict[str, np.ndarray] = {}

    def __call__(self, operator: str, *inputs: str, domain: str = "", outputs: str = "", **attributes: Any) -> str:
        """Add a node; returns the name of what it makes."""
        made = outputs or f"{operator}_{len(self.nodes)}"
        node = onnx().helper.make_node(operator, list(inputs), [made], domain=domain, **attributes)
        self.nodes.append(node)
        return made

    def constant(self, value: Any, dtype: Any = None) -> str:
        """An array that is part of the graph."""
        array = np.ascontiguousarray(value, dtype)
        name = f"array_{len(self.arrays)}"
        self.arrays[name] = array.reshape(np.shape(value))
        return name

    def table(self, rows: np.ndarray) -> Table:
        """A table that may be quantised."""
        rows = np.ascontiguousarray(rows, np.float32)
        if not self.quantised:
            return Table(self.constant(rows), None)
        scales = np.maximum(np.abs(rows).max(axis=1, keepdims=True, initial=0), np.float32(1e-30)) / np.float32(127)
        return Table(self.constant(np.rint(rows / scales).astype(np.int8)), self.constant(scales))

    def look_up(self, table: Table, codes: str) -> str:
        """Rows of a table by int64 codes of any shape, float32 (*shape, width)."""
        rows = self("Gather", table.rows, codes, axis=0)
        if table.scales is None:
            return rows
        scales = self("Gather", table.scales, codes, axis=0)
        return self("Mul", self("Cast", rows, to=1), scales)

    def whole(self, table: Table) -> str:
        """All rows of a table, float32 (n, width)."""
        if table.scales is None:
            return table.rows
        return self("Mul", self("Cast", table.rows, to=1), table.scales)

    def sum_of(self, first: str, *others: str) -> str:
        """The sum of several values."""
        for other in others:
            first = self("Add", first, other)
        return first

    def model(self, outputs: Mapping[str, str], ports: Sequence[Port]) -> bytes:
        """The finished graph, in which `outputs` are names that were made -> names of ports, checked by the library."""
        library = onnx()
        for made, name in outputs.items():
            self("Identity", made, outputs=name)
        arrays = [library.numpy_helper.from_array(array, name) for name, array in self.arrays.items()]
        graph = library.helper.make_graph(
            self.nodes, "encore", list(map(_info, self.inputs)), list(map(_info, ports)), arrays
        )
        opsets = [library.helper.make_opsetid("", OPSET), library.helper.make_opsetid("ai.onnx.ml", OPSET_OF_TREES)]
        made = library.helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="encore")
        library.checker.check_model(made, full_check=True)
        return made.SerializeToString(deterministic=True)


def _info(port: Port) -> Any:
    kind = onnx().helper.np_dtype_to_tensor_dtype(port.dtype)
    return onnx().helper.make_tensor_value_info(port.name, kind, list(port.shape))


class Layers:
    """The layers of a network in a graph, by the names that their weights have in its `state_dict`."""

    def __init__(self, graph: Graph, arrays: Mapping[str, np.ndarray]) -> None:
        self.graph, self.arrays = graph, arrays

    def __contains__(self, layer: str) -> bool:
        """Whether there is such a layer."""
        return f"{layer}.weight" in self.arrays

    def below(self, prefix: str) -> "Layers":
        """The layers of a part, by their names in it."""
        return Layers(self.graph, below(self.arrays, f"{prefix}."))

    def linear(self, layer: str, rows: str) -> str:
        """x W' + b, the bias where there is one."""
        g = self.graph
        made = g("MatMul", rows, g.constant(self.arrays[f"{layer}.weight"].T))
        return g("Add", made, g.constant(self.arrays[f"{layer}.bias"])) if f"{layer}.bias" in self.arrays else made

    def layer_norm(self, layer: str, rows: str) -> str:
        """Each row less its mean, in units of its spread."""
        weight, bias = (self.graph.constant(self.arrays[f"{layer}.{name}"]) for name in ("weight", "bias"))
        return self.graph("LayerNormalization", rows, weight, bias, axis=-1, epsilon=float(SMALL))

    def batch_norm(self, layer: str, rows: str) -> str:
        """Each column less its running mean, in units of its running spread."""
        weight, bias, mean, variance = (self.arrays[f"{layer}.{n}"] for n in ("weight", "bias", "mean", "variance"))
        factor = weight / np.sqrt(variance + SMALL)
        g = self.graph
        return g("Add", g("Mul", rows, g.constant(factor)), g.constant(bias - mean * factor))

    def mlp(self, layers: str, rows: str) -> str:
        """Linear, GELU, (dropout,) linear."""
        return self.linear(f"{layers}.3", self.gelu(self.linear(f"{layers}.0", rows)))

    def block(self, layers: str, rows: str) -> str:
        """Linear, batch norm, ReLU."""
        return self.graph("Relu", self.batch_norm(f"{layers}.1", self.linear(f"{layers}.0", rows)))

    def gelu(self, rows: str) -> str:
        """x times the share of a normal distribution below x."""
        g = self.graph
        share = g("Erf", g("Mul", rows, g.constant(np.float32(0.5**0.5))))
        share = g("Add", share, g.constant(np.float32(1)))
        return g("Mul", g("Mul", rows, g.constant(np.float32(0.5))), share)
