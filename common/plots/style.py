"""One look for all figures: titled, labelled, colour-blind safe, readable on a slide."""

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.category import StrCategoryFormatter
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.ticker import EngFormatter, FixedFormatter, FuncFormatter, LogLocator, NullLocator, PercentFormatter

from common.utils.io import atomic
from common.utils.terminal import visible

OTHER_SCRIPTS = ("Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans Devanagari", "Noto Sans Arabic", "Arial Unicode MS")
MARKERS = "osD^vPX*<>hd"
FAST = {"compress_level": 1}
"""How PNG files are packed: a fifth larger than as is usual, for half of the time, which was a fifth of a figure's."""
COLOUR_BAR = "<colorbar>"
"""What matplotlib calls the axes of one."""


def style(place: int) -> dict:
    """Colour and marker of the n-th model: told apart without colour, too."""
    line = ("-", "--", ":")[place // len(PALETTE) % 3]
    return {"color": PALETTE[place % len(PALETTE)], "marker": MARKERS[place % len(MARKERS)], "linestyle": line}


def legend(axes: Axes) -> None:
    """A legend beside the last panel, where it covers nothing."""
    handles, labels = axes.get_legend_handles_labels()
    axes.figure.legend(handles, labels, loc="outside right center", frameon=False)


matplotlib.use("Agg")


THEME = matplotlib.rc_params_from_file(Path(__file__).with_name("seaborn.mplstyle"), use_default_template=False)
PALETTE = [to_rgb(color) for color in THEME["axes.prop_cycle"].by_key()["color"]]


@cache
def fonts() -> list[str]:
    """The font of all figures, then those installed that have other scripts; a letter that none has is a box."""
    installed = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in OTHER_SCRIPTS if name in installed)]


class Drawing(Figure):
    """A figure without a window, whose layout is computed without drawing everything once for that."""

    def draw(self, renderer: RendererBase) -> None:
        """Place the parts, or draw them: who saves a figure with a layout calls twice, the second time without it."""
        layout = self.get_layout_engine()
        if isinstance(layout, ConstrainedLayoutEngine):
            layout.execute(self)
            self.stale = False
        else:
            super().draw(renderer)


@contextmanager
def figure(
    path: Path, title: str, dataset: str, panels: int = 1, rows: int = 1, width: float = 6.4, height: float = 4.8
) -> Iterator[list[Any]]:
    """Yield the axes of a figure of `panels` side by side in each row, and write it as PNG when the block ends.

    Of several rows, panels that stay empty are hidden.
    The axes are not typed: matplotlib's annotations refuse the arrays and dates that it takes.
    The data set's name stands beside the title, so that no picture of generated data passes for a real one.
    """
    matplotlib.rcParams.update(THEME | {"font.family": fonts()})
    size = (width * panels, (height if rows == 1 else 3.4) * rows)
    drawing = Drawing(figsize=size, layout="constrained")
    FigureCanvasAgg(drawing)
    axes = drawing.subplots(rows, panels, squeeze=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        yield list(axes.ravel())
        for panel in axes.flat:
            panel.set_visible(rows == 1 or panel.has_data())
        drawing.suptitle(f"{title}  ·  {dataset}", fontsize=15, fontweight="bold")
        show_names(drawing)
        leave_out_unseen_ticks(drawing)
        with atomic(path) as temporary:
            drawing.savefig(temporary, dpi=120, format="png", metadata={"Software": None}, pil_kwargs=FAST)


def show_names(drawing: Figure) -> None:
    """Make every text that may hold a name show it: control characters as escapes, and dollars as dollars, not as the
    start of a formula. Labels that matplotlib writes to numbers stay formulas."""
    for text in texts(drawing):
        text.set_text(visible(text.get_text()))
        text.set_parse_math(False)
    for axis in (axis for panel in drawing.axes for axis in (panel.xaxis, panel.yaxis)):
        formatter = axis.get_major_formatter()
        if isinstance(formatter, FixedFormatter | FuncFormatter | StrCategoryFormatter):
            formatter.format_ticks = partial(_shown_labels, formatter.format_ticks)  # type: ignore[method-assign]


def leave_out_unseen_ticks(drawing: Figure) -> None:
    """Make no ticks between the powers of ten where an axis spans two or more: matplotlib labels none of them, the
    theme marks none but those of colour bars, and to place them takes a third of a figure's time."""
    panels = [panel for panel in drawing.axes if panel.get_label() != COLOUR_BAR]
    for axis in (axis for panel in panels for axis in (panel.xaxis, panel.yaxis)):
        low, high = sorted(axis.get_view_interval())
        if isinstance(axis.get_minor_locator(), LogLocator) and 0 < 100 * low < high:
            axis.set_minor_locator(NullLocator())


def texts(artist: Artist) -> Iterator[Text]:
    """The texts of a figure or a part of it, those of the ticks left out: to list them is to make every tick."""
    for part in artist.get_children():
        if isinstance(part, Text):
            yield part
        yield from [part.label] if isinstance(part, Axis) else texts(part)


def _shown_labels(labels: Callable[[Any], list[str]], places: Any) -> list[str]:
    return [_label(label) for label in labels(places)]


def _label(name: object) -> str:
    """A name as the label of a tick, which cannot be told to parse no formula.

    >>> print(_label("A$AP\x1b"))
    A\\$AP\\x1b
    """
    return re.sub(r"(?<!\\)\$", r"\\$", visible(str(name)))


def bin_edges(values: np.ndarray | pd.Series, bins: int) -> np.ndarray:
    """Edges of `bins` equal bins over all values, also where these are one value, none, or huge with a tiny spread.

    >>> bin_edges(np.array([1e15, 1e15]), 2).tolist()
    [999999999999999.0, 1000000000000000.0, 1000000000000001.0]
    """
    low, high = (float(np.min(values)), float(np.max(values))) if len(values) else (0.0, 1.0)
    least = max(1e-9, 8 * bins * float(np.spacing(max(abs(low), abs(high)))))  # narrower bins would have equal edges
    room = max(0.0, least - (high - low)) / 2
    return np.linspace(low - room, high + room, bins + 1)


def percent_axis(axis: Axis) -> None:
    """Label an axis of shares 0..1 in whole percent."""
    axis.set_major_formatter(PercentFormatter(1, decimals=0))


def plain_log_axis(axis: Axis) -> None:
    """Label a logarithmic axis 0.1, 1, 10, 100, 1k instead of powers of ten."""
    large = EngFormatter(sep="")
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if value < 1 else large(value)))


def thousands_axis(axis: Axis) -> None:
    """Label an axis with thousands separated."""
    axis.set_major_formatter("{x:,.0f}")


def heat_map(axes: Axes, values: pd.DataFrame, **look: Any) -> None:
    """Values (rows, columns) as colours; look: what seaborn's heatmap takes, which draws its labels at once."""
    import seaborn as sns  # which takes longer to import than most figures to draw

    sns.heatmap(values.rename(index=_label, columns=_label), ax=axes, **look)


def correlation_map(axes: Axes, correlations: pd.DataFrame, **look: Any) -> None:
    """Correlations (rows, columns) as a heat map with their values; look: what seaborn's heatmap takes."""
    common = {"vmin": -1, "vmax": 1, "cmap": "RdBu_r", "annot": True, "fmt": ".2f"}
    heat_map(axes, correlations, **common | look)
