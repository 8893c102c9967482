from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from common.data.manifest import read_manifest
from common.data.matrix_files import open_matrix
from common.utils.errors import UserError
from common.utils.io import read_json
from tests.data.preparation.raw_logs import LOG, START, TEST, TRAIN, VALID, event, interactions, run, write_raw


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    rows = [
        row | {"album": "Pablo Honey", "genre": "rock|alternative"} if row["track"] == "Creep" else row for row in LOG
    ]
    run(folder / "out", write_raw(folder / "log.csv", rows))
    return folder / "out"


def test_interactions_of_each_part_in_the_order_of_users_and_times(out):
    assert [interactions(out, part) for part in ("train", "valid", "test")] == [TRAIN, VALID, TEST]
    kinds = {"user": pl.Int32, "item": pl.Int32, "plays": pl.Int32, "first": pl.Int64, "last": pl.Int64}
    assert pl.read_parquet_schema(out / "interactions_train.parquet") == kinds


def test_users_are_coded_by_their_first_part_then_by_id(out):
    assert pl.read_parquet(out / "users.parquet").rows() == [
        (0, "a", 0, 3, 6, START, START + 130),
        (1, "b", 0, 2, 5, START + 20, START + 140),
        (2, "c", 0, 2, 5, START + 50, START + 150),
        (3, "d", 1, 0, 0, None, None),
        (4, "e", 2, 0, 0, None, None),
    ]


def test_items_are_coded_by_their_first_part_then_by_id(out):
    items = pl.read_parquet(out / "items.parquet")
    assert items.select("code", "item_id", "name", "artist", "album", "genres", "track_group_id").rows() == [
        (0, "muse | uprising", "Uprising", "Muse", None, None, "muse | uprising"),
        (1, "radiohead | creep", "Creep", "Radiohead", "Pablo Honey", "rock|alternative", "radiohead | creep"),
        (2, "radiohead | nude", "Nude", "Radiohead", None, None, "radiohead | nude"),
        (3, "muse | hoodoo", "Hoodoo", "Muse", None, None, "muse | hoodoo"),
        (4, "radiohead | lotus", "Lotus", "Radiohead", None, None, "radiohead | lotus"),
    ]
    assert items.select("part", "listeners", "plays", "first", "last").rows() == [
        (0, 2, 4, START + 50, START + 120),
        (0, 3, 9, START, START + 150),
        (0, 2, 3, START + 30, START + 110),
        (1, 0, 0, None, None),
        (2, 0, 0, None, None),
    ]
    assert "featured" not in items.columns, "nobody is featured"


MATRICES = {
    "train": ([0, 3, 5, 7], [1, 2, 0, 1, 2, 0, 1], [4, 1, 1, 3, 2, 3, 2], [0, 40, 100, 20, 30, 50, 60]),
    "valid": ([0, 1, 1, 1, 2], [3, 1], [1, 1], [160, 170]),
    "test": ([0, 0, 1, 1, 1, 2], [0, 4], [1, 1], [190, 180]),
}


@pytest.mark.parametrize("part", MATRICES)
def test_matrices_hold_the_users_known_by_then_and_items_in_the_order_of_time(out, part):
    matrix = open_matrix(out / "matrices" / part)
    indptr, indices, data, first = MATRICES[part]
    assert [array.tolist() for array in matrix] == [indptr, indices, data, [START + second for second in first]]
    assert [array.dtype for array in matrix] == [np.int64, np.int32, np.float32, np.int64]


def dense(shape, *parts):
    found = np.zeros(shape, np.float32)
    for part in parts:
        indptr, indices, data, _ = MATRICES[part]
        found[np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)), indices] += data
    return found


@pytest.mark.parametrize(
    ("name", "shape", "parts"),
    [
        ("train_matrix", (3, 3), ["train"]),
        ("test_matrix", (5, 5), ["test"]),
        ("interaction_matrix", (5, 5), ["train", "valid", "test"]),
    ],
)
def test_scipy_reads_the_exports(out, name, shape, parts):
    matrix: Any = sparse.load_npz(out / f"{name}.npz")
    assert np.array_equal(matrix.toarray(), dense(shape, *parts))
    assert matrix.has_canonical_format


def test_the_manifest_vouches_for_everything(out):
    manifest = read_manifest(out)
    assert manifest is not None
    assert manifest["form"] == "matrix"
    assert manifest["rows"] == {
        "interactions_train": 7,
        "interactions_valid": 2,
        "interactions_test": 2,
        "users": 5,
        "items": 5,
    }
    assert manifest["notes"]["repeats"] == "drop"
    assert manifest["notes"]["cut"]["test_from"] == START + 180
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert written - set(manifest["files"]) == {"manifest.json", "steps.json"}


def test_the_report_counts(out):
    quality = read_json(out / "quality.json")
    assert quality["counts"] == {
        **{"raw_rows": 20, "events": 20, "pairs": 11, "users": 5, "items": 5},
        **{"artists": 2, "works": 5},
    }
    assert quality["parts"] == {
        "train": {"events": 16, "pairs": 7, "new_users": 3, "new_items": 3},
        "valid": {"events": 2, "pairs": 2, "new_users": 1, "new_items": 1},
        "test": {"events": 2, "pairs": 2, "new_users": 1, "new_items": 1},
    }
    assert quality["missing"] == {"album": 10, "artist": 0, "genre": 10, "track": 0}
    assert quality["sparsity"] == pytest.approx(1 - 11 / 25)
    assert quality["bytes"] == {"dense": 100, "sparse": 8 * 11 + 8 * 6}
    assert quality["long_tail"]["top_share"]["0.01"] == 9 / 16
    assert quality["events_per_month"] == {"2011-03": 20}


def test_a_part_without_new_pairs_is_refused_and_nothing_is_written(tmp_path):
    rows = [*LOG[:18], event("a", "Creep", 180, "Radiohead"), event("b", "Creep", 190, "Radiohead")]
    with pytest.raises(UserError, match=r"nothing is left for test: its users know all their tracks .* --repeats keep"):
        run(tmp_path / "out", write_raw(tmp_path / "log.csv", rows))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"steps", "steps.json"}
