"""Figures of a prepared log: how many events there are over time, and how few items hold most of the plays."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import matplotlib.dates as mdates
import numpy as np

from common.plots.style import PALETTE, figure, percent_axis, plain_log_axis, thousands_axis


def prepared_log(
    months: Mapping[str, int], cut: Mapping[str, int], curve: Mapping[str, Sequence[float]], dataset: str, path: Path
) -> None:
    """Events by month (`2019-05` -> events) with the cuts (valid_from, test_from, in seconds since 1970), and the share
    of plays in train (`share_of_plays`) that the most played items hold (`items`: how many)."""
    with figure(path, "Events over time, and the long tail", dataset, panels=2) as (left, right):
        first = [datetime.fromisoformat(f"{month}-01") for month in months]
        left.bar(first, list(months.values()), width=27, align="edge", color=PALETTE[0])
        for part, color in (("valid", PALETTE[1]), ("test", PALETTE[3])):
            day = datetime.fromtimestamp(cut[f"{part}_from"], UTC).replace(tzinfo=None)
            left.axvline(day, color=color, linestyle="--", label=f"{part} from {day:%Y-%m-%d}")
        left.xaxis.set_major_locator(mdates.AutoDateLocator(minticks=2, maxticks=8))
        left.xaxis.set_major_formatter(mdates.ConciseDateFormatter(left.xaxis.get_major_locator()))
        left.set(xlabel="Month", ylabel="Events", title="Events by month")
        thousands_axis(left.yaxis)
        left.margins(y=0.25)  # room for the legend
        left.legend(loc="upper left", fontsize=10, ncols=2)
        right.plot(curve["items"], curve["share_of_plays"], color=PALETTE[0], linewidth=2.5)
        right.set(xscale="log", ylim=(0, 1.02), xlabel="Most played items", ylabel="Share of plays in train")
        right.set_title("How few items hold most plays")
        plain_log_axis(right.xaxis)
        percent_axis(right.yaxis)
        for share in (0.5, 0.8):
            place = int(np.searchsorted(curve["share_of_plays"], share))
            if place < len(curve["items"]):
                items = curve["items"][place]
                right.annotate(
                    f"{share:.0%}: {items:,} items",
                    (items, curve["share_of_plays"][place]),
                    xytext=(-6, 4),
                    textcoords="offset points",
                    ha="right",
                    fontsize=10,
                )
