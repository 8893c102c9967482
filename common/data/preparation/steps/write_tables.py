"""Step 10: the data set itself: codes, interactions and matrices of each part, features, and what it is like."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.data.manifest import FORMAT
from common.data.matrix_files import PARTS, Matrix, open_matrix
from common.data.preparation.matrices import MatrixWriter, export_npz
from common.data.preparation.quality import quality_of
from common.data.preparation.row_groups import in_groups
from common.data.preparation.workspace import Outcome, Workspace
from common.utils.errors import UserError
from common.utils.io import write_json
from common.utils.manifests import entries
from common.utils.temporary import swapped_in

if TYPE_CHECKING:
    import polars as pl

NOWHERE = len(PARTS)
"""The part of users and items that no interaction has."""
WITHOUT_TRAIN = "the rules on bots and support leave nobody", "loosen --bot-..., --least-... or --core"
WITHOUT_PAIRS = "its users know all their tracks from before, or were left out", "choose another cut, or --repeats keep"
MATRICES = "matrices"
FOR_REVIEW = ("near_spellings", "dropped")
"""Tables that are for people."""


class Seen:
    """What the interactions say of users or items: the first part of each, and counts in train."""

    def __init__(self, n: int) -> None:
        self.part = np.full(n, NOWHERE, np.int8)
        self.pairs, self.plays = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.first, self.last = np.full(n, np.iinfo(np.int64).max), np.full(n, np.iinfo(np.int64).min)
        self.lengths = np.zeros((len(PARTS), n), np.int64)

    @classmethod
    def of(cls, n: int, table: "pl.DataFrame") -> "Seen":
        """Of n users or items, from a row for each that any interaction has: code, and what is counted here."""
        seen, codes = cls(n), table["code"].to_numpy()
        seen.part[codes] = table["part"].to_numpy()
        for number in range(len(PARTS)):
            seen.lengths[number, codes] = table[f"length_{number}"].to_numpy()
        seen.pairs = seen.lengths[0].copy()
        seen.plays[codes] = table["plays"].fill_null(0).to_numpy()
        train = table.filter(table["part"] == 0)
        for times, name in ((seen.first, "first"), (seen.last, "last")):
            times[train["code"].to_numpy()] = train[name].to_numpy()
        return seen

    def add(self, codes: np.ndarray, part: np.ndarray, pairs: "pl.DataFrame") -> None:
        """Count the pairs of a bucket."""
        for number in reversed(range(len(PARTS))):
            of_part = codes[part == number]
            self.part[of_part] = np.minimum(self.part[of_part], number)
            self.lengths[number] += np.bincount(of_part, minlength=len(self.part))
        train = part == 0
        codes, plays = codes[train], pairs["plays"].to_numpy()[train]
        self.pairs += np.bincount(codes, minlength=len(self.part))
        self.plays += np.bincount(codes, plays, minlength=len(self.part)).astype(np.int64)
        np.minimum.at(self.first, codes, pairs["first"].to_numpy()[train])
        np.maximum.at(self.last, codes, pairs["last"].to_numpy()[train])

    def order(self) -> np.ndarray:
        """Those that there are, by the first part of each and, within it, by id."""
        order = np.argsort(self.part, kind="stable")
        return order[: np.count_nonzero(self.part < NOWHERE)]

    def row_lengths(self, part: int) -> np.ndarray:
        """Pairs in a part of each of its matrix's rows, int64."""
        return self.lengths[part][self.order()[: self.known_by(part)]]

    def known_by(self, part: int) -> int:
        """How many occur in this part or an earlier one."""
        return int(np.count_nonzero(self.part <= part))


def write_tables(work: Workspace) -> Outcome:
    """Write the prepared folder: interactions and matrices by part, users, items, exports, quality.json, manifest.

    Codes go by the first part in which a user or item occurs, then by id: nothing after the cut moves a code of train.
    """
    users, items = Seen(len(work.read("users"))), Seen(len(work.read("tracks")))
    for _, bucket in work.buckets("interactions"):
        pairs = bucket.collect()
        part = pairs["part"].to_numpy()
        users.add(pairs["user"].to_numpy(), part, pairs)
        items.add(pairs["item"].to_numpy(), part, pairs)
    rows = rows_by_part(users)
    with swapped_in(work.out) as folder:
        for number in range(len(PARTS)):
            _write_part(work, folder, number, users, items)
        counts = write_catalogue(work, folder, users, items)
        export(folder, users, items)
        write_manifest(work, folder, counts)
    return told(work, rows, counts)


def rows_by_part(users: Seen) -> dict[str, int]:
    """Interactions of each part. Raises a UserError where one has none."""
    rows = {name: int(users.lengths[number].sum()) for number, name in enumerate(PARTS)}
    for name, size in rows.items():
        if not size:
            why, remedy = WITHOUT_TRAIN if name == PARTS[0] else WITHOUT_PAIRS
            raise UserError(f"nothing is left for {name}: {why}; {remedy}")
    return rows


def write_catalogue(work: Workspace, folder: Path, users: Seen, items: Seen) -> dict[str, int]:
    """Write users, items, the tables for people and `quality.json`; returns all row counts."""
    rows = rows_by_part(users)
    n_users, n_items = _write_users(work, folder, users), _write_items(work, folder, items)
    for table in FOR_REVIEW:
        if table in work.tables:
            work.read(table).write_parquet(folder / f"{table}.parquet")
    write_json(folder / "quality.json", quality_of(work.entries, rows, users, items))
    return {f"interactions_{name}": size for name, size in rows.items()} | {"users": n_users, "items": n_items}


def told(work: Workspace, rows: dict[str, int], counts: dict[str, int]) -> Outcome:
    """What the step says, once the data set is in its place; tables for people that are of another log are deleted."""
    for table in FOR_REVIEW:
        if table not in work.tables:
            (work.out / f"{table}.parquet").unlink(missing_ok=True)
    return Outcome(sum(rows.values()), sum(rows.values()), notes={"rows": counts})


def _write_part(work: Workspace, folder: Path, part: int, users: Seen, items: Seen) -> None:
    """Interactions of a part as a table and as a matrix, users in the order of their codes."""
    import pyarrow.parquet as pq

    code_of_item, code_of_user = codes(items), codes(users)
    pairs = int(users.lengths[part].sum())
    matrix = MatrixWriter(folder / MATRICES / PARTS[part], pairs)
    writer = None
    try:
        coded = (in_final_order(block, code_of_user, code_of_item) for block in _in_order(work, part, users))
        for block in in_groups(coded):
            table = block.to_arrow()
            writer = writer or pq.ParquetWriter(folder / f"interactions_{PARTS[part]}.parquet", table.schema)
            writer.write_table(table)
            matrix.add(*(block[name].to_numpy() for name in ("item", "plays", "first")))
    finally:
        matrix.abandon()
        if writer:
            writer.close()
    matrix.close(users.row_lengths(part))


def _in_order(work: Workspace, part: int, users: Seen) -> Iterator["pl.DataFrame"]:
    """The rows of a part, first those of users known from train, then of those new in each later part."""
    import polars as pl

    for kind in range(part + 1):
        for _, bucket in work.buckets("interactions"):
            pairs = bucket.filter(pl.col("part") == part).collect()
            pairs = pairs.filter(pl.Series(users.part[pairs["user"].to_numpy()] == kind))
            if len(pairs):
                yield pairs


def codes(seen: Seen) -> np.ndarray:
    """The final code int32 of each user or item, -1 for those that no interaction has."""
    found = np.full(len(seen.part), -1, np.int32)
    order = seen.order()
    found[order] = np.arange(len(order), dtype=np.int32)
    return found


def in_final_order(pairs: "pl.DataFrame", code_of_user: np.ndarray, code_of_item: np.ndarray) -> "pl.DataFrame":
    """Rows with final codes, sorted by user, time of the first play, item."""
    import polars as pl

    return pairs.select(
        user=pl.Series(code_of_user[pairs["user"].to_numpy()]),
        item=pl.Series(code_of_item[pairs["item"].to_numpy()]),
        plays="plays",
        first="first",
        last="last",
    ).sort("user", "first", "item")


def _about(seen: Seen, order: np.ndarray, pairs: str) -> dict[str, Any]:
    """Columns code, part, and counts in train, of users or items; times missing where train has none."""
    import polars as pl

    known = pl.Series(seen.pairs[order] > 0)
    times = {
        name: pl.select(pl.when(known).then(pl.Series(values[order]))).to_series()
        for name, values in (("first", seen.first), ("last", seen.last))
    }
    counts = {pairs: seen.pairs[order], "plays": seen.plays[order]}
    return {"part": seen.part[order], **counts, **times}


def _write_users(work: Workspace, folder: Path, users: Seen) -> int:
    """`users.parquet`; returns the number of users."""
    import polars as pl

    order = users.order()
    ids = work.read("users")["user_id"].gather(order)
    code = np.arange(len(order), dtype=np.int32)
    frame = pl.DataFrame({"code": code, "user_id": ids, **_about(users, order, "items")})
    frame.write_parquet(folder / "users.parquet")
    return len(order)


def _write_items(work: Workspace, folder: Path, items: Seen) -> int:
    """`items.parquet`; returns the number of items."""
    import polars as pl

    order = items.order()
    tracks, artists = work.read("tracks")[order], work.read("artists")
    names = artists["name"].gather(artists["same_as"].cast(pl.UInt32))
    artist = tracks["artist"].to_numpy()
    name_of = pl.Series([*names, None], dtype=pl.String)
    facts = {
        "code": np.arange(len(order), dtype=np.int32),
        "item_id": tracks["item_id"],
        "name": tracks["name"],
        "artist": name_of.gather(np.where(artist < 0, len(names), artist)),
        **{name: tracks[name] for name in ("album", "genres", "featured")},
        "track_group_id": tracks["track_group_id"],
        **_about(items, order, "listeners"),
    }
    frame = pl.DataFrame(facts)
    # Which columns there are is decided by train, too: nothing after the cut may be seen in what is known of it.
    in_train = frame.filter(frame["part"] == 0)
    empty = [name for name in ("artist", "album", "genres", "featured") if in_train[name].null_count() == len(in_train)]
    frame.drop(empty).write_parquet(folder / "items.parquet")
    return len(order)


def export(folder: Path, users: Seen, items: Seen) -> None:
    """The matrices of train, of test and of all parts together, as SciPy reads them."""
    found: dict[str, Matrix] = {name: open_matrix(folder / MATRICES / name) for name in PARTS}
    n_users, n_items = users.known_by(2), items.known_by(2)
    export_npz(folder / "train_matrix.npz", [found["train"]], (users.known_by(0), items.known_by(0)))
    export_npz(folder / "test_matrix.npz", [found["test"]], (n_users, n_items))
    export_npz(folder / "interaction_matrix.npz", list(found.values()), (n_users, n_items))


def write_manifest(work: Workspace, folder: Path, rows: dict[str, int]) -> None:
    """What `load_dataset` reads first, written last."""
    import hashlib

    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files = entries(folder, names)
    content = [name for name in names if name.startswith((MATRICES, "users", "items"))]
    digest = hashlib.sha256("".join(f"{name}:{files[name]['sha256']}\n" for name in content).encode()).hexdigest()
    dropped = [
        {"table": entry["step"], "what": reason, "rows": count}
        for entry in work.entries
        for reason, count in (entry["dropped"] | entry["notes"].get("repaired", {})).items()
    ]
    notes = {"cut": work.notes["normalise_timestamps"]["cut"], "repeats": work.settings.repeats}
    manifest = {
        "dataset": work.out.name,
        "format": FORMAT,
        "form": "matrix",
        "source": "",
        "sha256": digest,
        "next_core": 1,
        "rows": rows,
        "files": files,
        "repairs": dropped,
        "notes": notes,
    }
    write_json(folder / "manifest.json", manifest)
