"""Figures of trained networks: training curves, accuracy by length of the history, attention, a map of item vectors."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.plots.style import PALETTE, figure, legend, style

EVENTS = 16
"""Last events of a history whose attention is drawn."""


def training_curves(curves: Mapping[str, Sequence[float | None]], title: str, path: Path) -> None:
    """Loss of both trainings, and NDCG@10 on validation with the epoch that was kept."""
    validated = [(e, v) for e, v in enumerate(curves.get("val/ndcg_10", []), start=1) if v is not None]
    with figure(path, "Training", title, panels=2 if validated else 1) as axes:
        for place, (name, text) in enumerate((("train/loss", "train"), ("refit/loss", "train + validation"))):
            if name in curves:
                epochs = np.arange(1, len(curves[name]) + 1)
                axes[0].plot(epochs, curves[name], label=f"trained on {text}", **style(place), markevery=0.1)
        axes[0].set(xlabel="Epoch", ylabel="Loss per event")
        axes[0].legend()
        if validated:
            epochs, values = np.array(validated).T
            best = int(np.argmax(values))
            axes[1].plot(epochs, values, marker="o", markersize=4, color=PALETTE[2])
            kept = f"kept: epoch {epochs[best]:.0f}, {values[best]:.4f}"
            axes[1].axvline(epochs[best], color="grey", linestyle="--", label=kept)
            axes[1].legend(loc="lower right")
            axes[1].set(xlabel="Epoch", ylabel="Validation NDCG@10")


def accuracy_by_length(tables: Mapping[str, pd.DataFrame], title: str, path: Path) -> None:
    """NDCG@10 and HR@10 against the length of the history, one line per model.

    tables: model -> columns ndcg_10 and hr_10, a row per group of users, indexed by the group's median length.
    """
    with figure(path, "Accuracy by length of the history", title, panels=2) as axes:
        for place, (name, values) in enumerate(tables.items()):
            for panel, metric in zip(axes, ("ndcg_10", "hr_10"), strict=True):
                panel.plot(values.index, values[metric], label=name, **style(place))
        for panel, name in zip(axes, ("NDCG@10", "HR@10"), strict=True):
            ticks = sorted(set(values.index.astype(int)))
            panel.set(xlabel="Events in the visible history (median of the group)", ylabel=name, ylim=(0, None))
            if len(ticks) > 1:
                panel.set_xscale("log")
                panel.set_xticks(ticks, [str(tick) for tick in ticks])
                panel.minorticks_off()
        legend(axes[0])


def attention(events: Sequence[str], weights: np.ndarray, title: str, path: Path, note: str = "") -> None:
    """What the last event of a history looks at: its last events downwards, one panel per block, one column per head.

    `weights`: (layers, heads, events).
    """
    title = f"{title}, {note}" if note else title
    shown, part = list(events)[-EVENTS:], weights[:, :, -EVENTS:]
    height, width = 1.8 + 0.34 * len(shown), max(5.2, 9.5 / len(part))
    with figure(path, "What the last event looks at", title, panels=len(part), width=width, height=height) as axes:
        for layer, (panel, of_heads) in enumerate(zip(axes, part, strict=True), start=1):
            image = panel.imshow(of_heads.T, aspect="auto", cmap="viridis", vmin=0, vmax=part.max())
            panel.set_xticks(range(len(of_heads)), [str(head) for head in range(1, len(of_heads) + 1)])
            names = [name if len(name) < 28 else f"{name[:26]}…" for name in shown]
            panel.set_yticks(range(len(shown)), names if layer == 1 else [])
            panel.set(xlabel="Head", title=f"Block {layer}")
            panel.grid(False)
        axes[0].set_ylabel("History, latest last")
        axes[0].figure.colorbar(image, ax=axes, label="Attention")


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
