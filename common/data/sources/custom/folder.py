"""A folder of one's own tables, or of a ready-made split, as a data set. `docs/your-own-data.md` tells what goes in.

Everything a wrong row can do is refused by file and line; what has one clear meaning is repaired and counted.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from common.data.ids import PAIR, codes_of, pair_keys, stack
from common.data.sources.custom.table_files import SUFFIXES, TableFile, find_table, read_table, refuse_mixed_ids
from common.data.tables import AUDIO_FEATURES, Repair, Tables
from common.utils.errors import UserError, unknown_name
from common.utils.io import sha256_file

INTERACTIONS, PARTS = "interactions", ("train", "valid", "test")
NEGATIVES = "negatives99"
TEXTS = ("name", "artist", "artist_names", "genres", "release_date", "group_id")
NUMBERS = ("release_year", "duration_ms", "time_signature", "explicit", "popularity", "key", "mode", *AUDIO_FEATURES)
SIDE_TABLES = {
    "items": (("item_id",), (*TEXTS, *NUMBERS)),
    "users": (("user_id",), ("age", "gender", "country")),
    "social": (("user_id", "friend_id"), ()),
    "item_tags": (("item_id", "tag"), ("weight",)),
    "user_item_tags": (("user_id", "item_id", "tag"), ("timestamp",)),
    "songs": (("track_id",), ("item_id", *TEXTS, *NUMBERS)),
}
NUMERIC = {*NUMBERS, "age", "weight"}
MOST_WEIGHT = 1e15


def custom_name(folder: Path, known: Sequence[str]) -> str:
    """Name of a folder's data set: the folder's name and a hash of its place, so that namesakes never mix."""
    if folder.is_file():
        raise UserError(f"--dataset {folder} is a file: name the folder that holds it, as in docs/your-own-data.md")
    if not folder.is_dir():
        if len(folder.parts) > 1:
            raise UserError(f"--dataset {folder}: there is no such folder; known names are {', '.join(known)}")
        raise unknown_name("data set", str(folder), known)
    place = folder.resolve()
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", place.name).strip(".") or "folder"
    return f"{plain}-{hashlib.sha256(str(place).encode()).hexdigest()[:6]}"


def find_tables(folder: Path) -> dict[str, Path]:
    """The files of a folder that hold tables, by table."""
    names = (INTERACTIONS, *PARTS, NEGATIVES, *SIDE_TABLES)
    return {name: path for name in names if (path := find_table(folder, name))}


def hash_folder(folder: Path) -> str:
    """Hash of the folder's tables: prepared tables are made anew when it changes."""
    files = [f"{path.name} {sha256_file(path)}" for path in find_tables(folder).values()]
    return hashlib.sha256("\n".join(files).encode()).hexdigest()


def read_folder(folder: Path) -> Tables:
    """Read and check a folder. Raises UserError naming file, line, column and remedy."""
    paths = find_tables(folder)
    check_what_is_there(folder, paths)
    refuse_mixed_ids(list(paths.values()))
    repairs: list[Repair] = []
    rows = {part: _interactions(paths[part], repairs) for part in (INTERACTIONS, *PARTS) if part in paths}
    _check_times(rows, paths)
    together = stack(list(rows.values()))
    rows = dict(zip(rows, _cut(together, [len(part) for part in rows.values()]), strict=True))
    together = together.reset_index(drop=True)
    _check_overlaps(rows, paths)
    side = {name: _side_table(name, paths[name]) for name in SIDE_TABLES if name in paths}
    ready = dict(rows) if "test" in rows else {}
    if NEGATIVES in paths:
        ready[NEGATIVES] = _negatives(paths[NEGATIVES], rows, repairs)
    return Tables(
        interactions=together,
        items=_described(side.get("items"), together, "item_id", paths.get("items"), repairs),
        users=_described(side.get("users"), together, "user_id", paths.get("users"), repairs),
        social=_friendships(side.get("social"), together, repairs),
        item_tags=_item_tags(side.get("item_tags")),
        user_item_tags=side.get("user_item_tags"),
        songs=side.get("songs"),
        predefined=ready,
        repairs=repairs,
        notes={"files": {name: path.name for name, path in paths.items()}},
    )


def check_what_is_there(folder: Path, paths: dict[str, Path]) -> None:
    """Refuse a folder whose tables do not go together, or lack what is needed; `paths` as `find_tables` gives them."""
    parts = [name for name in PARTS if name in paths]
    kinds = ", ".join(SUFFIXES)
    if INTERACTIONS in paths and parts:
        raise UserError(f"{folder} holds interactions and {parts[0]}: keep interactions.*, or train.* and test.*")
    if INTERACTIONS not in paths and not {"train", "test"} <= set(parts):
        missing = "interactions" if not parts else "train" if "train" not in parts else "test"
        rest = " (or train and test)" if not parts else f" beside {parts[0]}"
        raise UserError(f"{folder} lacks {missing}{rest}, as {kinds}; docs/your-own-data.md shows the tables")
    if NEGATIVES in paths and "test" not in paths:
        raise UserError(f"{paths[NEGATIVES]} goes with test.*, which {folder} lacks; add it or take the negatives away")


def _interactions(path: Path, repairs: list[Repair]) -> pd.DataFrame:
    """One row per pair in file order: weights of a repeated pair added up, its first time kept."""
    table = read_table(path, PAIR, ("weight", "timestamp"))
    rows = pd.DataFrame({column: table.ids(column) for column in PAIR})
    rows["weight"] = _weights(table)
    if "timestamp" in table:
        rows["timestamp"] = table.seconds()
    keys = pair_keys(rows)
    repeated = pd.Series(keys).duplicated().to_numpy()
    if not repeated.any():
        return rows
    repairs.append(Repair(path.stem, "weight of a repeated (user, item) pair added up", int(repeated.sum())))
    group, _ = pd.factorize(keys)
    merged = rows[~repeated].reset_index(drop=True)
    merged["weight"] = np.bincount(group, rows["weight"])
    if "timestamp" in rows:
        merged["timestamp"] = rows["timestamp"].groupby(group).min().to_numpy()
    return merged


def _weights(table: TableFile) -> np.ndarray:
    if "weight" not in table:
        return np.ones(len(table))
    weights = table.numbers("weight")
    table.refuse(weights <= 0, "weight", "is not above 0; leave out pairs that say nothing, or shift all weights")
    table.refuse(weights > MOST_WEIGHT, "weight", f"is above {MOST_WEIGHT:g}; use a smaller unit")
    return weights


def _cut(rows: pd.DataFrame, sizes: Sequence[int]) -> list[pd.DataFrame]:
    """The parts that were stacked, their ids now of the same categories."""
    ends = np.cumsum(sizes)
    return [rows.iloc[end - size : end].reset_index(drop=True) for size, end in zip(sizes, ends, strict=True)]


def _check_times(rows: dict[str, pd.DataFrame], paths: dict[str, Path]) -> None:
    dated, bare = ([name for name in rows if ("timestamp" in rows[name]) is has] for has in (True, False))
    if dated and bare:
        raise UserError(
            f"{paths[dated[0]]} has a timestamp and {paths[bare[0]].name} has none; give it to all parts or to none"
        )


def _check_overlaps(rows: dict[str, pd.DataFrame], paths: dict[str, Path]) -> None:
    names = [name for name in PARTS if name in rows]
    for place, name in enumerate(names):
        for later in names[place + 1 :]:
            _refuse_overlap(rows[name], rows[later], paths[name], paths[later])


def _refuse_overlap(known: pd.DataFrame, held_out: pd.DataFrame, known_path: Path, held_out_path: Path) -> None:
    """What a user is known to have is never recommended, so a pair in both parts could not be found."""
    both = np.isin(pair_keys(held_out), pair_keys(known))
    if both.any():
        user, item = held_out.loc[int(np.flatnonzero(both)[0]), PAIR]
        raise UserError(
            f"{held_out_path} and {known_path.name} share {int(both.sum()):,} (user, item) pairs, the first of user "
            f"{user!r} and item {item!r}; take them out of one, for what a user already has is never recommended"
        )


def _side_table(name: str, path: Path) -> pd.DataFrame:
    required, optional = SIDE_TABLES[name]
    table = read_table(path, required, optional)
    columns: dict[str, object] = {}
    for column in table.columns:
        if column == "timestamp":
            columns[column] = table.seconds()
        elif column == "explicit":
            columns[column] = _truths(table)
        elif column in NUMERIC:
            columns[column] = table.numbers(column, may_lack=name != "item_tags")
        elif column in required and column.endswith("_id"):
            columns[column] = pd.Series(table.ids(column).astype(object), dtype="str")
        else:
            columns[column] = table.texts(column)
    frame = pd.DataFrame(columns)
    if name in ("items", "users", "songs"):
        table.refuse(frame[required[0]].duplicated().to_numpy(), required[0], "comes twice; keep one row of it")
    if "tag" in frame:
        table.refuse(frame["tag"].isna().to_numpy(), "tag", "is no tag; leave that row out")
    return frame


def _truths(table: TableFile) -> pd.Series:
    known = {"true": 1.0, "1": 1.0, "1.0": 1.0, "false": 0.0, "0": 0.0, "0.0": 0.0}
    texts = table.texts("explicit").str.lower()
    values = texts.map(known)
    table.refuse((values.isna() & texts.notna()).to_numpy(), "explicit", "is neither true nor false")
    return values if values.isna().any() else values.astype(bool)


def _described(
    given: pd.DataFrame | None, rows: pd.DataFrame, key: str, path: Path | None, repairs: list[Repair]
) -> pd.DataFrame:
    """One row for each id that has interactions, with its columns of the table where it has a row there."""
    ids = pd.DataFrame({key: pd.Series(rows[key].cat.categories.to_numpy(object), dtype="str")})
    if given is None or path is None:
        return ids
    known = given[key].isin(ids[key])
    if not known.any():
        raise UserError(
            f"{path}: not one {key} of it is in the interactions ({given[key].iloc[0]!r} here, {ids[key].iloc[0]!r} "
            "there); spell ids alike in all files"
        )
    if not known.all():
        repairs.append(Repair(path.stem, f"{path.stem} without interactions left out", int((~known).sum())))
    if known.sum() < len(ids):
        what = f"{path.stem} that {path.name} does not describe added without features"
        repairs.append(Repair(path.stem, what, len(ids) - int(known.sum())))
    return ids.merge(given, on=key, how="left")


def _friendships(given: pd.DataFrame | None, rows: pd.DataFrame, repairs: list[Repair]) -> pd.DataFrame | None:
    """Every friendship among known users in both directions."""
    if given is None:
        return None
    users = rows["user_id"].cat.categories
    kept = given[
        given["user_id"].isin(users) & given["friend_id"].isin(users) & (given["user_id"] != given["friend_id"])
    ]
    if len(kept) < len(given):
        what = "friendship with oneself or with somebody without interactions left out"
        repairs.append(Repair("social", what, len(given) - len(kept)))
    turned = kept.rename(columns={"user_id": "friend_id", "friend_id": "user_id"})
    both = pd.concat([kept, turned]).drop_duplicates()
    return both.sort_values(["user_id", "friend_id"], ignore_index=True)


def _item_tags(given: pd.DataFrame | None) -> pd.DataFrame | None:
    return given if given is None or "weight" in given else given.assign(weight=1.0)


def _negatives(path: Path, rows: dict[str, pd.DataFrame], repairs: list[Repair]) -> pd.DataFrame:
    """The user's own negatives; `item_id` is filled in where each user has one held-out item."""
    test = rows["test"]
    table = read_table(path, ("user_id", "negative_id"), ("item_id",))
    catalogue = test["item_id"].cat.categories
    frame = pd.DataFrame({"user_id": table.ids("user_id"), "negative_id": table.ids("negative_id")})
    if "item_id" in table:
        frame["item_id"] = table.ids("item_id")
    else:
        several = test.loc[test["user_id"].duplicated(), "user_id"]
        if len(several):
            raise UserError(
                f"{path} needs a column 'item_id': user {several.iloc[0]!r} has several items in test; add it"
            )
        item_of = test.set_index("user_id")["item_id"]
        frame["item_id"] = pd.Categorical(
            item_of.astype(object).reindex(frame["user_id"].astype(object)), categories=catalogue
        )
    for column, categories in (("user_id", test["user_id"].cat.categories), ("item_id", catalogue)):
        frame[column] = frame[column].cat.set_categories(categories)
    table.refuse(~_held_out(frame, rows), "user_id", "has no such held-out item in test or valid; correct that row")
    unknown = codes_of(frame["negative_id"], pd.Index(catalogue)) < 0
    table.refuse(unknown, "negative_id", "is an item that no part has, so it cannot be ranked; take it out")
    frame["negative_id"] = frame["negative_id"].cat.set_categories(catalogue)
    same = frame["negative_id"].cat.codes.to_numpy() == frame["item_id"].cat.codes.to_numpy()
    table.refuse(same, "negative_id", "is the held-out item itself; take it out")
    distinct = frame.drop_duplicates(ignore_index=True)
    if len(distinct) < len(frame):
        repairs.append(Repair(NEGATIVES, "repeated negative of a held-out item dropped", len(frame) - len(distinct)))
    return distinct[["user_id", "item_id", "negative_id"]]


def _held_out(frame: pd.DataFrame, rows: dict[str, pd.DataFrame]) -> np.ndarray:
    known = frame[PAIR].notna().all(axis="columns").to_numpy()
    held_out = np.concatenate([pair_keys(rows[name]) for name in ("valid", "test") if name in rows])
    return known & np.isin(pair_keys(frame), held_out)
