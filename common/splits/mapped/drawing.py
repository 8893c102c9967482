"""What is drawn of a split that lies in matrices: which users are evaluated, and the negatives of their pairs."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.data.dataset import Dataset
from common.data.matrix_files import PARTS, MatrixFiles
from common.splits.negatives import MOST_PAIRS, NEGATIVES, sample_outside
from common.splits.protocols import PROTOCOLS
from common.utils.arrays import slices
from common.utils.errors import UserError
from common.utils.io import atomic, sha256_file, write_json
from common.utils.manifests import seal_of

PROTOCOL = "temporal"
TEST_USERS = 100_000
"""Of more users with held-out pairs so many, drawn at random, are evaluated where --test-users does not say."""
HELD_OUT = ("valid", "test")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drawing:
    """valid, test: codes of the users that are evaluated, rising, int32. negative_users, negative_items: the held-out
    pairs that have negatives, int32 (pairs,), and negatives, int32 (pairs, 99), -1 padded, in codes of the tables."""

    valid: np.ndarray
    test: np.ndarray
    negative_users: np.ndarray
    negative_items: np.ndarray
    negatives: np.ndarray


def draw(files: MatrixFiles, seed: int, most: int) -> Drawing:
    """At most so many users of each part, and negatives as `draw_negatives` draws them from tables."""
    rng = np.random.default_rng([seed, PROTOCOLS.index(PROTOCOL), 1])
    asked = {part: _some(np.flatnonzero(np.diff(files.part(part).indptr)), most, rng) for part in HELD_OUT}
    rng = np.random.default_rng([seed, PROTOCOLS.index(PROTOCOL)])
    new = [new_pairs(files, part, users) for part, users in asked.items()]
    users, items = (np.concatenate(column) for column in zip(*new, strict=True))
    if len(users) > MOST_PAIRS:
        chosen = np.sort(rng.choice(len(users), MOST_PAIRS, replace=False))
        users, items = users[chosen], items[chosen]
    drawn = _negatives(files, users, rng)
    return Drawing(*(array.astype(np.int32) for array in (*asked.values(), users, items, drawn)))


def _some(users: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    return users if len(users) <= most else np.sort(rng.choice(users, most, replace=False))


def _negatives(files: MatrixFiles, users: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """99 items outside everything that the user of each row has."""
    people, rows = np.unique(users, return_inverse=True)
    n_items = len(files.items)
    owned = np.unique(np.concatenate([pair_keys(files, part, people) for part in PARTS]))
    free = n_items - np.bincount(owned // n_items, minlength=len(people))
    return sample_outside(rows, owned, np.minimum(NEGATIVES, free[rows]), n_items, rng)


def pair_keys(files: MatrixFiles, part: str, users: np.ndarray) -> np.ndarray:
    """`row * n_items + item` of all pairs of some users in a part, in the part's order, int64."""
    matrix = files.part(part)
    rows, places = matrix.places(users)
    return rows * len(files.items) + matrix.indices[places]


def new_pairs(files: MatrixFiles, part: str, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Users and items of those pairs of some users in a held-out part that no part before it has, int64 each."""
    keys = pair_keys(files, part, users)
    keys = keys[~is_known(files, part, users, keys)]
    return users[keys // len(files.items)], keys % len(files.items)


def is_known(files: MatrixFiles, part: str, users: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Which pairs, as `pair_keys` gives them, the user had before the part, bool; none where repeats were left out."""
    if not files.repeats:
        return np.zeros(len(keys), bool)
    before = PARTS[: PARTS.index(part)]
    return np.isin(keys, np.concatenate([pair_keys(files, name, users) for name in before]))


def write_drawing(folder: Path, data: Dataset, seed: int, format_number: int) -> None:
    """Draw the split of a folder of matrix form and write it: arrays and, last, `split.json`."""
    files, most = data.matrix, data.test_users or TEST_USERS
    assert files is not None
    drawing, sizes = draw(files, seed, most), {part: files.part(part).n_pairs for part in PARTS}
    for part, size in sizes.items():
        if not size:
            raise UserError(f"data set {data.name!r} has no pairs in {part}; prepare it with another cut in time")
    arrays = vars(drawing)
    for name, array in arrays.items():
        with atomic(folder / f"{name}.npy") as temporary:
            np.save(temporary, array)
    asked = {part: int((np.diff(files.part(part).indptr) > 0).sum()) for part in HELD_OUT}
    for part, of in asked.items():
        if len(arrays[part]) < of:
            log.info("%s: %s of %s users are evaluated (--test-users)", part, f"{most:,}", f"{of:,}")
    info = {
        "dataset": data.name,
        "format": format_number,
        "protocol": PROTOCOL,
        "split_seed": seed,
        "data_sha256": data.sha256,
        "split_sha256": hash_matrices(files, drawing),
        "users": len(files.users),
        "items": len(files.items),
        "rows": sizes | {"negatives99": int((drawing.negatives >= 0).sum())},
        "test_users": most,
        "evaluated": {part: {"users": len(arrays[part]), "of": of} for part, of in asked.items()},
        "files": {f"{name}.npy": sha256_file(folder / f"{name}.npy") for name in arrays},
    }
    write_json(folder / "split.json", info | {"seal": seal_of(info)})


def hash_matrices(files: MatrixFiles, drawing: Drawing) -> str:
    """SHA-256 over the ids, who has what in each part, and what was drawn: the same on every machine."""
    digest = hashlib.sha256()
    for ids in (files.users["user_id"], files.items["item_id"]):
        digest.update("\n".join(ids).encode())
    for part in PARTS:
        for values in (files.part(part).indptr, files.part(part).indices):
            for block in slices(len(values)):
                digest.update(values[block].astype(values.dtype.newbyteorder("<")).tobytes())
    for array in vars(drawing).values():
        digest.update(array.astype("<i4").tobytes())
    return digest.hexdigest()
