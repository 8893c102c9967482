"""The page's charts as Plotly figures: one colour and marker per model, whatever the chart or the protocol."""

import html
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from common.evaluation.curves import curves
from common.evaluation.registry import LISTS, PAGE, axis, describe, label, title
from common.reporting.html.leaderboards import Leaderboard

COLOURS = (
    *("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#e07b00", "#0fa3b1", "#8c564b", "#d65db1", "#8a8b00", "#6f6f6f"),
    *("#0b3c5d", "#7b1e22", "#145214", "#4b2a7b", "#a65200", "#0e6b75", "#4a2f27", "#a1286a", "#5c5c00", "#222222"),
)
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "star", "pentagon", "hexagon")
CHANCE = "random"
"""The model that the charts leave out: it would squeeze all others into one corner."""


class Styles:
    """Colour and marker of every row of any leaderboard: one colour for a model, open markers for its other presets."""

    def __init__(self, boards: Sequence[Leaderboard]) -> None:
        rows = pd.concat([board.rows[["stage", "model", "preset"]] for board in boards]).drop_duplicates()
        names = rows.sort_values(["stage", "model"])["model"].drop_duplicates().tolist()
        presets = rows.groupby("model")["preset"].agg(set)
        self.alone = {name for name in names if len(presets[name]) == 1}
        self.places = {name: place for place, name in enumerate(names)}

    def colour(self, row: pd.Series) -> str:
        """Colour of a row's model."""
        return COLOURS[self.places[row["model"]] % len(COLOURS)]

    def plain(self, row: pd.Series) -> bool:
        """Whether a row is its model's main one: tuned, or of the only preset there is."""
        return row["preset"] == "tuned" or row["model"] in self.alone

    def line(self, row: pd.Series) -> dict[str, Any]:
        """Line of a row: dashed where it is not the main one."""
        return {"color": self.colour(row), "width": 2, "dash": "solid" if self.plain(row) else "dash"}

    def marker(self, row: pd.Series, size: int) -> dict[str, Any]:
        """Marker of a row: open where it is not the main one."""
        symbol = SYMBOLS[self.places[row["model"]] % len(SYMBOLS)] + ("" if self.plain(row) else "-open")
        return {
            "color": self.colour(row),
            "symbol": symbol,
            "size": size,
            "line": {"width": 1.5, "color": self.colour(row)},
        }


def charts(board: Leaderboard, styles: Styles) -> dict[str, list[dict[str, Any]]]:
    """Section of the page -> its figures as plain JSON; a section without any is left out."""
    rows = board.rows[board.rows["label"].isin(board.results) & (board.rows["model"] != CHANCE)]
    known = [metric for metric in PAGE[LISTS] if metric in rows and rows[metric].notna().any()]
    drawn = {
        "length": by_length(board, rows, styles),
        "pareto": [against(rows, metric, styles) for metric in known if len(rows) > 1],
        "training": training(board, rows, styles),
    }
    return {name: [json.loads(figure.to_json()) for figure in figures] for name, figures in drawn.items() if figures}


def by_length(board: Leaderboard, rows: pd.DataFrame, styles: Styles) -> list[go.Figure]:
    """NDCG@k and recall@k against k."""
    found = {row["label"]: curves(board.results[row["label"]].targets) for _, row in rows.iterrows()}
    figures = []
    for metric in next(iter(found.values()), {}):
        figure = _figure("k, length of the list", metric, log=True)
        for _, row in rows.iterrows():
            _line(figure, row, styles, found[row["label"]][metric], "k = %{x}: %{y:.4f}", mode="lines")
        figures.append(figure)
    return figures


def against(rows: pd.DataFrame, metric: str, styles: Styles) -> go.Figure:
    """NDCG@10 against another metric, and the Pareto front."""
    figure, known = _figure(axis(metric), label("ndcg_10")), rows[rows[metric].notna()]
    front = pareto(known[metric] * describe(metric).better, known["ndcg_10"])
    edge = known[front].sort_values(metric)
    figure.add_scatter(
        x=edge[metric],
        y=edge["ndcg_10"],
        mode="lines",
        hoverinfo="skip",
        line={"color": "#999", "dash": "dot", "width": 1.5},
    )
    for (_, row), best in zip(known.iterrows(), front, strict=True):
        hover = f"{label('ndcg_10')} %{{y:.4f}}<br>{title(metric)} %{{x:.4f}}"
        hover += "<br>on the Pareto front" if best else ""
        _trace(figure, row, [row[metric]], [row["ndcg_10"]], "markers", styles.marker(row, 13), hover)
    return figure


def pareto(first: pd.Series, second: pd.Series) -> np.ndarray:
    """The Pareto front: bool (n,), True where no other point is at least as large in both and larger in one.

    >>> pareto(pd.Series([1, 2, 1]), pd.Series([3, 1, 2])).tolist()
    [True, True, False]
    """
    a, b = first.to_numpy(float), second.to_numpy(float)
    no_worse = (a >= a[:, None]) & (b >= b[:, None])
    larger = (a > a[:, None]) | (b > b[:, None])
    return np.logical_not((no_worse & larger).any(axis=1))


def training(board: Leaderboard, rows: pd.DataFrame, styles: Styles) -> list[go.Figure]:
    """NDCG@10 on validation and the loss in units of the first epoch's, for every row that kept its curves."""
    validated = _figure("epoch", f"{label('ndcg_10')} on validation")
    losses = _figure("epoch or iteration", "loss / loss of the first")
    for _, row in rows.iterrows():
        kept = board.results[row["label"]].run.curves()
        _line(validated, row, styles, kept.get("val/ndcg_10", []), "epoch %{x}: %{y:.4f}")
        for name, text in (("train/loss", "train"), ("refit/loss", "refit on train + validation")):
            loss = np.array(kept.get(name, []), float)
            if first := next(iter(loss[np.isfinite(loss)]), 0):
                hover = f"{text}, epoch %{{x}}: loss %{{customdata:.5g}}"
                _line(losses, row, styles, loss / first, hover, loss, "dot" if name == "refit/loss" else None)
    figures = [figure for figure in (validated, losses) if figure.data]
    for figure in figures:
        if max(max(trace.x) for trace in figure.data) <= 12:
            figure.update_xaxes(dtick=1)
    return figures


def _line(
    figure: go.Figure,
    row: pd.Series,
    styles: Styles,
    values: Any,
    hover: str,
    custom: np.ndarray | None = None,
    dash: str | None = None,
    mode: str = "lines+markers",
) -> None:
    """A row's values at 1, 2, ..., gaps left out; custom: further numbers for `hover`."""
    values = np.array(values, float)
    known = np.flatnonzero(np.isfinite(values))
    if len(known):
        line = styles.line(row) | ({"dash": dash} if dash else {})
        more = {"line": line, "customdata": None if custom is None else custom[known]}
        x, y = (known + 1).astype(np.int16), values[known].astype(np.float32)
        _trace(figure, row, x, y, mode, styles.marker(row, 5), hover, **more)


def _trace(
    figure: go.Figure, row: pd.Series, x: Any, y: Any, mode: str, marker: dict[str, Any], hover: str, **more: Any
) -> None:
    name = html.escape(row["label"], quote=False)  # Plotly takes some tags in a text for markup
    hover = f"<b>{name}</b><br>{hover}<extra></extra>"
    figure.add_scatter(x=x, y=y, mode=mode, name=name, meta=row["label"], marker=marker, hovertemplate=hover, **more)


AXIS: dict[str, Any] = {"gridcolor": "#e6e6e2", "zeroline": False, "linecolor": "#999", "automargin": True}
LAYOUT: dict[str, Any] = {
    "template": None,
    "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#222"},
    "margin": {"l": 56, "r": 18, "t": 28, "b": 52},
    "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#bbb", "activecolor": "#0b6e69"},
    "showlegend": False,
    "hovermode": "closest",
    "hoverlabel": {"bgcolor": "white", "font": {"color": "#222"}},
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "height": 340,
}
"""What all charts have in common."""


def _figure(x: str, y: str, log: bool = False) -> go.Figure:
    horizontal = AXIS | {"title": _title(x)}
    if log:
        ticks = [1, 2, 5, 10, 20, 50, 100]
        horizontal |= {"type": "log", "tickvals": ticks, "ticktext": [str(tick) for tick in ticks]}
    vertical = AXIS | {"title": _title(y), "rangemode": "tozero" if log else "normal"}
    return go.Figure(layout=LAYOUT | {"xaxis": horizontal, "yaxis": vertical})


def _title(text: str) -> dict[str, Any]:
    return {"text": text, "standoff": 8, "font": {"size": 13}}
