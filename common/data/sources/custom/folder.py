"""A folder of one's own tables, or of a ready-made split, as a data set. `docs/your-own-data.md` tells what goes in.

Everything a wrong row can do is refused by file and line; what has one clear meaning is repaired and counted.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from common.data.ids import PAIR, pair_keys, sorted_ids, stack
from common.data.reading.parts import files_of
from common.data.reading.schema import INTERACTIONS as COLUMNS
from common.data.reading.schema import REFUSE, TABLES, required
from common.data.reading.table import SUFFIXES, Table, find_table, read_table, unreadable
from common.data.sources.custom.negatives import read_negatives
from common.data.tables import Repair, Tables
from common.utils.errors import UserError, unknown_name
from common.utils.io import sha256_file

INTERACTIONS, PARTS = "interactions", ("train", "valid", "test")
NEGATIVES = "negatives99"
SIDE_TABLES = ("items", "users", "social", "item_tags", "user_item_tags", "songs")
BY_CHANCE = 10
"""Fewer users or items than these may all be in test alone without anything being wrong."""
SHARED = {"user_id": "user_id", "item_id": "item_id", "friend_id": "user_id"}
"""Columns of side tables whose ids are those of the interactions."""


def custom_name(folder: Path, known: Sequence[str]) -> str:
    """Name of a folder's data set: the folder's name and a hash of its place, so that namesakes never mix."""
    try:
        is_file, is_folder = folder.is_file(), folder.is_dir()
    except OSError as error:
        raise unreadable(folder, error) from error
    if is_file:
        raise UserError(f"--dataset {folder} is a file: name the folder that holds it, as in docs/your-own-data.md")
    if not is_folder:
        if len(folder.parts) > 1:
            raise UserError(f"--dataset {folder}: there is no such folder; known names are {', '.join(known)}")
        raise unknown_name("data set", str(folder), known)
    place = folder.resolve()
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", place.name).strip(".") or "folder"
    return f"{plain}-{hashlib.sha256(str(place).encode()).hexdigest()[:6]}"


def find_tables(folder: Path) -> dict[str, Path]:
    """The files of a folder that hold tables, by table."""
    names = (INTERACTIONS, *PARTS, NEGATIVES, *SIDE_TABLES)
    try:
        any(folder.iterdir())  # a folder that may not be read must not look empty
        return {name: path for name in names if (path := find_table(folder, name))}
    except OSError as error:
        raise unreadable(folder, error) from error


def hash_folder(folder: Path) -> str:
    """Hash of the folder's tables: prepared tables are made anew when it changes."""
    files = []
    for path in find_tables(folder).values():
        try:
            files += [f"{file.relative_to(folder).as_posix()} {sha256_file(file)}" for file in files_of(path)]
        except OSError as error:
            raise unreadable(path, error) from error
    return hashlib.sha256("\n".join(files).encode()).hexdigest()


def read_folder(folder: Path, missing: str = REFUSE) -> Tables:
    """Read and check a folder. missing: `refuse`, `drop` or `keep`, what becomes of rows that lack an id.

    Raises UserError naming file, line, column and remedy.
    """
    paths = find_tables(folder)
    check_what_is_there(folder, paths)
    return _FolderReader(paths, missing).tables()


class _FolderReader:
    """The tables of one folder, with what was repaired and what is worth a warning on the way."""

    def __init__(self, paths: dict[str, Path], missing: str) -> None:
        self.paths, self.missing = paths, missing
        self.repairs: list[Repair] = []
        self.warnings: list[str] = []

    def tables(self) -> Tables:
        """All of them, checked against one another."""
        rows, together = self._interactions()
        side = {name: self._read(name, _side_table) for name in SIDE_TABLES if name in self.paths}
        self.warnings += [*_check_parts(rows, self.paths), *_check_side(side, together, self.paths)]
        predefined = dict(rows) if "test" in rows else {}
        if NEGATIVES in self.paths:
            predefined[NEGATIVES] = self._read(NEGATIVES, lambda table: read_negatives(table, rows))
        timeless = self._timeless(rows, together, side)
        described = {
            name: _described(side.get(name), together, key, self.paths.get(name), self.repairs)
            for name, key in (("items", "item_id"), ("users", "user_id"))
        }
        return Tables(
            interactions=together,
            items=described["items"],
            users=described["users"],
            social=_friendships(side.get("social"), together, self.repairs),
            item_tags=_item_tags(side.get("item_tags")),
            user_item_tags=side.get("user_item_tags"),
            songs=side.get("songs"),
            predefined=predefined,
            repairs=self.repairs,
            notes={
                "files": {name: path.name for name, path in self.paths.items()},
                "warnings": self.warnings + [f"{said}; it is left out" for said in timeless],
                "timeless": "; ".join(timeless),
            },
        )

    def _read(self, name: str, make: Callable[[Table], pd.DataFrame]) -> pd.DataFrame:
        table = read_table(self.paths[name], TABLES.get(name, COLUMNS), self.missing)
        frame = make(table)
        self.repairs += table.repairs
        self.warnings += table.warnings
        return frame

    def _interactions(self) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
        """The rows of `interactions`, or of each part of a ready-made split, and all of them in one table."""
        rows = {part: self._read(part, _interactions) for part in (INTERACTIONS, *PARTS) if part in self.paths}
        _check_times(rows, self.paths)
        together = stack(list(rows.values()))
        rows = dict(zip(rows, _cut(together, [len(part) for part in rows.values()]), strict=True))
        _check_overlaps(rows, self.paths)
        return rows, together.reset_index(drop=True)

    def _timeless(
        self, rows: dict[str, pd.DataFrame], together: pd.DataFrame, side: dict[str, pd.DataFrame]
    ) -> list[str]:
        """Take away times that tell no order; a sentence for each table that has such."""
        said = _forget_timeless([together, *rows.values()], [self.paths[part] for part in rows], self.repairs)
        if (tags := side.get("user_item_tags")) is not None:
            said += _forget_timeless([tags], [self.paths["user_item_tags"]], self.repairs)
        return said


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


def _interactions(table: Table) -> pd.DataFrame:
    """One row per pair in file order: weights of a repeated pair added up, its first time kept."""
    rows = pd.DataFrame({column: table.ids(column) for column in PAIR})
    rows["weight"] = table.numbers("weight") if "weight" in table else 1.0
    if "timestamp" in table:
        rows["timestamp"] = table.seconds()
    keys = pair_keys(rows)
    repeated = pd.Series(keys).duplicated().to_numpy()
    if not repeated.any():
        return rows
    table.repaired("weight of a repeated (user, item) pair added up", int(repeated.sum()))
    group, _ = pd.factorize(keys)
    merged = rows[~repeated].reset_index(drop=True)
    merged["weight"] = np.bincount(group, rows["weight"])
    if "timestamp" in rows:
        merged["timestamp"] = rows["timestamp"].groupby(group).min().to_numpy()
    return merged


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


def _check_parts(rows: dict[str, pd.DataFrame], paths: dict[str, Path]) -> list[str]:
    """Train and each held-out part must share users and items."""
    said = []
    for part in ("valid", "test"):
        for column in PAIR if "train" in rows and part in rows else ():
            ids = [pd.Index(sorted_ids(rows[name][column])) for name in (part, "train")]
            said += _compare(column, ids[0], paths[part], ids[1], paths["train"], BY_CHANCE)
    return said


def _check_side(side: dict[str, pd.DataFrame], rows: pd.DataFrame, paths: dict[str, Path]) -> list[str]:
    """A side table must share its users and items with the interactions."""
    known = paths.get(INTERACTIONS) or paths["train"]
    said = []
    for name, frame in side.items():
        for column in (column for column in SHARED if column in frame):
            if len(ids := pd.Index(frame[column].dropna().unique())):
                said += _compare(column, ids, paths[name], pd.Index(rows[SHARED[column]].cat.categories), known)
    return said


def _compare(column: str, ids: pd.Index, path: Path, others: pd.Index, other_path: Path, least: int = 1) -> list[str]:
    """Refuse ids, at least so many, of which the other file has none; a sentence where it has few of the fewer."""
    extra = ", and give users of the held-out parts rows in train" if column == "user_id" and least > 1 else ""
    shared, fewer = len(ids.intersection(others)), min(len(ids), len(others))
    if not shared and fewer >= least:
        raise UserError(
            f"{path}: not one {column} of it is in {other_path.name} ({ids[0]!r} here, {others[0]!r} there); "
            f"spell ids alike in all files{extra}"
        )
    if 2 * shared < fewer:
        return [f"{path} and {other_path.name} share {shared:,} of {fewer:,} {column}s; are ids spelled alike in both?"]
    return []


def _forget_timeless(frames: list[pd.DataFrame], paths: list[Path], repairs: list[Repair]) -> list[str]:
    """Take away times that are the same in the first table, which holds all rows, since they tell no order.

    A sentence on it, for the protocols that need times.
    """
    whole = frames[0]
    if "timestamp" not in whole or len(whole) < 2 or np.ptp(whole["timestamp"]):
        return []
    day = np.datetime64(int(whole["timestamp"].iloc[0]), "s").astype("datetime64[D]")
    repairs.append(Repair(paths[0].stem, "timestamp left out, since it is the same in all rows", len(whole)))
    for frame in frames:
        del frame["timestamp"]
    files = " and ".join(map(str, paths))
    return [f"column timestamp of {files} holds one time alone ({day}), which tells no order"]


def _side_table(table: Table) -> pd.DataFrame:
    """The columns that the schema knows, each id of a table of items, users or songs once."""
    frame = table.frame()
    (key, *others) = required(table.schema.values())
    if not others:
        table.refuse(frame[key].duplicated().to_numpy(), key, "comes twice; keep one row of it")
    return frame


def _described(
    given: pd.DataFrame | None, rows: pd.DataFrame, key: str, path: Path | None, repairs: list[Repair]
) -> pd.DataFrame:
    """One row for each id that has interactions, with its columns of the table where it has a row there."""
    ids = pd.DataFrame({key: pd.Series(rows[key].cat.categories.to_numpy(object), dtype="str")})
    if given is None or path is None:
        return ids
    known = given[key].isin(ids[key])
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
