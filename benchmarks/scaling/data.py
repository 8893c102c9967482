"""Generated users of the scaling benchmark: any number of them, drawn some at a time, as arrays that are mapped.

Who likes what comes from the project's generator: scenes, tastes that drift, sessions, plays. Each user has 20 to 40
tracks. The catalogue grows with the square root of the users: 5,000 tracks for 10,000 users, 50,000 for a million.
"""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measuring import mapped_view
from common.data.matrix_files import KINDS
from common.data.synthetic import catalogue as content
from common.data.synthetic import listening
from common.splits.train_view import TrainView
from common.utils.io import write_parquet
from common.utils.temporary import swapped_in

FEWEST, MOST = 20, 40
"""Tracks of a user."""
DRAWN = 3
"""Times as many tracks are drawn for a user, as narrow tastes come to the same ones again."""
TRACKS_OF_10K, DAYS, LAST_YEAR = 5_000, 730, 2021
NOISE = 1.2
"""Standard deviation of log plays that nothing explains."""
START = 1_640_995_200
"""2022-01-01 in seconds since 1970."""


def tracks_for(users: int) -> int:
    """Size of the catalogue.

    >>> [tracks_for(users) for users in (1_000, 10_000, 1_000_000)]
    [1581, 5000, 50000]
    """
    return round(TRACKS_OF_10K * math.sqrt(users / 10_000))


def generate(folder: str, users: int, seed: int = 0) -> dict[str, Any]:
    """Write items, their tags, and the pairs of all users; how many of each there are."""
    rng = np.random.default_rng(seed)
    catalogue = content.build_catalogue(tracks_for(users), 0.06, rng)
    items, tags = content.describe(catalogue, 0.15, LAST_YEAR, rng)
    parts = [_pairs(catalogue, range(first, last), rng) for first, last in _chunks(users)]
    lengths, *columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    with swapped_in(Path(folder)) as fresh:
        write_parquet(fresh / "items.parquet", items)
        write_parquet(fresh / "tags.parquet", tags.frame(items["item_id"].to_numpy(), rng))
        for (name, kind), values in zip(KINDS.items(), (indptr, *columns), strict=True):
            np.save(fresh / f"{name}.npy", values.astype(kind))
    return {"users": users, "items": len(items), "pairs": int(indptr[-1])}


def _chunks(users: int) -> list[tuple[int, int]]:
    step = listening.USERS_AT_ONCE
    return [(first, min(first + step, users)) for first in range(0, users, step)]


def _pairs(catalogue: content.Catalogue, users: range, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Of some users: how many tracks each has, then track, plays and time of every pair, each user's oldest first."""
    listeners = listening.draw_listeners(catalogue, len(users), MOST, MOST, 0.5, rng)
    wanted, many = rng.integers(FEWEST, MOST + 1, len(users)), np.full(len(users), DRAWN * MOST)
    listeners, nobody = replace(listeners, known=many), np.full(catalogue.tracks, -1)
    heard = listening.hear(catalogue, listeners, np.arange(len(users)), nobody, DAYS, rng)
    heard = heard.rows(listening.rank_within(heard.user) < wanted[heard.user])
    plays = listening.play(catalogue, listeners, heard, NOISE, rng)
    plays = plays.rows(np.lexsort((plays.seconds, plays.user)))
    weight = np.maximum(1.0, np.rint(np.exp(plays.log_plays)))
    return np.bincount(plays.user, minlength=len(users)), plays.track, weight, START + plays.seconds


def view(folder: Path) -> TrainView:
    """What a model sees of generated users: all their pairs, mapped."""
    items = pd.read_parquet(folder / "items.parquet")
    tags = pd.read_parquet(folder / "tags.parquet")
    codes = pd.Index(items["item_id"]).get_indexer(tags["item_id"]).astype(np.int32)
    item_tags = pd.DataFrame({"item": codes, "tag": tags["tag"], "weight": tags["weight"].astype(float)})
    return mapped_view(folder, items, item_tags)
