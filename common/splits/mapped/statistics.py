"""Statistics of a folder of matrix form and of its split, from the arrays alone; see `splits/statistics.py`."""

from functools import partial
from typing import Any

import numpy as np

from common.data.dataset import Dataset
from common.data.matrix_files import PARTS, Matrix, MatrixFiles
from common.splits.mapped.split import MappedSplit
from common.utils.arrays import counts_of, gini_of, slices, sums_of

MARKS = {"min": 0.0, "quarter": 0.25, "median": 0.5, "three_quarters": 0.75, "p99": 0.99, "max": 1.0}


def describe_matrices(data: Dataset, files: MatrixFiles) -> dict[str, Any]:
    """What `describe` says of tables. Where repeats were kept, a pair counts in each part that has it."""
    users, items = len(files.users), len(files.items)
    pairs = sum(files.part(part).n_pairs for part in PARTS)
    listeners, plays = popularity(files)
    per_user = sum(np.diff(files.part(part).indptr) for part in PARTS)
    return {
        "dataset": data.name,
        "users": users,
        "items": items,
        "interactions": pairs,
        "density": pairs / (users * items),
        "items_per_user": quantiles_of(*np.unique(per_user, return_counts=True)),
        "listeners_per_item": quantiles_of(*np.unique(listeners[listeners > 0], return_counts=True)),
        "plays_per_interaction": quantiles_of(*_plays(files)),
        "gini_of_listeners": gini_of(listeners[listeners > 0]),
        "share_of_items_with_one_listener": float((listeners[listeners > 0] == 1).mean()),
        "share_of_plays_of_top_1_percent_of_items": _top_share(plays[listeners > 0], 0.01),
        "with_content": _content(files, listeners, plays),
        "side_tables": {"items": items, "users": users},
        "repairs": data.manifest["repairs"],
    }


def popularity(files: MatrixFiles) -> tuple[np.ndarray, np.ndarray]:
    """Listeners int64 and plays float64 of each item over all parts, (items,)."""
    n, parts = len(files.items), [files.part(part) for part in PARTS]
    listeners = sum(counts_of(part.indices, n) for part in parts)
    plays = [sums_of(part.indices, partial(_plays_of, part), n) for part in parts]
    return np.asarray(listeners), np.sum(plays, axis=0)


def _plays_of(part: Matrix, some: slice) -> np.ndarray:
    return part.data[some].astype(np.float64)


def _plays(files: MatrixFiles) -> tuple[np.ndarray, np.ndarray]:
    """The distinct plays of pairs, rising, and how often each comes."""
    found = []
    for part in (files.part(name) for name in PARTS):
        found += [np.unique(part.data[some], return_counts=True) for some in slices(part.n_pairs)]
    values, counts = (np.concatenate(column) for column in zip(*found, strict=True))
    distinct, place = np.unique(values, return_inverse=True)
    return distinct, np.bincount(place, counts).astype(np.int64)


def quantiles_of(values: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """Mean and quantiles, linear between neighbours, of rising values that come so often each.

    >>> found = quantiles_of(np.array([1, 4]), np.array([3, 1]))
    >>> found["mean"], found["median"], found["p99"]
    (1.75, 1.0, 3.91)
    """
    ends, n = np.cumsum(counts), counts.sum()
    low, high = (values[np.searchsorted(ends, at, side="right")] for at in _between(n))
    part = np.array([*MARKS.values()]) * (n - 1) % 1
    marks = low + (high - low) * part
    return {"mean": float(values @ counts / n)} | dict(zip(MARKS, map(float, marks.round(12)), strict=True))


def _between(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Between which two of n sorted values each quantile lies."""
    at = np.array([*MARKS.values()]) * (n - 1)
    return np.floor(at).astype(np.int64), np.ceil(at).astype(np.int64)


def _top_share(plays: np.ndarray, share: float) -> float:
    count = max(1, int(share * len(plays)))
    return float(np.sort(plays)[-count:].sum() / plays.sum())


def _content(files: MatrixFiles, listeners: np.ndarray, plays: np.ndarray) -> dict[str, dict[str, float]]:
    """The share of items, of pairs and of plays that have genres."""
    if "genres" not in files.items:
        return {}
    has = files.items["genres"].notna().to_numpy()
    weights = {"items": np.ones(len(has)), "interactions": listeners, "plays": plays}
    return {"genres": {name: float(of[has].sum() / of.sum()) for name, of in weights.items()}}


def describe_mapped(split: MappedSplit) -> dict[str, Any]:
    """What `describe_split` says of tables, and who is evaluated."""
    files = split.files
    known = sum(counts_of(files.part(part).indices, len(files.items)) for part in ("train", "valid"))
    seen = sum(np.diff(files.part(part).indptr) for part in ("train", "valid"))
    test = files.part("test")
    unseen_items = sum(int((np.asarray(known)[test.indices[some]] == 0).sum()) for some in slices(test.n_pairs))
    unseen_users = int(np.diff(test.indptr)[np.asarray(seen) == 0].sum())
    return {
        "users": split.info["users"],
        "items": split.info["items"],
        **{part: files.part(part).n_pairs for part in PARTS},
        "test_pairs_of_unseen_items": unseen_items / test.n_pairs,
        "test_pairs_of_unseen_users": unseen_users / test.n_pairs,
        "split_sha256": split.info["split_sha256"],
        "evaluated": split.info["evaluated"],
    }
