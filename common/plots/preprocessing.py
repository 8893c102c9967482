"""Figures of the preprocessor: what it changed, and what its columns have in common."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from common.plots.style import PALETTE, bin_edges, correlation_map, figure, thousands_axis

ANNOTATED = 24
"""With more columns than this, the cells of a heat map are too small for a number."""


def before_after(before: pd.DataFrame, after: pd.DataFrame, dataset: str, path: Path) -> bool:
    """Plays, energy and time signature of interactions before (top) and after (below); False if there is none.

    before: a frame as `MusicPreprocessor.fit_transform` takes it; after: what it gave.
    """
    panels: dict[tuple[str, str], Callable[[Any, Any], None]] = {
        ("weight", "plays_log"): lambda top, below: _draw_plays(before, after, top, below),
        ("energy", "energy"): lambda top, below: _draw_energy(before, after, top, below),
        ("time_signature", "time_signature_3"): lambda top, below: _draw_time_signature(before, after, top, below),
    }
    there = [draw for (old, new), draw in panels.items() if old in before and new in after]
    if not there or not len(before) or not len(after):
        return False
    with figure(path, "Before and after preprocessing", dataset, panels=len(there), rows=2, width=5.4) as axes:
        for place, draw in enumerate(there):
            draw(axes[place], axes[len(there) + place])
        for panel in axes:
            thousands_axis(panel.yaxis)
            panel.set_ylabel("Interactions" if panel in (axes[0], axes[len(there)]) else "")
    return True


def _draw_plays(before: pd.DataFrame, after: pd.DataFrame, top: Any, below: Any) -> None:
    plays = _finite(before["weight"])
    most = float(np.quantile(plays, 0.95)) if len(plays) else 0.0
    top.hist(plays[plays <= most], bins=bin_edges(plays[plays <= most], 40), color=PALETTE[0])
    top.set(title="Before: plays", xlabel=f"Plays, lowest 95% (largest {plays.max(initial=0):,.0f})")
    thousands_axis(top.xaxis)
    top.xaxis.set_major_locator(MaxNLocator(5))
    below.hist(after["plays_log"], bins=bin_edges(after["plays_log"], 40), color=PALETTE[1])
    below.set(title="After: plays_log", xlabel="log(1 + plays)")


def _draw_energy(before: pd.DataFrame, after: pd.DataFrame, top: Any, below: Any) -> None:
    energy, imputed = _finite(before["energy"]), _imputed(after, "energy")
    missing = 1 - len(energy) / len(before)
    top.hist(energy, bins=bin_edges(energy, 40), color=PALETTE[0])
    top.set(title="Before: energy", xlabel=f"Energy ({missing:.0%} of the interactions without)")
    values = after["energy"].to_numpy(float)
    below.hist(values[~imputed], bins=bin_edges(values[~imputed], 40), color=PALETTE[1])
    below.set(title="After: energy", xlabel="Scaled energy")
    if imputed.any():  # a bar of them would dwarf all others
        label = f"{imputed.sum():,} imputed here"
        below.axvline(values[imputed][0], color="black", linestyle="--", label=label)
        below.legend(loc="upper left")


def _draw_time_signature(before: pd.DataFrame, after: pd.DataFrame, top: Any, below: Any) -> None:
    beats = pd.to_numeric(before["time_signature"], errors="coerce").map("{:g}".format, na_action="ignore")
    _bars(top, beats.fillna("missing").value_counts().sort_index(), PALETTE[0])
    top.set(title="Before: time_signature", xlabel="Beats to the bar")
    imputed = pd.Series(_imputed(after, "time_signature"), after.index)
    named = after["time_signature_3"].map({1: "1: three beats", 0: "0: four beats"})
    counts = named.value_counts().reindex(["1: three beats", "0: four beats"], fill_value=0)
    _bars(below, counts, PALETTE[1], "in the data" if imputed.any() else None)
    if imputed.any():
        filled = named[imputed].value_counts()
        bottom = (counts - filled.reindex(counts.index, fill_value=0))[filled.index]
        below.bar(filled.index, filled, bottom=bottom, color=PALETTE[7], label=f"imputed ({imputed.sum():,})")
        below.legend(loc="upper left")
    below.set(title="After: time_signature_3", xlabel="Beats to the bar")


def _bars(panel: Any, counts: pd.Series, color: Any, label: str | None = None) -> None:
    bars = panel.bar(counts.index, counts.to_numpy(), color=color, label=label)
    panel.bar_label(bars, labels=[f"{n:,}" for n in counts], padding=2, fontsize=11)
    panel.margins(y=0.15)
    panel.grid(axis="x", visible=False)


def _imputed(after: pd.DataFrame, column: str) -> np.ndarray:
    flag = f"{column}_missing"
    return after[flag].to_numpy(bool) if flag in after else np.zeros(len(after), bool)


def _finite(values: pd.Series) -> np.ndarray:
    plain = pd.to_numeric(values, errors="coerce").to_numpy(float, na_value=np.nan)
    return plain[np.isfinite(plain)]


def correlations(after: pd.DataFrame, columns: Sequence[str], dataset: str, path: Path) -> bool:
    """Pearson correlations of output columns, each pair once; False where fewer than two of them vary."""
    values = after[[column for column in columns if column in after]].astype(float)
    values = values.loc[:, values.max() > values.min()]
    n = values.shape[1]
    if n < 2:
        return False
    correlations = values.corr().iloc[1:, :-1].round(2) + 0.0  # no -0.00
    mask = np.triu(np.ones((n - 1, n - 1), bool), 1)
    side = 2.6 + 0.55 * n
    with figure(path, "Correlations of the preprocessed columns", dataset, width=max(8.0, side + 1.5), height=side) as (
        axes,
    ):
        look = {"annot_kws": {"fontsize": 9}, "cbar_kws": {"label": "Pearson correlation", "shrink": 0.7}}
        correlation_map(axes, correlations, mask=mask, annot=n <= ANNOTATED, linewidths=0.5, **look)
        axes.grid(visible=False)
        axes.tick_params(axis="x", rotation=90)
        axes.tick_params(axis="y", rotation=0)
        axes.set_xlabel(" ")  # room below the names
    return True
