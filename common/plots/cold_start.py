"""The cold-start curve: accuracy against the number of known items."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from common.plots.style import figure, legend, style

BOLD = "black"
"""Colour of the model that the figure is about."""


def cold_start(rows: Mapping[str, pd.DataFrame], title: str, path: Path, bold: str, single: str) -> None:
    """NDCG@10 against the number of known items, one line per model.

    rows: model -> columns mean, low and high, indexed by the number of given items. `bold` names the model that is
    drawn with its 95% interval, `single` the row that stands at 0 items alone, as a star.
    """
    n_given = next(iter(rows.values())).index if rows else pd.Index([])
    places = np.arange(len(n_given))
    with figure(path, "The cold-start curve", title, width=9.5, height=5.6) as (axes,):
        for place, (name, values) in enumerate(rows.items()):
            values, look = values.reindex(n_given), style(place)
            if name == single:
                bars = [[values["mean"][0] - values["low"][0]], [values["high"][0] - values["mean"][0]]]
                star = {"marker": "*", "markersize": 16, "linestyle": "", "capsize": 4, "color": BOLD}
                axes.errorbar([0], [values["mean"][0]], yerr=bars, label=f"{name} (0 items)", **star)
            elif name == bold:
                axes.plot(places, values["mean"], label=name, **look | {"linewidth": 3.5, "color": BOLD})
                axes.fill_between(places, values["low"], values["high"], color=BOLD, alpha=0.12, linewidth=0)
            else:
                axes.plot(places, values["mean"], label=name, **look)
        axes.set_xticks(places, [str(n) for n in n_given])
        axes.set(xlabel="Known items of a user whom no model has seen", ylim=(0, None))
        axes.set(ylabel="NDCG@10 (95% intervals of the towers')")
        legend(axes)
