"""One spelling of an id: what is repaired and counted, what is refused, and what stays as it is."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from common.data.reading.id_column import COMPOSED, TRIMMED, UNPOINTED, read_ids
from common.data.reading.schema import MISSING
from common.utils.errors import UserError


def refuse(bad: np.ndarray, reason: str) -> None:
    if bad.any():
        raise UserError(f"row {np.argmax(bad)} {reason}")


def read(cells, keep: bool = False):
    array = cells if isinstance(cells, pa.Array) else pa.array(cells)
    found = read_ids(pa.chunked_array([array[:1], array[1:]]), keep, refuse, lambda row: f"row {row}")
    names = [*found.names.to_pylist(), None]
    return [names[code] for code in found.codes], found.repaired


@pytest.mark.parametrize(
    ("cells", "ids", "repaired"),
    [
        (["b", "a", "b"], ["b", "a", "b"], {}),
        (["7", "007", "0007"], ["7", "007", "0007"], {}),
        (["a", "A", "ä"], ["a", "A", "ä"], {}),
        ([" a", "a\u00a0", "\u3000b", "c"], ["a", "a", "b", "c"], {TRIMMED: 3}),
        (["cafe\u0301", "caf\u00e9"], ["café", "café"], {COMPOSED: 1}),
        ([" cafe\u0301", "x"], ["café", "x"], {TRIMMED: 1, COMPOSED: 1}),
        (["7.0", "07.0", "7.0"], ["7", "07", "7"], {UNPOINTED: 3}),
        (["7.0", "", "NA", "8.0"], ["7", None, None, "8"], {UNPOINTED: 2}),
        (["7.0", "7.5"], ["7.0", "7.5"], {}),
        (["7.0", "a"], ["7.0", "a"], {}),
        (["na", "Nil", "NONE"], ["na", "Nil", "NONE"], {}),
        ([7.0, 8.0, 7.0], ["7", "8", "7"], {UNPOINTED: 3}),
        (pa.array([7.0, None]), ["7", None], {UNPOINTED: 1}),
    ],
)
def test_one_spelling(cells, ids, repaired):
    assert read(cells) == (ids, repaired)


def test_ids_are_sorted_by_code_point():
    texts = ["ß", "z", "夜", "Z", "é", "10", "9", "\U0001f3b5", "\uffee"]
    found = read_ids(pa.chunked_array([texts]), False, refuse, str)
    assert found.names.to_pylist() == sorted(texts)
    assert found.codes.dtype == np.int32


@pytest.mark.parametrize("marker", [*MISSING, " NA"])
def test_markers_are_missing_unless_they_are_kept(marker):
    assert read(["a", marker])[0] == ["a", None]
    assert read(["a", marker], keep=True)[0] == ["a", marker.strip()]
    assert read(["a", " "], keep=True)[0] == ["a", None]


def test_a_column_that_mixes_both_is_refused_with_both_lines():
    with pytest.raises(UserError, match=r"row 2 stands beside '8' \(row 1\); spell all alike"):
        read(["a", "8", "7.0"])


def test_entries_that_no_row_uses_do_not_exist():
    written = pd.Categorical(["7.0", "8.0"], categories=["7", "7.0", "8.0", "NA", " x"])
    assert read(pa.array(written)) == (["7", "8"], {UNPOINTED: 2})
    found = read_ids(pa.chunked_array([pa.array(written)]), False, refuse, str)
    assert found.names.to_pylist() == ["7", "8"]
