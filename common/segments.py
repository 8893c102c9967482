"""For whom and for what lists are good: people by the length of their history, hidden items by their listeners."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.data.visible import Visible
from common.evaluation.certainty import mean_over_seeds
from common.files import read_parquet

GROUPS = 3
"""Groups of people and of hidden items, of about as many each."""
FOUND = 20
"""A hidden item counts as found within so many."""


def segments(folders: Mapping[str, Sequence[Path]], seen: Visible) -> dict[str, Any]:
    """Results of several models by group, from the result folders of their seeds.

    Returns {"history": {group: people}, "target": {group: hidden pairs}, "rows": {model: {group: value}}}: of a group
    of people the mean NDCG@10, of a group of hidden pairs the share found among the first 20; both means over seeds.
    People whom the visible data lack have no history and are left out of its groups.
    """
    any_folder = next(iter(folders.values()))[0]
    history = history_groups(mean_over_seeds([any_folder]).index, seen)
    target = target_groups(read_parquet(any_folder / "targets.parquet")["listeners"].to_numpy(), seen.count_floor)
    rows: dict[str, dict[str, float]] = {}
    for name, seeds in folders.items():
        ndcg = mean_over_seeds(seeds)
        found = np.mean([read_parquet(seed / "targets.parquet")["rank"].to_numpy() <= FOUND for seed in seeds], axis=0)
        rows[name] = {group: float(ndcg[of].mean()) for group, of in history.items()}
        rows[name] |= {group: float(found[of].mean()) for group, of in target.items()}
    return {
        "history": {group: int(of.sum()) for group, of in history.items()},
        "target": {group: int(of.sum()) for group, of in target.items()},
        "rows": rows,
    }


def history_groups(users: pd.Index, seen: Visible) -> dict[str, np.ndarray]:
    """Which users have a short, middle or long visible history: name with its lengths -> bool (users,)."""
    lengths = pd.Series(seen.histories.lengths, seen.users["user_id"].astype(object)).reindex(users, fill_value=0)
    return named_groups(lengths.to_numpy(), lengths.to_numpy() > 0, "history of")


def target_groups(listeners: np.ndarray, floor: int) -> dict[str, np.ndarray]:
    """Which hidden pairs have an item that nobody visibly has, or one of few, more or many listeners: bool (pairs,).

    Counts up to `floor` are one group: a smaller one says nothing (see Visible.count_floor).
    """
    few = listeners <= floor
    groups = {"no listener" if floor == 1 else f"up to {floor}": few}
    return {name: of for name, of in groups.items() if of.any()} | named_groups(listeners, ~few, "")


def named_groups(values: np.ndarray, among: np.ndarray, before: str) -> dict[str, np.ndarray]:
    """Groups of about as many each of the whole numbers `among` allows, named by their least and greatest value.

    >>> {name: of.tolist() for name, of in named_groups(np.array([1, 2, 9, 0]), np.array([1, 1, 1, 0]) > 0, "").items()}
    {'1': [True, False, False, False], '2': [False, True, False, False], '9': [False, False, True, False]}
    """
    if not among.any():
        return {}
    edges = np.unique(np.quantile(values[among], np.arange(GROUPS) / GROUPS, method="higher"))
    group = np.where(among, np.searchsorted(edges, values, side="right"), 0)
    found = {}
    for number in range(1, len(edges) + 1):
        of = group == number
        low, high = values[of].min(), values[of].max()
        found[f"{before} {low}–{high}".strip() if low < high else f"{before} {low}".strip()] = of
    return found
