"""Tiny folders of a user's own, one for each shape that data come in."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from tests.data.worlds import rich_tables, sized

USERS, ITEMS = 24, 30


def listening(n_users: int = USERS, n_items: int = ITEMS) -> pd.DataFrame:
    """Two columns: users with 8 to 12 items each."""
    return sized({f"u{u:02}": 8 + u % 5 for u in range(n_users)}, n_items)[["user_id", "item_id"]]


def write(folder: Path, **tables: pd.DataFrame) -> None:
    """The tables as CSV files."""
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False)


def timed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows a day apart, in an order that chance gives."""
    return rows.assign(timestamp=(1 + np.random.default_rng(1).permutation(len(rows))) * 86_400)


def two_columns(folder: Path) -> None:
    write(folder, interactions=listening())


def with_times(folder: Path) -> None:
    write(folder, interactions=timed(listening()))


def tags_alone(folder: Path) -> None:
    rows = listening()
    tags = rows.iloc[::2].assign(tag=[f"tag {n % 7}" for n in range(len(rows.iloc[::2]))])
    write(folder, interactions=rows, user_item_tags=tags)


def audio_alone(folder: Path) -> None:
    columns = ["item_id", "danceability", "energy", "tempo"]
    items = rich_tables(USERS, ITEMS).items
    write(folder, interactions=listening(), items=items[columns])


def with_friends(folder: Path) -> None:
    friends = [(f"u{u:02}", f"u{(u + step) % USERS:02}") for u in range(USERS) for step in (1, 5)]
    write(folder, interactions=listening(), social=pd.DataFrame(friends, columns=["user_id", "friend_id"]))


def everything(folder: Path) -> None:
    for name, frame in rich_tables(30, 60).frames().items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)


def _parts(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    last = ~rows["user_id"].duplicated(keep="last")
    return rows[~last], rows[last]


def split_alone(folder: Path) -> None:
    train, test = _parts(listening())
    write(folder, train=train, test=test)


def split_with_all(folder: Path) -> None:
    rest, test = _parts(listening())
    train, valid = _parts(rest)
    owned = listening().groupby("user_id")["item_id"].agg(set)
    unheard = [(user, f"i{i:03}") for user, items in owned.items() for i in range(ITEMS) if f"i{i:03}" not in items]
    negatives = pd.DataFrame(unheard, columns=["user_id", "negative_id"])
    write(folder, train=train, valid=valid, test=test, negatives99=negatives)


def one_user(folder: Path) -> None:
    write(folder, interactions=listening(n_users=1))


def one_item(folder: Path) -> None:
    write(folder, interactions=pd.DataFrame({"user_id": [f"u{u:02}" for u in range(USERS)], "item_id": "i000"}))


def one_item_each(folder: Path) -> None:
    rows = [(f"u{u:02}", f"i{u:03}") for u in range(USERS)]
    write(folder, interactions=pd.DataFrame(rows, columns=["user_id", "item_id"]))


def all_the_same(folder: Path) -> None:
    rows = [(f"u{u:02}", f"i{i:03}") for u in range(USERS) for i in range(10)]
    write(folder, interactions=pd.DataFrame(rows, columns=["user_id", "item_id"]))


def large_weights(folder: Path) -> None:
    write(folder, interactions=listening().assign(weight=1e15))


def small_weights(folder: Path) -> None:
    write(folder, interactions=listening().assign(weight=1e-15))


def other_scripts(folder: Path) -> None:
    rows = listening()
    rows["user_id"] = "пользователь " + rows["user_id"]
    rows["item_id"] = "曲" + rows["item_id"]
    items = pd.DataFrame({"item_id": rows["item_id"].unique()})
    items["name"] = [f"東京 नमस्ते {n} 🎵" for n in range(len(items))]
    items["artist"] = [f"فيروز {n % 9}" for n in range(len(items))]
    items["genres"] = ["日本語|русский" if n % 2 else "ελληνικά" for n in range(len(items))]
    write(folder, interactions=rows, items=items)


def large_ids(folder: Path) -> None:
    rows = listening()
    rows["user_id"] = 2**63 - 1 - rows["user_id"].str[1:].astype("int64")
    rows["item_id"] = 2**62 + rows["item_id"].str[1:].astype("int64")
    rows.to_parquet(folder / "interactions.parquet", index=False)


SHAPES: dict[str, Callable[[Path], None]] = {
    maker.__name__: maker
    for maker in (
        *(two_columns, with_times, tags_alone, audio_alone, with_friends, everything, split_alone, split_with_all),
        *(one_user, one_item, one_item_each, all_the_same, large_weights, small_weights, other_scripts, large_ids),
    )
}
"""Name -> what writes such a folder."""
