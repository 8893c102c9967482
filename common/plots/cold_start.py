"""The cold-start curve: accuracy against the number of known items."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from common.models.neural.two_tower.model import TwoTower
from common.plots.style import figure, legend, style
from common.splits.protocols import N_GIVEN

TOWERS = "black"
"""Colour of the towers on the ladder."""


WITH_FRIENDS = "two_tower, friends known"
"""The row of the towers that are also told who somebody's friends are, and their demographics."""


def draw_cold_start(rows: Mapping[str, pd.DataFrame], title: str, path: Path) -> None:
    """NDCG@10 against the number of known items, one line per model, the towers' with its 95% interval; and where
    the towers stand when they know nothing but friends."""
    places = np.arange(len(N_GIVEN))
    with figure(path, "The cold-start ladder", title, width=9.5, height=5.6) as (axes,):
        for place, (name, values) in enumerate(rows.items()):
            values, look = values.reindex(N_GIVEN), style(place)
            if name == WITH_FRIENDS:
                bars = [[values["mean"][0] - values["low"][0]], [values["high"][0] - values["mean"][0]]]
                star = {"marker": "*", "markersize": 16, "linestyle": "", "capsize": 4, "color": TOWERS}
                axes.errorbar([0], [values["mean"][0]], yerr=bars, label=f"{name} (0 items)", **star)
            elif name == TwoTower.name:
                axes.plot(places, values["mean"], label=name, **look | {"linewidth": 3.5, "color": TOWERS})
                axes.fill_between(places, values["low"], values["high"], color=TOWERS, alpha=0.12, linewidth=0)
            else:
                axes.plot(places, values["mean"], label=name, **look)
        axes.set_xticks(places, [str(rung) for rung in N_GIVEN])
        axes.set(xlabel="Items known of a person whom no model has seen", ylim=(0, None))
        axes.set(ylabel="NDCG@10 (95% intervals of the towers')")
        legend(axes)
