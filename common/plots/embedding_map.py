"""Figures of the towers: a map of the item vectors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.plots.style import PALETTE, figure
from common.splits.train_view import TrainView, most_popular, names_of

ON_MAP = 1500
"""Items on the map: the most popular ones."""
COLOURED = 8
"""Tags or genres with a colour of their own."""
NAMED = 30
"""Items whose names stand on the map."""


def themes(train: TrainView, items: np.ndarray) -> tuple[str, list[str]]:
    """What the items of a map are coloured by, "tag", "genre" or "nothing", and the theme of each, "" if it has none.

    An item's theme is the one of its tags (by how often it was given) or genres that most others on the map share.
    """
    if train.item_tags is not None and len(train.item_tags):
        kind, pairs = "tag", train.item_tags[["item", "tag", "weight"]].set_axis(["item", "theme", "weight"], axis=1)
    elif "genres" in train.items and train.items["genres"].notna().any():
        split = train.items["genres"].astype(object).dropna().str.split("|").explode()
        kind, pairs = "genre", pd.DataFrame({"item": split.index, "theme": split.to_numpy(), "weight": 1.0})
    else:
        return "nothing", [""] * len(items)
    pairs = pairs[pairs["item"].isin(items)]
    frequent = pairs.groupby("theme")["weight"].sum().sort_values(kind="stable", ascending=False).index[:COLOURED]
    pairs = pairs[pairs["theme"].isin(frequent)].sort_values(["weight", "theme"], ascending=[False, True])
    of_item = pairs.drop_duplicates("item").set_index("item")["theme"]
    return kind, [str(of_item.get(item, "")) for item in items]


def spread_out(vectors: np.ndarray) -> np.ndarray:
    """Points in a plane for vectors, neighbours close together: t-SNE of cosines (van der Maaten & Hinton 2008)."""
    from sklearn.manifold import TSNE

    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    perplexity = float(min(30, max(1, (len(vectors) - 1) // 3)))
    return TSNE(2, perplexity=perplexity, init="pca", random_state=0).fit_transform(unit)


def draw_map(vectors: np.ndarray, train: TrainView, title: str, path: Path) -> None:
    """The most popular items by their vectors (n_items, width), coloured by tag or genre, the famous ones named."""
    items = most_popular(train, ON_MAP)
    points = spread_out(vectors[items])
    kind, theme = themes(train, items)
    with figure(path, "What lies close together", title, width=12, height=9) as (axes,):
        for place, name in enumerate(["", *_frequent(theme)]):
            own = np.array([one == name for one in theme])
            if own.any():
                colour = PALETTE[(place - 1) % len(PALETTE)] if name else "lightgrey"
                axes.scatter(*points[own].T, s=16, color=colour, label=name or f"no frequent {kind}", alpha=0.8)
        _name_famous(axes, points, names_of(train)[items].tolist())
        axes.set(xticks=[], yticks=[], xlabel=f"t-SNE of the item vectors, {len(items):,} most popular items")
        axes.legend(title=kind.capitalize(), loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _frequent(theme: Sequence[str]) -> list[str]:
    return sorted({name for name in theme if name}, key=lambda name: (-list(theme).count(name), name))


def _name_famous(axes: Any, points: np.ndarray, names: list[str]) -> None:
    """Names of the most popular items, but for those that would cover one that stands already."""
    span = np.ptp(points, axis=0)
    placed: list[np.ndarray] = []
    for point, name in zip(points, names, strict=True):
        near = [np.abs(point - other) / span for other in placed]
        if len(placed) < NAMED and not any(gap[0] < 0.10 and gap[1] < 0.025 for gap in near):
            placed.append(point)
            axes.annotate(
                name,
                point,
                xytext=(3, 3),
                textcoords="offset points",
                fontsize=9,
                fontweight="bold",
                bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "alpha": 0.6, "linewidth": 0},
            )
