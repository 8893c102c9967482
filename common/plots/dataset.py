"""Figures of a data set: tables that hold something in, a picture each. `dataset` is its name."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.data.tables import AUDIO_FEATURES
from common.plots.style import (
    PALETTE,
    bin_edges,
    correlation_map,
    figure,
    heat_map,
    percent_axis,
    plain_log_axis,
    thousands_axis,
)

GENRES = 8
"""Genres shown: the ones with the most items."""


def activity(interactions: pd.DataFrame, dataset: str, path: Path) -> None:
    """Items per user; plays per interaction, plain and on a logarithmic axis."""
    rows = interactions
    with figure(path, "How much users listen", dataset, panels=3, width=5.6) as (left, middle, right):
        per_user = rows.groupby("user_id").size()
        left.hist(per_user, bins=np.arange(0.5, per_user.max() + 1.5, max(1, per_user.max() // 50)), color=PALETTE[0])
        left.set(xlabel="Items in the history", ylabel="Users (logarithmic)", yscale="log", title="History length")
        plain_log_axis(left.yaxis)
        plays = rows["weight"]
        most = plays.quantile(0.95)
        middle.hist(plays[plays <= most], bins=bin_edges(plays[plays <= most], 40), color=PALETTE[1])
        middle.set(
            xlabel="Plays of a user and item", ylabel="Interactions", title=f"Plays, lowest 95% (to {most:,.0f})"
        )
        right.hist(plays, bins=log_edges(plays.min(), plays.max()), color=PALETTE[1])
        right.axvline(plays.median(), color="black", linestyle="--", label=f"median {plays.median():,.0f}")
        right.set(xlabel="Plays (logarithmic)", xscale="log", ylabel="Interactions", title="Plays, all of them")
        plain_log_axis(right.xaxis)
        right.legend()
        thousands_axis(middle.yaxis)
        thousands_axis(right.yaxis)


def log_edges(smallest: float, largest: float, bins: int = 40) -> np.ndarray:
    """Bin edges that grow by a constant factor; of counts, they lie between whole numbers, or bins are empty by chance.

    >>> log_edges(1, 3, 3).tolist(), log_edges(1e-15, 1e-15, 2).tolist()
    ([0.5, 1.5, 3.5], [1e-15, 2e-15])
    """
    if smallest < 0.5:
        return np.geomspace(smallest, max(largest, 2 * smallest), bins)
    return np.unique(np.round(np.geomspace(1, largest + 1, bins))) - 0.5


def popularity(
    listeners: np.ndarray, lorenz: Mapping[str, Sequence[np.ndarray]], gini: float, dataset: str, path: Path
) -> None:
    """Listeners (items,) by popularity rank, and Lorenz curves: name -> shares of items, shares held."""
    with figure(path, "How unequal popularity is", dataset, panels=2) as (left, right):
        left.loglog(np.arange(1, len(listeners) + 1), np.sort(listeners)[::-1], color=PALETTE[0], linewidth=2.5)
        left.set(xlabel="Popularity rank of the item", ylabel="Listeners", title="The long tail")
        plain_log_axis(left.xaxis)
        plain_log_axis(left.yaxis)
        for (label, curve), color in zip(lorenz.items(), PALETTE, strict=False):
            right.plot(*curve, label=label, color=color, linewidth=2.5)
        right.plot([0, 1], [0, 1], color="grey", linestyle="--", label="all items equal")
        right.set(xlabel="Items, least popular first", ylabel="Share held", title=f"Lorenz curve, Gini {gini:.2f}")
        percent_axis(right.xaxis)
        percent_axis(right.yaxis)
        right.legend(loc="upper left")


def content(shares: Mapping[str, Mapping[str, float]], dataset: str, path: Path) -> None:
    """What share of items, interactions and plays has genres, audio and tags."""
    with figure(path, "What is known of the items", dataset, width=9) as (axes,):
        _draw_shares(axes, pd.DataFrame(shares).T.add_prefix("of ", axis="columns").add_prefix("with ", axis="index"))
        axes.set(ylabel="Share")


def _draw_shares(axes: Any, shares: pd.DataFrame) -> None:
    """Bars of shares 0..1: a group for each row, in it a bar for each column."""
    places, step = np.arange(len(shares)), 0.8 / shares.shape[1]
    for number, name in enumerate(shares):
        at = places + step * (number - (shares.shape[1] - 1) / 2)
        bars = axes.bar(at, shares[name], step - 0.02, label=name, color=PALETTE[number])
        axes.bar_label(bars, fmt="{:.0%}", padding=2, fontsize=11)
    axes.set_xticks(places, list(shares.index))
    axes.set(ylim=(0, 1.12), yticks=np.arange(0, 1.01, 0.2))
    percent_axis(axes.yaxis)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=shares.shape[1], frameon=False)
    axes.grid(axis="x", visible=False)


def friends_and_tags(social: pd.DataFrame | None, tags: Sequence[pd.Series], dataset: str, path: Path) -> None:
    """Friends per user, and the tags used most."""
    with figure(path, "Friends and tags", dataset, panels=(social is not None) + bool(tags)) as axes:
        if social is not None:
            friends = social.groupby("user_id").size()
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


def dated(*tables: pd.DataFrame | None) -> pd.DataFrame | None:
    """The first table with times; None without one."""
    return next((table for table in tables if table is not None and "timestamp" in table), None)


def timeline(dated: pd.DataFrame, dataset: str, path: Path) -> None:
    """Interactions, or tag assignments, per month."""
    what = "interactions" if "weight" in dated else "tag assignments"
    times = pd.Series(pd.to_datetime(dated["timestamp"], unit="s"))
    # A handful of impossible dates would stretch the axis over decades: the ends hold one event in a thousand.
    first, last = np.quantile(dated["timestamp"], [0.0005, 0.9995])
    usual = times[dated["timestamp"].between(first, last)]
    months = usual.dt.to_period("M").dt.to_timestamp().value_counts().sort_index()
    with figure(path, f"When: {what} per month", dataset, width=10) as (axes,):
        axes.bar(months.index, months.to_numpy(), width=timedelta(days=25), color=PALETTE[0])
        left_out = len(times) - len(usual)
        axes.set(xlabel=f"Month ({left_out:,} earliest and latest events not shown)", ylabel=what.capitalize())
        thousands_axis(axes.yaxis)


def sounding(*tables: pd.DataFrame | None) -> pd.DataFrame | None:
    """The rows with audio features of the first table that has such columns; None where no two have any."""
    for table in tables:
        if table is not None and set(AUDIO_FEATURES) <= set(table.columns):
            known = table.dropna(subset=list(AUDIO_FEATURES))
            return known if len(known) > 1 else None
    return None


def audio(known: pd.DataFrame, dataset: str, path: Path) -> None:
    """Distribution of every audio feature."""
    units = {"loudness": "loudness (dB)", "tempo": "tempo (beats per minute)"}
    with figure(path, f"Audio features of {len(known):,} tracks", dataset, panels=3, rows=3, width=4.6) as axes:
        for place, (panel, feature) in enumerate(zip(axes, AUDIO_FEATURES, strict=True)):
            panel.hist(
                known[feature].astype(float), bins=bin_edges(known[feature].dropna(), 50), color=PALETTE[place % 6]
            )
            panel.set(xlabel=units.get(feature, feature), ylabel="Tracks" if place % 3 == 0 else "")
            thousands_axis(panel.yaxis)


def audio_correlations(known: pd.DataFrame, dataset: str, path: Path) -> None:
    """Pearson correlations of the audio features."""
    with figure(path, "Correlations of the audio features", dataset, width=9, height=7) as (axes,):
        correlation_map(axes, known[list(AUDIO_FEATURES)].astype(float).corr(), square=True)


def audio_by_genre(known: pd.DataFrame, dataset: str, path: Path) -> None:
    """Mean of every audio feature by genre, in standard deviations from the mean of all tracks."""
    values = known[list(AUDIO_FEATURES)].astype(float)
    spread = values.std().where(lambda s: s > 0, 1)
    standard = ((values - values.mean()) / spread).assign(genre=known["genres"].astype(object).str.split("|"))
    by_genre = standard.explode("genre").dropna(subset="genre").groupby("genre")
    top = by_genre.size().nlargest(GENRES).index
    with figure(path, "How genres sound (standard deviations from the mean)", dataset, width=11, height=6) as (axes,):
        means = by_genre.mean().loc[top]
        limit = float(np.abs(means.to_numpy()).max())
        heat_map(axes, means, annot=True, fmt="+.1f", cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes.set(ylabel="")
        axes.tick_params(axis="x", rotation=30)


def unseen_pairs(splits: Mapping[str, Mapping[str, Any]], dataset: str, path: Path) -> None:
    """What share of the test pairs asks for an item, or by a user, without anything in train + validation."""
    kinds = {f"test_pairs_of_unseen_{kind}": f"unseen {kind}" for kind in ("items", "users")}
    with figure(path, "Cold start: test pairs without a past", dataset, width=9) as (axes,):
        _draw_shares(axes, pd.DataFrame(splits).T[list(kinds)].rename(columns=kinds).astype(float))
        axes.set(ylabel="Share of test pairs")


def quality(shares: pd.DataFrame, dataset: str, path: Path) -> None:
    """Share of missing values and of outliers by column (rows), the worst columns first: these are drawn."""
    shares = shares.head(20)[::-1]
    with figure(path, "Data quality: missing values and outliers", dataset, width=10, height=7) as (axes,):
        at = np.arange(len(shares))
        axes.barh(at + 0.2, shares["missing"], 0.38, label="missing", color=PALETTE[0])
        axes.barh(at - 0.2, shares["outliers"], 0.38, label="outliers (1.5 interquartile ranges)", color=PALETTE[1])
        axes.set_yticks(at, shares.index)
        axes.set(xlabel="Share of the rows")
        percent_axis(axes.xaxis)
        axes.legend(loc="lower right")
        axes.grid(axis="y", visible=False)
