"""The networks of trained models as ONNX graphs: what `numpy_networks.py` is in NumPy.

Histories come as int64 (batch, events) item codes, oldest first, at the right, and -1 in the cells before them.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from common.models.inference.numpy_networks import NumpyHybrid
from common.models.inference.onnx_graph import FLOAT, INT, Graph, Layers, Port
from common.models.neural.listnet.inputs import FAR

HISTORIES = Port(
    "items", INT, ("batch", "events"), "codes of the items of each history, oldest first, at the right; -1: no event"
)
NEVER = np.float32(-1e30)
"""What a score of attention is where nothing may be looked at."""


class Exported(NamedTuple):
    """A graph as a file's content, and its ports."""

    content: bytes
    inputs: list[Port]
    outputs: list[Port]


def sasrec(model: Any, quantised: bool) -> Exported:
    """A fitted SASRec: scores of all items after each history; of an empty one those of the popular list."""
    s, g = model.settings, Graph([HISTORIES], quantised)
    layers = Layers(g, _weights(model))
    tied = s.tied
    table = g.table(_table(model, output=False))
    scored = table if tied else g.table(_table(model, output=True))
    known, codes = _events(g)
    events = g("Mul", g.look_up(table, codes), g.constant(np.float32(math.sqrt(s.width))))
    events = g("Add", events, g.look_up(g.table(layers.arrays["encoder.positions"]), _positions(g, s.length)))
    encoder, mask = layers.below("encoder"), _mask(g, known)
    for place in range(s.layers):
        events = _sasrec_block(encoder.below(f"blocks.{place}"), events, mask, s)
    events = encoder.layer_norm("norm", events) if s.norm == "pre" else events
    last = g("Gather", events, g.constant(np.int64(-1)), axis=1)
    scores = g("MatMul", last, g("Transpose", g.whole(scored), perm=[1, 0]))
    any_known = g("Gather", known, g.constant([-1]), axis=1)  # at the right: the last cell is empty in empty ones alone
    scores = g("Where", any_known, scores, g.constant(model.popular_scores[None], np.float32))
    out = [Port("scores", FLOAT, ("batch", len(model.popularity)), "scores of all items, by code")]
    return Exported(g.model({scores: "scores"}, out), g.inputs, out)


def _weights(owner: Any) -> dict[str, np.ndarray]:
    """The weights of a fitted or loaded network, by their names in its `state_dict`."""
    if owner.inference_only:
        return dict(owner.network.weights.arrays)
    return {name.removeprefix("network/"): array for name, array in owner.weights().items()}


def _table(model: Any, output: bool) -> np.ndarray:
    with model.running(exact=True):
        return model.array(model.network.table(output=output))


def _events(g: Graph) -> tuple[str, str]:
    """Which cells of the histories hold an event, bool (batch, events), and codes of which none is below 0."""
    nothing = g.constant(np.int64(0))
    return g("GreaterOrEqual", "items", nothing), g("Max", "items", nothing)


def _from_end(g: Graph) -> str:
    """How many events come after each place of a history, int64 (events,)."""
    width = g("Gather", g("Shape", "items"), g.constant(np.int64(1)), axis=0)
    one = g.constant(np.int64(1))
    return g("Range", g("Sub", width, one), g.constant(np.int64(-1)), g.constant(np.int64(-1)))


def _positions(g: Graph, length: int) -> str:
    """The position of each place, the last one at `length` - 1."""
    return g("Sub", g.constant(np.int64(length - 1)), _from_end(g))


def _mask(g: Graph, known: str) -> str:
    """What is added to scores of attention, float32 (batch, 1, events, events): no event looks ahead or at a cell
    without an event, but at itself."""
    places = _from_end(g)
    rows, columns = g("Unsqueeze", places, g.constant([1])), g("Unsqueeze", places, g.constant([0]))
    earlier = g("And", g("LessOrEqual", rows, columns), g("Unsqueeze", known, g.constant([1])))
    seen = g("Or", earlier, g("Equal", rows, columns))
    return g("Unsqueeze", g("Where", seen, g.constant(np.float32(0)), g.constant(NEVER)), g.constant([1]))


def _sasrec_block(block: Layers, events: str, mask: str, settings: Any) -> str:
    g, before = block.graph, settings.norm == "pre"
    inner = block.layer_norm("attention_norm", events) if before else events
    events = g("Add", events, _attend(block, inner, mask, settings))
    events = events if before else block.layer_norm("attention_norm", events)
    inner = block.layer_norm("inner_norm", events) if before else events
    events = g("Add", events, block.linear("narrow", g("Relu", block.linear("widen", inner))))
    return events if before else block.layer_norm("inner_norm", events)


def _attend(block: Layers, events: str, mask: str, settings: Any) -> str:
    """Self-attention, (batch, events, width)."""
    g, of_head = block.graph, settings.width // settings.heads
    shape = g.constant([0, 0, 3, settings.heads, of_head])
    parts = g("Transpose", g("Reshape", block.linear("project", events), shape), perm=[2, 0, 3, 1, 4])
    queries, keys, values = (g("Gather", parts, g.constant(np.int64(n)), axis=0) for n in range(3))
    scores = g("MatMul", queries, g("Transpose", keys, perm=[0, 1, 3, 2]))
    scores = g("Add", g("Mul", scores, g.constant(np.float32(1 / math.sqrt(of_head)))), mask)
    mixed = g("Transpose", g("MatMul", g("Softmax", scores, axis=-1), values), perm=[0, 2, 1, 3])
    return block.linear("join", g("Reshape", mixed, g.constant([0, 0, settings.width])))


def item_tower(model: Any, quantised: bool) -> Exported:
    """The item tower of a fitted two-tower network: vectors of items of the catalogue and of new ones."""
    n_items, n_features = model.items.shape
    ports = [
        Port("codes", INT, ("batch",), "codes of items; -1: a new item, whose features alone count"),
        Port("features", FLOAT, ("batch", n_features), "their features, in the rows of features.npy"),
    ]
    g = Graph(ports, quantised)
    layers = Layers(g, _weights(model)).below("items")
    ids = g.table(np.concatenate([layers.arrays["ids"] * model.heard[:, None], np.zeros((1, model.settings.width))]))
    known = g("GreaterOrEqual", "codes", g.constant(np.int64(0)))
    own = g.look_up(ids, g("Where", known, "codes", g.constant(np.int64(n_items))))
    vectors = _scaled(g, g("Add", own, layers.mlp("content", "features")), model.settings)
    out = [Port("vectors", FLOAT, ("batch", model.settings.width), "what items are found by, for the dot product")]
    return Exported(g.model({vectors: "vectors"}, out), ports, out)


def user_tower(model: Any, quantised: bool) -> Exported:
    """The user tower of a fitted two-tower network, with the vectors and features of the items it is asked about."""
    s, (n_items, _), n_attributes = model.settings, model.items.shape, model.attributes.shape[1]
    attributes = Port(
        "attributes", FLOAT, ("batch", n_attributes), "what is known of users besides; 0 where nothing is"
    )
    g = Graph([HISTORIES, attributes], quantised)
    layers = Layers(g, _weights(model)).below("users")
    known, codes = _events(g)
    share = g("Unsqueeze", g("Cast", known, to=1), g.constant([2]))
    table = g.table(model._shown_vectors())
    gathered = _gathered(g, g.look_up(table, codes), share, s.half_life)
    profile, measures = _about(g, g.look_up(g.table(model.items), codes), share)
    centre, spread = layers.arrays["scale"]
    measures = g("Div", g("Sub", measures, g.constant(centre)), g.constant(spread))
    row = g("Concat", gathered, profile, measures, "attributes", axis=1)
    vectors = _scaled(g, g("Add", layers.linear("straight", gathered), layers.mlp("mixed", row)), s)
    items = _scaled(g, g.whole(table), s)
    scores = g("MatMul", vectors, g("Transpose", items, perm=[1, 0]))
    out = [
        Port(
            "vectors", FLOAT, ("batch", s.width), "what users look for; their products with items' vectors are scores"
        ),
        Port("scores", FLOAT, ("batch", n_items), "scores of all items, by code"),
    ]
    out.append(Port("item_vectors", FLOAT, (n_items, s.width), "vectors of all items, by code, whatever goes in"))
    return Exported(g.model({vectors: "vectors", scores: "scores", items: "item_vectors"}, out), g.inputs, out)


def _gathered(g: Graph, vectors: str, share: str, half_life: float) -> str:
    """The pooled vectors of histories, (batch, width)."""
    weights = share
    if half_life:
        fading = g(
            "Pow",
            g.constant(np.float32(2)),
            g("Div", g("Cast", _from_end(g), to=1), g.constant(np.float32(-half_life))),
        )
        weights = g("Mul", share, g("Unsqueeze", fading, g.constant([1])))
    events = g.constant([1])
    size = g("ReduceSum", g("Mul", weights, weights), events, keepdims=0)
    size = g("Sqrt", g("Max", size, g.constant(np.float32(1e-9))))
    return g("Div", g("ReduceSum", g("Mul", vectors, weights), events, keepdims=0), size)


def _about(g: Graph, features: str, share: str) -> tuple[str, str]:
    """Profiles of histories (batch, features), and their log activity and diversity (batch, 2)."""
    events, one = g.constant([1]), g.constant(np.float32(1))
    n = g("ReduceSum", share, events, keepdims=0)
    most = g("Max", n, one)
    profile = g("Div", g("ReduceSum", g("Mul", features, share), events, keepdims=0), most)
    unit = g("Mul", _unit(g, features, -1), share)
    mean = g("Div", g("ReduceSum", unit, events, keepdims=0), most)
    shared = g("ReduceSum", g("Mul", mean, mean), g.constant([1]), keepdims=1)
    least = g.constant(np.float32(1e-6))
    diversity = g("Neg", g("Log", g("Max", shared, least)))
    diversity = g("Where", g("Greater", shared, least), diversity, g.constant(np.float32(0)))
    return profile, g("Concat", g("Log", g("Add", n, one)), diversity, axis=1)


def _unit(g: Graph, rows: str, axis: int) -> str:
    length = g("ReduceL2", rows, g.constant([axis]), keepdims=1)
    return g("Div", rows, g("Max", length, g.constant(np.float32(1e-12))))


def _scaled(g: Graph, vectors: str, settings: Any) -> str:
    return _unit(g, vectors, -1) if settings.normalise else vectors


def hybrid(ranker: Any, quantised: bool) -> Exported:
    """The ranker of a fitted hybrid: ranking scores and log plays of pairs from the features of candidates."""
    width = len(ranker.feature_names)
    ports = [
        Port("features", FLOAT, ("pairs", width), "features of the pairs, in the order of feature_names.json"),
        Port("users", INT, ("pairs",), "codes of the users; -1: an unknown one"),
        Port("items", INT, ("pairs",), "codes of the items"),
    ]
    g = Graph(ports, quantised)
    layers, twin = Layers(g, _weights(ranker)), _twin(ranker)
    features = _prepared(g, ranker)
    rows = layers.linear("of_pair", _of_pair(g, layers, features, ranker.scale))
    users = "users" if ranker.knows_users else g("Min", "users", g.constant(np.int64(-1)))
    places = {"items": "items", "users": g("Add", users, g.constant(np.int64(1)))}
    ids = {}
    for side, codes in places.items():
        vectors, own = _side(twin, side)
        rows = rows if vectors is None else g("Add", rows, g.look_up(g.table(vectors), codes))
        ids[side] = None if own is None else g.look_up(g.table(own), codes)
    if "of_both" in layers:
        rows = g("Add", rows, layers.linear("of_both", g("Mul", ids["items"], ids["users"])))  # type: ignore[arg-type]
    for place in range(twin.n_layers):
        rows = _residual(layers.below(f"layers.{place}"), rows, twin.residual)
    rows = g("Relu", rows)
    last = g.constant([1])
    ranks, plays = (g("Squeeze", layers.linear(head, rows), last) for head in ("ranks", "plays"))
    plays = g("Add", plays, _expected(g, ranker))
    out = [
        Port("ranks", FLOAT, ("pairs",), "what puts the candidates of a user in order"),
        Port("plays", FLOAT, ("pairs",), "predicted log(1 + plays)"),
    ]
    return Exported(g.model({ranks: "ranks", plays: "plays"}, out), ports, out)


def _twin(ranker: Any) -> NumpyHybrid:
    from common.models.inference.numpy_layers import Weights

    return ranker.network if ranker.inference_only else ranker.as_numpy(Weights(_weights(ranker)))


def _side(twin: NumpyHybrid, side: str) -> tuple[np.ndarray | None, np.ndarray | None]:
    """What every row of a side adds to pairs, and its id embeddings, both where there are any."""
    vectors, ids = twin._of_side(side, np.arange(len(twin.sides[side].ids)))
    return (None, None) if np.ndim(vectors) == 0 else (vectors, ids)


def _columns(g: Graph, places: np.ndarray) -> str:
    return g("Gather", "features", g.constant(places, np.int64), axis=1)


def _prepared(g: Graph, ranker: Any) -> str:
    """The columns in use, ranks on a logarithmic scale."""
    names = np.array(ranker.feature_names)[ranker.used]
    ranks = np.array([name.endswith("_rank") and name != "item_popularity_rank" for name in names], bool)
    own = _columns(g, ranker.used)
    log = g("Log", g("Add", g("Max", own, g.constant(np.float32(0))), g.constant(np.float32(1))))
    missing = g("IsNaN", own)
    return g("Where", g("And", g.constant(ranks[None]), g("Not", missing)), log, own)


def _of_pair(g: Graph, layers: Layers, features: str, scale: np.ndarray) -> str:
    """The numeric and the binary block of pairs, side by side."""
    missing = g("IsNaN", features)
    centred = g("Div", g("Sub", features, g.constant(scale[0])), g.constant(scale[1]))
    centred = g("Where", missing, g.constant(np.float32(0)), centred)
    centred = g("Clip", centred, g.constant(np.float32(-FAR)), g.constant(np.float32(FAR)))
    parts = [layers.block("numeric", centred)]
    if len(gaps := np.flatnonzero(scale[2])):
        there = g("Gather", g("Cast", missing, to=1), g.constant(gaps, np.int64), axis=1)
        parts.append(layers.block("binary", there))
    return g("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]


def _residual(layer: Layers, rows: str, residual: bool) -> str:
    g = layer.graph
    made = layer.linear("made.3", g("Relu", layer.layer_norm("made.0", rows)))
    if not residual:
        return made
    return g("Add", made, layer.linear("shortcut", rows) if "shortcut" in layer else rows)


def _expected(g: Graph, ranker: Any) -> str:
    """Log plays by the means alone, as `ListNetRanker._expected` has them."""
    from common.models.neural.listnet.ranker import DAMPING

    place = {name: column for column, name in enumerate(ranker.feature_names)}
    if "user_log_plays" not in place or not np.isfinite(ranker.mean_plays):
        return g.constant(np.zeros(1, np.float32))

    def column(name: str) -> str:
        if name not in place:
            return g.constant(np.zeros(1, np.float32))
        return g("Squeeze", _columns(g, np.array([place[name]])), g.constant([1]))

    def or_else(values: str, other: float) -> str:
        return g("Where", g("IsNaN", values), g.constant(np.float32(other)), values)

    own, more, n = (
        or_else(column("user_log_plays"), ranker.mean_plays),
        column("item_intensity"),
        column("item_listeners"),
    )
    n = g("Exp", n)
    share = g("Div", n, g("Add", n, g.constant(np.float32(DAMPING))))
    return g("Add", own, g("Mul", or_else(more, 0.0), share))
