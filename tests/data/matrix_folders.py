"""Small prepared folders of matrix form, written from tables as `python -m common prepare` writes them from logs."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.data.manifest import FORMAT
from common.data.matrix_files import KINDS, MATRIX, PARTS
from common.data.tables import Tables
from common.utils.io import write_json, write_parquet
from common.utils.manifests import entries
from tests.data.worlds import rich_tables


def write_matrix_folder(folder: Path, tables: Tables, repeats: bool = False) -> Path:
    """Interactions with times, cut 80/10/10, as a folder of matrix form; a pair of several rows is kept once per part.

    Codes go by the first part in which a user or item is, then by id; a matrix ends with the last user of its part or
    an earlier one. repeats: valid and test keep pairs that the user had before.
    """
    rows = tables.interactions
    times = np.sort(rows["timestamp"].to_numpy())
    cuts = times[int(0.8 * len(times))], times[int(0.9 * len(times))]
    part_of = np.searchsorted(cuts, rows["timestamp"].to_numpy(), side="right")
    first = {key: pd.Series(part_of).groupby(rows[key].to_numpy(object)).min() for key in ("user_id", "item_id")}
    users, items = (of.index[np.argsort(of, kind="stable")].to_numpy(object) for of in first.values())
    coded = pd.DataFrame(
        {
            "user": pd.Index(users).get_indexer(rows["user_id"]),
            "item": pd.Index(items).get_indexer(rows["item_id"]),
            "part": part_of,
            "plays": rows["weight"],
            "first": rows["timestamp"],
        }
    )
    pairs = coded.groupby(["part", "user", "item"], as_index=False).agg({"plays": "sum", "first": "min"})
    if not repeats:
        pairs = pairs[~pairs.duplicated(["user", "item"])]
    for number, part in enumerate(PARTS):
        of_part = pairs[pairs["part"] == number].sort_values(["user", "first", "item"])
        known = int((first["user_id"] <= number).sum())
        indptr = np.searchsorted(of_part["user"], np.arange(known + 1))
        arrays = {"indptr": indptr, "indices": of_part["item"], "data": of_part["plays"], "first": of_part["first"]}
        (folder / "matrices" / part).mkdir(parents=True)
        for name, values in arrays.items():
            np.save(folder / "matrices" / part / f"{name}.npy", np.asarray(values).astype(KINDS[name]))
    write_parquet(folder / "users.parquet", _described(users, tables.users, "user_id"))
    described = _described(items, tables.items, "item_id").rename(columns={"group_id": "track_group_id"})
    write_parquet(folder / "items.parquet", described)
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    notes: dict[str, Any] = {"cut": {"valid_from": int(cuts[0]), "test_from": int(cuts[1]), "gap_seconds": 0}}
    manifest = {
        "format": FORMAT,
        "form": MATRIX,
        "dataset": folder.name,
        "source": "made by a test",
        "sha256": hashlib.sha256(pd.util.hash_pandas_object(pairs).to_numpy().tobytes()).hexdigest(),
        "next_core": 1,
        "rows": {part: int((pairs["part"] == number).sum()) for number, part in enumerate(PARTS)},
        "files": entries(folder, sorted(files)),
        "repairs": [],
        "notes": notes | ({"repeats": "keep"} if repeats else {}),
    }
    write_json(folder / "manifest.json", manifest)
    return folder


def _described(ids: np.ndarray, table: pd.DataFrame, key: str) -> pd.DataFrame:
    frame = pd.DataFrame({key: pd.Series(ids, dtype="str")}).merge(table, on=key, how="left")
    return frame.assign(code=np.arange(len(frame), dtype=np.int32))


def events(n_users: int = 40, n_items: int = 120, seed: int = 0) -> Tables:
    """Tables with times, names, artists, genres and versions of works, one play per pair."""
    tables = rich_tables(n_users, n_items, seed)
    items = tables.items.assign(group_id=[f"work {n // 2}" for n in range(len(tables.items))])
    return Tables(tables.interactions.assign(weight=1.0), items, tables.users)


def with_repeats(tables: Tables) -> Tables:
    """The same events, and half of them once more, later."""
    rng, rows = np.random.default_rng(1), tables.interactions
    again = rows.sample(frac=0.5, random_state=1)
    again = again.assign(timestamp=again["timestamp"] + 86_400 * rng.integers(1, 200, len(again)))
    return replace(tables, interactions=pd.concat([rows, again], ignore_index=True))


def with_newcomers(tables: Tables) -> Tables:
    """The same events, and late ones of two users and an item that nobody had before, whose ids sort first."""
    rows = tables.interactions
    last = int(rows["timestamp"].max())
    late = [("a newcomer", "i003"), ("b newcomer", "a new item"), ("u03", "a new item")]
    new = pd.DataFrame(late, columns=["user_id", "item_id"]).assign(weight=1.0, timestamp=last)
    items = pd.concat([tables.items, pd.DataFrame({"item_id": ["a new item"]})], ignore_index=True)
    users = pd.concat([tables.users, pd.DataFrame({"user_id": ["a newcomer", "b newcomer"]})], ignore_index=True)
    return Tables(pd.concat([rows, new], ignore_index=True), items, users)
