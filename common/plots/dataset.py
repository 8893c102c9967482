"""The figures of stage 0, one function each; each returns False where the data has nothing to draw."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns

from common.data.dataset import Dataset
from common.data.quality import shares_by_column
from common.data.tables import AUDIO_FEATURES
from common.plots.style import PALETTE, figure, percent_axis, plain_log_axis, thousands_axis
from common.splits.statistics import lorenz

GENRES = 8
"""Genres shown: the ones with the most items."""


def draw_all(data: Dataset, statistics: dict[str, Any], folder: Path) -> list[Path]:
    """Draw every figure that the data has something for; returns their paths."""
    drawings: dict[str, Callable[[Path], bool]] = {
        "activity": lambda path: draw_activity(data, path),
        "popularity": lambda path: draw_popularity(data, statistics["gini_of_listeners"], path),
        "content": lambda path: draw_content(data, statistics["with_content"], path),
        "friends_and_tags": lambda path: draw_friends_and_tags(data, path),
        "timeline": lambda path: draw_timeline(data, path),
        "audio": lambda path: draw_audio(data, path),
        "audio_correlations": lambda path: draw_audio_correlations(data, path),
        "audio_by_genre": lambda path: draw_audio_by_genre(data, path),
        "cold_start": lambda path: draw_cold_start(data, statistics["splits"], path),
        "quality": lambda path: draw_quality(data, statistics["quality"], path),
    }
    paths = {name: folder / f"{name}.png" for name in drawings}
    return [paths[name] for name, draw in drawings.items() if draw(paths[name])]


def draw_activity(data: Dataset, path: Path) -> bool:
    """Items per user; plays per interaction, plain and on a logarithmic axis."""
    rows = data.tables.interactions
    with figure(path, "How much people listen", data.name, panels=3, width=5.6) as (left, middle, right):
        per_user = rows.groupby("user_id").size()
        left.hist(per_user, bins=np.arange(0.5, per_user.max() + 1.5, max(1, per_user.max() // 50)), color=PALETTE[0])
        left.set(xlabel="Items in the history", ylabel="Users (logarithmic)", yscale="log", title="History length")
        plain_log_axis(left.yaxis)
        plays = rows["weight"]
        most = plays.quantile(0.95)
        middle.hist(plays[plays <= most], bins=40, color=PALETTE[1])
        middle.set(
            xlabel="Plays of a user and item", ylabel="Interactions", title=f"Plays, lowest 95% (to {most:,.0f})"
        )
        right.hist(plays, bins=whole_number_edges(plays.max()), color=PALETTE[1])
        right.axvline(plays.median(), color="black", linestyle="--", label=f"median {plays.median():,.0f}")
        right.set(xlabel="Plays (logarithmic)", xscale="log", ylabel="Interactions", title="Plays, all of them")
        plain_log_axis(right.xaxis)
        right.legend()
        thousands_axis(middle.yaxis)
        thousands_axis(right.yaxis)
    return True


def whole_number_edges(largest: float, bins: int = 40) -> np.ndarray:
    """Bin edges that grow by a constant factor and lie between whole numbers, so that no bin is empty by chance."""
    return np.unique(np.round(np.geomspace(1, largest + 1, bins))) - 0.5


def draw_popularity(data: Dataset, gini: float, path: Path) -> bool:
    """Listeners by popularity rank, and the Lorenz curve of listeners and plays."""
    by_item = data.tables.interactions.groupby("item_id")["weight"].agg(["size", "sum"])
    with figure(path, "How unequal popularity is", data.name, panels=2) as (left, right):
        listeners = np.sort(by_item["size"].to_numpy())[::-1]
        left.loglog(np.arange(1, len(listeners) + 1), listeners, color=PALETTE[0], linewidth=2.5)
        left.set(xlabel="Popularity rank of the item", ylabel="Listeners", title="The long tail")
        plain_log_axis(left.xaxis)
        plain_log_axis(left.yaxis)
        for label, column, color in (("listeners", "size", PALETTE[0]), ("plays", "sum", PALETTE[1])):
            right.plot(*lorenz(by_item[column].to_numpy()), label=label, color=color, linewidth=2.5)
        right.plot([0, 1], [0, 1], color="grey", linestyle="--", label="all items alike")
        right.set(xlabel="Items, least popular first", ylabel="Share held", title=f"Lorenz curve, Gini {gini:.2f}")
        percent_axis(right.xaxis)
        percent_axis(right.yaxis)
        right.legend(loc="upper left")
    return True


def draw_content(data: Dataset, shares: dict[str, dict[str, float]], path: Path) -> bool:
    """What share of items, interactions and plays has genres, audio and tags."""
    if not shares:
        return False
    with figure(path, "What is known of the items", data.name, width=9) as (axes,):
        for place, kind in enumerate(("items", "interactions", "plays")):
            at = np.arange(len(shares)) + 0.27 * (place - 1)
            bars = axes.bar(at, [s[kind] for s in shares.values()], 0.25, label=f"of {kind}", color=PALETTE[place])
            axes.bar_label(bars, fmt="{:.0%}", padding=2, fontsize=11)
        axes.set_xticks(np.arange(len(shares)), [f"with {name}" for name in shares])
        axes.set(ylabel="Share", ylim=(0, 1.12), yticks=np.arange(0, 1.01, 0.2))
        percent_axis(axes.yaxis)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=3, frameon=False)
        axes.grid(axis="x", visible=False)
    return True


def draw_friends_and_tags(data: Dataset, path: Path) -> bool:
    """Friends per user, and the tags used most."""
    tables = data.tables
    tags = [t["tag"] for t in (tables.user_item_tags, tables.item_tags) if t is not None]
    panels = (tables.social is not None) + bool(tags)
    if not panels:
        return False
    with figure(path, "Friends and tags", data.name, panels=panels) as axes:
        if tables.social is not None:
            friends = tables.social.groupby("user_id").size()
            most = int(friends.quantile(0.99))
            axes[0].hist(friends[friends <= most], bins=np.arange(0.5, most + 1.5), color=PALETTE[0])
            title = f"{len(friends):,} users have friends, {friends.median():.0f} in the median"
            axes[0].set(xlabel=f"Friends (up to {most}: 99% of the users)", ylabel="Users", title=title)
        if tags:
            top = pd.concat(tags).value_counts().head(15)[::-1]
            axes[-1].barh(top.index.astype(str), top.to_numpy(), color=PALETTE[2])
            axes[-1].set(xlabel="Assignments", title="The tags used most")
            thousands_axis(axes[-1].xaxis)
            axes[-1].grid(axis="y", visible=False)
    return True


def draw_timeline(data: Dataset, path: Path) -> bool:
    """Dated events per month."""
    tables = data.tables
    dated = tables.interactions if "timestamp" in tables.interactions else tables.user_item_tags
    if dated is None or "timestamp" not in dated:
        return False
    what = "interactions" if dated is tables.interactions else "tag assignments"
    times = pd.Series(pd.to_datetime(dated["timestamp"], unit="s"))
    # A handful of impossible dates would stretch the axis over decades: the ends hold one event in a thousand.
    first, last = np.quantile(dated["timestamp"], [0.0005, 0.9995])
    usual = times[dated["timestamp"].between(first, last)]
    months = usual.dt.to_period("M").dt.to_timestamp().value_counts().sort_index()
    with figure(path, f"When: {what} per month", data.name, width=10) as (axes,):
        axes.bar(months.index, months.to_numpy(), width=timedelta(days=25), color=PALETTE[0])
        left_out = len(times) - len(usual)
        axes.set(xlabel=f"Month ({left_out:,} earliest and latest events not shown)", ylabel=what.capitalize())
        thousands_axis(axes.yaxis)
    return True


def sounding(data: Dataset) -> pd.DataFrame | None:
    """The songs, or else the items, that have audio features."""
    for table in (data.tables.songs, data.tables.items):
        if table is not None and set(AUDIO_FEATURES) <= set(table.columns):
            known = table.dropna(subset=list(AUDIO_FEATURES))
            return known if len(known) > 1 else None
    return None


def draw_audio(data: Dataset, path: Path) -> bool:
    """Distribution of every audio feature."""
    known = sounding(data)
    if known is None:
        return False
    units = {"loudness": "loudness (dB)", "tempo": "tempo (beats per minute)"}
    with figure(path, f"Audio features of {len(known):,} tracks", data.name, panels=3, rows=3, width=4.6) as axes:
        for place, (panel, feature) in enumerate(zip(axes, AUDIO_FEATURES, strict=True)):
            panel.hist(known[feature].astype(float), bins=50, color=PALETTE[place % 6])
            panel.set(xlabel=units.get(feature, feature), ylabel="Tracks" if place % 3 == 0 else "")
            thousands_axis(panel.yaxis)
    return True


def draw_audio_correlations(data: Dataset, path: Path) -> bool:
    """Pearson correlations of the audio features."""
    known = sounding(data)
    if known is None:
        return False
    with figure(path, "Correlations of the audio features", data.name, width=9, height=7) as (axes,):
        correlations = known[list(AUDIO_FEATURES)].astype(float).corr()
        sns.heatmap(correlations, annot=True, fmt=".2f", cmap="RdBu_r", vmin=-1, vmax=1, square=True, ax=axes)
    return True


def draw_audio_by_genre(data: Dataset, path: Path) -> bool:
    """Mean of every audio feature by genre, in standard deviations from the mean of all tracks."""
    known = sounding(data)
    if known is None or "genres" not in known:
        return False
    values = known[list(AUDIO_FEATURES)].astype(float)
    spread = values.std().where(lambda s: s > 0, 1)
    standard = ((values - values.mean()) / spread).assign(genre=known["genres"].astype(object).str.split("|"))
    by_genre = standard.explode("genre").dropna(subset="genre").groupby("genre")
    top = by_genre.size().nlargest(GENRES).index
    with figure(path, "How genres sound (standard deviations from the mean)", data.name, width=11, height=6) as (axes,):
        means = by_genre.mean().loc[top]
        limit = float(np.abs(means.to_numpy()).max())
        sns.heatmap(means, annot=True, fmt="+.1f", cmap="RdBu_r", vmin=-limit, vmax=limit, ax=axes)
        axes.set(ylabel="")
        axes.tick_params(axis="x", rotation=30)
    return True


def draw_cold_start(data: Dataset, splits: dict[str, dict[str, Any]], path: Path) -> bool:
    """What share of the test pairs asks for an item, or by a user, without anything in train + validation."""
    drawn = {name: split for name, split in splits.items() if "impossible" not in split}
    if not drawn:
        return False
    with figure(path, "Cold start: test pairs without a past", data.name, width=9) as (axes,):
        for place, kind in enumerate(("items", "users")):
            at = np.arange(len(drawn)) + 0.4 * (place - 0.5)
            shares = [split[f"test_pairs_of_unseen_{kind}"] for split in drawn.values()]
            bars = axes.bar(at, shares, 0.38, label=f"unseen {kind}", color=PALETTE[place])
            axes.bar_label(bars, fmt="{:.0%}", padding=2, fontsize=11)
        axes.set_xticks(np.arange(len(drawn)), list(drawn))
        axes.set(ylabel="Share of test pairs", ylim=(0, 1.12), yticks=np.arange(0, 1.01, 0.2))
        percent_axis(axes.yaxis)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2, frameon=False)
        axes.grid(axis="x", visible=False)
    return True


def draw_quality(data: Dataset, report: dict[str, Any], path: Path) -> bool:
    """Share of missing values and of outliers by column, the worst columns."""
    shares = shares_by_column(report)
    shares = shares[shares.max(axis=1) > 0].head(20)[::-1]
    if shares.empty:
        return False
    with figure(path, "Data quality: missing values and outliers", data.name, width=10, height=7) as (axes,):
        at = np.arange(len(shares))
        axes.barh(at + 0.2, shares["missing"], 0.38, label="missing", color=PALETTE[0])
        axes.barh(at - 0.2, shares["outliers"], 0.38, label="outliers (1.5 interquartile ranges)", color=PALETTE[1])
        axes.set_yticks(at, shares.index)
        axes.set(xlabel="Share of the rows")
        percent_axis(axes.xaxis)
        axes.legend(loc="lower right")
        axes.grid(axis="y", visible=False)
    return True
