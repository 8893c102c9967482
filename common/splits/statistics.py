"""Statistics of a data set and of its splits: size, sparsity, concentration, content and cold start."""

from typing import Any

import numpy as np
import pandas as pd

from common.data.dataset import Dataset
from common.data.tables import AUDIO_FEATURES, Tables
from common.splits.mapped.split import MappedSplit
from common.splits.mapped.statistics import MARKS, describe_mapped, describe_matrices, popularity
from common.splits.protocols import PROTOCOLS
from common.splits.split import Split
from common.splits.store import folder_name, load_split
from common.utils.arrays import gini_of
from common.utils.errors import UserError


def describe(data: Dataset) -> dict[str, Any]:
    """Size, sparsity, concentration, content and side information of a prepared data set, as plain numbers."""
    if data.matrix is not None:
        return describe_matrices(data, data.matrix)
    tables = data.tables
    rows = tables.interactions
    per_user = rows.groupby("user_id").size()
    listeners = rows.groupby("item_id").size()
    users, items = len(tables.users), len(tables.items)
    return {
        "dataset": data.name,
        "users": users,
        "items": items,
        "interactions": len(rows),
        "density": len(rows) / (users * items),
        "items_per_user": quantiles(per_user),
        "listeners_per_item": quantiles(listeners),
        "plays_per_interaction": quantiles(rows["weight"]),
        "gini_of_listeners": gini_of(listeners.to_numpy()),
        "share_of_items_with_one_listener": float((listeners == 1).mean()),
        "share_of_plays_of_top_1_percent_of_items": top_share(rows.groupby("item_id")["weight"].sum(), 0.01),
        "with_content": content_shares(tables),
        "side_tables": {name: len(frame) for name, frame in tables.frames().items() if name != "interactions"},
        "repairs": data.manifest["repairs"],
    }


def popularity_of(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Listeners and plays of each item that has any, (items,) each."""
    if data.matrix is not None:
        listeners, plays = popularity(data.matrix)
        return listeners[listeners > 0], plays[listeners > 0]
    by_item = data.tables.interactions.groupby("item_id")["weight"].agg(["size", "sum"])
    return by_item["size"].to_numpy(), by_item["sum"].to_numpy()


def quantiles(values: pd.Series) -> dict[str, float]:
    """Mean, minimum, quartiles, 99th percentile and maximum."""
    return {"mean": float(values.mean())} | {name: float(values.quantile(q)) for name, q in MARKS.items()}


def top_share(totals: pd.Series, share: float) -> float:
    """The share of the total that the largest `share` of the values hold.

    >>> top_share(pd.Series([8.0, 1.0, 1.0]), 0.34)
    0.8
    """
    count = max(1, int(share * len(totals)))
    return float(totals.nlargest(count).sum() / totals.sum())


def content_shares(tables: Tables) -> dict[str, dict[str, float]]:
    """For genres, audio and tags: the share of items, of interactions and of plays that have them."""
    items, rows = tables.items.set_index("item_id"), tables.interactions
    having: dict[str, pd.Index] = {}
    if "genres" in items:
        having["genres"] = items.index[items["genres"].notna()]
    if AUDIO_FEATURES[0] in items:
        having["audio"] = items.index[items[AUDIO_FEATURES[0]].notna()]
    tagged = [t["item_id"] for t in (tables.item_tags, tables.user_item_tags) if t is not None]
    if tagged:
        having["tags"] = pd.Index(pd.concat(tagged).unique())
    return {name: _shares(index, items.index, rows) for name, index in having.items()}


def _shares(having: pd.Index, items: pd.Index, rows: pd.DataFrame) -> dict[str, float]:
    covered = rows["item_id"].isin(having)
    return {
        "items": float(items.isin(having).mean()),
        "interactions": float(covered.mean()),
        "plays": float(rows.loc[covered, "weight"].sum() / rows["weight"].sum()),
    }


def describe_splits(data: Dataset, split_seed: int) -> dict[str, dict[str, Any]]:
    """Draw every protocol that the data allows; counts and cold-start shares of each, or why it is not possible."""
    described: dict[str, dict[str, Any]] = {}
    for protocol in PROTOCOLS:
        try:
            described[protocol] = describe_split(load_split(data, folder_name(protocol, split_seed)))
        except UserError as impossible:
            described[protocol] = {"impossible": str(impossible)}
    return described


def describe_split(split: Split) -> dict[str, Any]:
    """Rows of each part; the share of test pairs whose item, or user, has nothing in train + valid."""
    if isinstance(split, MappedSplit):
        return describe_mapped(split)
    known = pd.concat([split.train, split.valid])
    counts = {name: len(part) for name, part in split.parts().items()}
    return {
        "users": split.info["users"],
        "items": split.info["items"],
        **counts,
        "test_pairs_of_unseen_items": float((~split.test["item_id"].isin(known["item_id"].unique())).mean()),
        "test_pairs_of_unseen_users": float((~split.test["user_id"].isin(known["user_id"].unique())).mean()),
        "split_sha256": split.info["split_sha256"],
    }


def lorenz(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lorenz curve: cumulative share of values, smallest first, against the cumulative share of holders.

    >>> lorenz(np.array([3, 1]))
    (array([0. , 0.5, 1. ]), array([0.  , 0.25, 1.  ]))
    """
    ordered = np.sort(values)
    shares = np.concatenate([[0.0], np.cumsum(ordered) / ordered.sum()])
    return np.linspace(0, 1, len(shares)), shares
