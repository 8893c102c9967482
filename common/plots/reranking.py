"""The figure of re-ranking: what each method and strength costs in accuracy, and what it gains."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.plots.style import figure, legend, style

PANELS = {
    "ils_tag_10": "Mean cosine of tags in a list  (← better)",
    "ils_genre_10": "Mean cosine of genres in a list  (← better)",
    "calibration_genre_10": "Calibration error, genres, nats  (← better)",
    "calibration_tag_10": "Calibration error, tags, nats  (← better)",
    "coverage_10": "Coverage, share of the catalogue  (better →)",
    "novelty_10": "Novelty, bits  (better →)",
}


def trade_offs(
    model: str, base: Mapping[str, float], rows: Sequence[Mapping[str, Any]], title: str, path: Path
) -> Path:
    """NDCG@10 against what lists are to be besides, a curve for each method from weak to strong, the chosen ringed.

    base: metrics of the run itself; rows: method, strength, chosen and metrics of every try. Returns the path.
    """
    panels = {key: text for key, text in PANELS.items() if key in base}
    rows_of_panels = 2 if len(panels) > 3 else 1
    across = -(-len(panels) // rows_of_panels)
    with figure(path, f"Re-ranking the lists of {model}", title, panels=across, rows=rows_of_panels, width=5.6) as axes:
        for axis, (key, text) in zip(axes, panels.items(), strict=False):
            ring = {"marker": "o", "markersize": 13, "fillstyle": "none", "color": "black", "linestyle": ""}
            for place, method in enumerate(dict.fromkeys(row["method"] for row in rows)):
                tried = [row for row in rows if row["method"] == method and key in row]
                x, y = ([base[name], *(row[name] for row in tried)] for name in (key, "ndcg_10"))
                axis.plot(x, y, label=method, markersize=6, **style(place))
                for row in (row for row in tried if row["chosen"]):
                    axis.plot(row[key], row["ndcg_10"], **ring)
            axis.plot(base[key], base["ndcg_10"], "*", markersize=16, color="black", label=f"{model} itself")
            axis.plot([], [], label="chosen strength", **ring)
            axis.set(xlabel=text, ylabel="NDCG@10")
        for spare in axes[len(panels) :]:
            spare.set_visible(False)
        legend(axes[0])
    return path
