"""Where each model stands under every variant of the protocol, and how similarly the variants order the models."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.plots.style import figure, style


def sensitivity(means: pd.DataFrame, taus: np.ndarray, metric: str, dataset: str, path: Path) -> Path:
    """Left: a row per variant, a mark per model. Right: Kendall's tau between the orders of every two variants.

    means: value of each model (columns) under each variant (rows, "protocol, variant"); taus: (rows, rows); metric:
    label of the value. Returns the path.
    """
    title, height = "The same models under other protocols", 2 + 0.42 * len(means)
    with figure(path, title, dataset, panels=2, width=8, height=height) as (values, similarity):
        _draw_means(values, means, metric)
        _draw_taus(similarity, taus, list(means.index))
    return path


def _draw_means(panel: Any, means: pd.DataFrame, metric: str) -> None:
    for place, model in enumerate(means):
        known = np.flatnonzero(means[model].notna())
        apart = 0.4 * (place / max(1, means.shape[1] - 1) - 0.5)  # marks at the same value stay visible
        look = style(place) | {"linestyle": "", "markersize": 8, "alpha": 0.9}
        panel.plot(means[model].iloc[known], known + apart, label=model, **look)
    names = list(means.index)
    for row in range(1, len(names)):
        if names[row].split(",")[0] != names[row - 1].split(",")[0]:
            panel.axhline(row - 0.5, color="grey", linewidth=1)
    panel.set(xlabel=metric, xlim=(0, None), title="Where each model stands")
    panel.set_yticks(range(len(names)), names)
    panel.invert_yaxis()
    panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=4, frameon=False, fontsize=11)


def _draw_taus(panel: Any, taus: np.ndarray, names: list[str]) -> None:
    picture = panel.imshow(taus, vmin=-1, vmax=1, cmap="RdBu", aspect="auto")
    for (row, column), tau in np.ndenumerate(taus):
        text, colour = "" if np.isnan(tau) else f"{tau:.2f}", "w" if abs(tau) > 0.6 else "k"
        panel.text(column, row, text, ha="center", va="center", fontsize=9, color=colour)
    panel.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=9)
    panel.set_yticks(range(len(names)), [])
    panel.grid(visible=False)
    panel.set_title("Kendall's tau: 1 the same order, 0 unlike, -1 reversed")
    panel.figure.colorbar(picture, ax=panel, shrink=0.8)
