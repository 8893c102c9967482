"""What a prepared log is like: counts, what is missing and repeated, the long tail, dates, sparsity, sizes."""

from typing import Any

import numpy as np

LONG_TAIL = (0.01, 0.1)
"""Shares of the most played items whose share of all plays is told."""


def quality_of(steps: list[dict[str, Any]], pairs: dict[str, int], users: Any, items: Any) -> dict[str, Any]:
    """The report as JSON. steps: entries of `steps.json`; pairs by part; what was seen of users and of items."""
    told = {entry["step"]: entry for entry in steps}
    n_users, n_items = int((users.part < len(pairs)).sum()), int((items.part < len(pairs)).sum())
    total = sum(pairs.values())
    return {
        "counts": {
            "raw_rows": told["scan"]["rows_in"],
            "events": told["filter_bots"]["rows_out"],
            "pairs": total,
            "users": n_users,
            "items": n_items,
            "artists": told["deduplicate_artists"]["rows_out"],
            "works": told["group_work_versions"]["rows_out"],
        },
        "parts": {
            name: {
                "events": told["normalise_timestamps"]["notes"]["events"][name],
                "pairs": size,
                "new_users": int((users.part == number).sum()),
                "new_items": int((items.part == number).sum()),
            }
            for number, (name, size) in enumerate(pairs.items())
        },
        "dates": told["normalise_timestamps"]["notes"]["dates"],
        "events_per_month": told["normalise_timestamps"]["notes"]["months"],
        "cut": told["normalise_timestamps"]["notes"]["cut"],
        "missing": told["canonical_ids"]["notes"]["missing"],
        "spellings": {
            name: told["canonical_ids"]["notes"][name] for name in ("users", "artists", "tracks", "albums", "genres")
        },
        "dropped": {entry["step"]: entry["dropped"] for entry in steps if entry["dropped"]},
        "long_tail": long_tail(items.plays[items.part == 0]),
        "sparsity": 1 - total / max(1, n_users * n_items),
        "bytes": {"dense": 4 * n_users * n_items, "sparse": 8 * total + 8 * (n_users + 1)},
    }


def long_tail(plays: np.ndarray) -> dict[str, Any]:
    """How plays in train concentrate on few items: shares of the top items, the Gini index, a curve of 100 points.

    >>> long_tail(np.array([90, 5, 5, 0]))["gini"]
    0.675
    """
    ordered = np.sort(plays)[::-1].astype(float)
    total, n = max(ordered.sum(), 1.0), len(ordered)
    shares = np.cumsum(ordered) / total
    places = np.unique(np.geomspace(1, max(n, 1), 100).astype(int))[:n] - 1
    rising = ordered[::-1]
    gini = 2 * float((np.arange(1, n + 1) * rising).sum()) / (n * total) - (n + 1) / n if n else 0.0
    return {
        "top_share": {f"{share:g}": float(shares[max(1, int(share * n)) - 1]) if n else 0.0 for share in LONG_TAIL},
        "gini": round(float(gini), 6),
        "curve": {"items": (places + 1).tolist(), "share_of_plays": shares[places].round(6).tolist()},
    }
