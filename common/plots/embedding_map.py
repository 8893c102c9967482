"""A map of item vectors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.plots.style import PALETTE, figure

NAMED = 30
"""Items whose names stand on the map."""


def embedding_map(
    points: np.ndarray, names: Sequence[str], themes: Sequence[str], kind: str, title: str, path: Path
) -> None:
    """Items as points in a plane (items, 2), most popular first, coloured by theme, the famous ones named.

    themes: the tag or genre of each item, "" without a frequent one; kind: what themes are, "tag" or "genre".
    """
    with figure(path, "What lies close together", title, width=12, height=9) as (axes,):
        for place, name in enumerate(["", *_frequent(themes)]):
            own = np.array([one == name for one in themes])
            if own.any():
                colour = PALETTE[(place - 1) % len(PALETTE)] if name else "lightgrey"
                axes.scatter(*points[own].T, s=16, color=colour, label=name or f"no frequent {kind}", alpha=0.8)
        _name_famous(axes, points, list(names))
        axes.set(xticks=[], yticks=[], xlabel=f"t-SNE of the item vectors, {len(points):,} most popular items")
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
