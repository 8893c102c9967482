import numpy as np
import polars as pl
import pytest

from common.data.matrix_files import KINDS, PARTS, open_matrix
from common.data.preparation.matrices import MatrixWriter
from common.data.preparation.spark.events import INTERACTIONS
from common.data.preparation.spark.tables import _with_final_codes, _write_entries, _write_rows

ROWS = pl.DataFrame(
    {
        **{"user": [1, 0, 2, 1], "item": [5, 6, 7, 4], "part": [0, 0, 0, 0], "plays": [1, 2, 3, 4]},
        **{"first": [30, 10, 40, 20], "last": [31, 11, 41, 21]},
    },
    {name: pl.Int64 if kind == "bigint" else pl.Int32 for name, kind in INTERACTIONS.items()},
)


@pytest.fixture
def target(tmp_path):
    """Matrices without entries: three users with 1, 2 and 1 pairs in train, none in the other parts."""
    for name in PARTS:
        lengths = np.array([1, 2, 1]) if name == "train" else np.zeros(3, int)
        MatrixWriter(tmp_path / "matrices" / name, int(lengths.sum())).close(lengths)
        (tmp_path / f"interactions_{name}.parquet").mkdir()
        for array in ("indices", "data", "first"):
            path = tmp_path / "matrices" / name / f"{array}.npy"
            with path.open("ab") as file:
                file.write(bytes(int(lengths.sum()) * np.dtype(KINDS[array]).itemsize))
    return tmp_path


def test_tasks_fill_the_matrix_in_any_order_and_more_than_once(target):
    of_users = {user: ROWS.filter(pl.col("user").is_in(user)) for user in ((2,), (0, 1))}
    for user in ((2,), (0, 1), (2,)):
        assert pl.concat(_write_rows(target, iter([of_users[user]]), target)).item() == len(of_users[user])
    found = open_matrix(target / "matrices" / "train")
    assert found.indices.tolist() == [6, 4, 5, 7], "of user 1 the item that was played first"
    assert found.data.tolist() == [2, 4, 1, 3]
    assert found.first.tolist() == [10, 20, 30, 40]
    table = pl.read_parquet(target / "interactions_train.parquet" / "000000.parquet")
    assert table.columns == ["user", "item", "plays", "first", "last"]


def test_rows_that_do_not_fill_their_place_are_an_error(target):
    with pytest.raises(AssertionError, match="1 pairs of users 1 to 1, not 2"):
        _write_entries(target / "matrices" / "train", ROWS[:1])


def test_final_codes_take_the_place_of_the_first_ones(tmp_path):
    np.save(tmp_path / "user.npy", np.array([2, 0, 1], np.int32))
    np.save(tmp_path / "item.npy", np.arange(9, dtype=np.int32)[::-1].copy())
    found = pl.concat(_with_final_codes(tmp_path, iter([ROWS[:2], ROWS[2:]]), tmp_path))
    assert found.columns == ROWS.columns
    assert (found["user"].to_list(), found["item"].to_list()) == ([0, 2, 1, 0], [3, 2, 1, 4])
