"""Small data sets built in memory and prepared on disk, for tests of everything behind the readers."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.data.dataset import Dataset, load_dataset, write_dataset
from common.data.synthetic.settings import SyntheticSettings
from common.data.tables import AUDIO_FEATURES, Tables


def dataset(folder: Path, interactions: pd.DataFrame, next_core: int = 1, **tables: Any) -> Dataset:
    """A prepared data set; items and users are those of the interactions where they are not given."""
    items = tables.pop("items", pd.DataFrame({"item_id": np.unique(interactions["item_id"].to_numpy(object))}))
    users = tables.pop("users", pd.DataFrame({"user_id": np.unique(interactions["user_id"].to_numpy(object))}))
    whole = Tables(interactions=interactions, items=items, users=users, **tables)
    return write_dataset("small", folder, whole, "made by a test", next_core)


def pairs(**of_users: str) -> pd.DataFrame:
    """Interactions from `user="item item ..."`, or with times from `user="item@time ..."`, in that order."""
    rows = [(user, *item.split("@")) for user, items in of_users.items() for item in items.split()]
    frame = pd.DataFrame([row[:2] for row in rows], columns=["user_id", "item_id"]).assign(weight=1.0)
    if all(len(row) == 3 for row in rows):
        frame["timestamp"] = [int(row[2]) for row in rows]
    return frame


def sized(sizes: dict[str, int], n_items: int, seed: int = 0) -> pd.DataFrame:
    """Interactions of users who have so many items each, drawn by chance, without times."""
    rng = np.random.default_rng(seed)
    rows = [(user, f"i{item:03}") for user, n in sizes.items() for item in rng.permutation(n_items)[:n]]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id"])
    return frame.assign(weight=rng.integers(1, 100, len(frame)).astype(float))


def rich_tables(n_users: int = 40, n_items: int = 120, seed: int = 0) -> Tables:
    """Every kind of table: times, tags on listened and on other items, friends, genres, audio, catalogue tags, songs.

    The catalogue's own tags and the content are random, so that nothing in them tells who listens.
    """
    rng = np.random.default_rng(seed)
    interactions = sized({f"u{u:02}": int(rng.integers(31, 45)) for u in range(n_users)}, n_items, seed)
    interactions["timestamp"] = rng.integers(0, 400, len(interactions)) * 86_400  # many equal times
    items = pd.DataFrame({"item_id": np.unique(interactions["item_id"].to_numpy(object))})
    items["name"] = "Name of " + items["item_id"].astype(str)
    items["artist"] = [f"artist {a}" for a in rng.integers(0, 30, len(items))]
    items["genres"] = [f"g{a}|g{b}" for a, b in rng.integers(0, 6, (len(items), 2))]
    for feature in AUDIO_FEATURES:
        items[feature] = rng.random(len(items))
    items.loc[:4, list(AUDIO_FEATURES)] = np.nan
    users = pd.DataFrame({"user_id": [f"u{u:02}" for u in range(n_users)], "age": rng.integers(15, 70, n_users)})
    friends = {(a, b) for a, b in rng.integers(0, n_users, (60, 2)) if a != b}
    friends |= {(b, a) for a, b in friends}
    social = pd.DataFrame([(f"u{a:02}", f"u{b:02}") for a, b in sorted(friends)], columns=["user_id", "friend_id"])
    tagged = interactions[rng.random(len(interactions)) < 0.5][["user_id", "item_id", "timestamp"]]
    others = pd.DataFrame(
        {
            "user_id": [f"u{u:02}" for u in rng.integers(0, n_users, 50)],
            "item_id": [f"i{i:03}" for i in rng.integers(0, n_items, 50)],
            "timestamp": rng.integers(0, 400, 50) * 86_400,
        }
    )
    assignments = pd.concat([tagged, others, tagged.iloc[::3]]).assign(tag="")
    assignments["tag"] = [f"tag {t}" for t in rng.integers(0, 9, len(assignments))]
    assignments = assignments.drop_duplicates(["user_id", "item_id", "tag"], ignore_index=True)
    item_tags = pd.DataFrame({"item_id": items["item_id"], "tag": "from the catalogue", "weight": 2.0}).iloc[::4]
    songs = items[["item_id", "name", "artist"]].assign(track_id="t" + items["item_id"].astype(str))
    return Tables(interactions, items, users, social, item_tags, assignments, songs)


def rich(folder: Path, seed: int = 0) -> Dataset:
    """`rich_tables`, prepared."""
    return write_dataset("small", folder, rich_tables(seed=seed), "made by a test")


def rhythmic(folder: Path, rhythm: float = 1.0, users: int = 150, items: int = 150) -> Dataset:
    """Generated data, a share `rhythm` of whose sessions are held at the hour of their music."""
    settings = SyntheticSettings(
        users=users, items=items, tracks_per_user=30, max_items_per_user=15, daily_rhythm=rhythm
    )
    return load_dataset("synthetic", folder, settings)
