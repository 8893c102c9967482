"""Tables of one's own in every format, and what is refused with its file and line."""

import numpy as np
import pandas as pd
import pytest

from common.data.dataset import load_dataset
from common.utils.errors import UserError
from tests.data.sources.custom.folders import COLUMNS, csv, load, refusal, write


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_every_format_gives_the_same_tables(tmp_path, suffix):
    text = csv("7,010,2,100", "7,11,3.5,200", "NA,010,1,300", columns="user_id,item_id,weight,timestamp\n")
    if suffix == "tsv":
        text = text.replace(",", "\t")
    frame = pd.DataFrame(
        {
            "user_id": ["7", "7", "NA"],
            "item_id": ["010", "11", "010"],
            "weight": [2.0, 3.5, 1.0],
            "timestamp": [100, 200, 300],
        }
    )
    data = load(tmp_path, **({"interactions": frame} if suffix == "parquet" else {f"interactions__{suffix}": text}))
    plain = data.tables.interactions.astype({"user_id": "str", "item_id": "str"})
    pd.testing.assert_frame_equal(plain, frame.astype({"user_id": "str", "item_id": "str"}), check_dtype=False)
    assert data.tables.interactions["timestamp"].dtype == np.int64


def test_whole_number_ids_of_parquet_are_text(tmp_path):
    data = load(tmp_path, interactions=pd.DataFrame({"user_id": [3, 20], "item_id": [1, 1]}))
    assert data.tables.users["user_id"].tolist() == ["20", "3"], "sorted as text"


@pytest.mark.parametrize("dtype", ["category", "object", "str", "string[pyarrow]"])
def test_every_way_in_which_parquet_holds_text_is_read(tmp_path, dtype):
    rows = pd.DataFrame({"user_id": ["b", "a"], "item_id": ["x", "x"]}, dtype=dtype)
    times = pd.Series(["2024-01-02", "2024-01-01"], dtype=dtype)
    data = load(tmp_path, interactions=rows.assign(timestamp=times))
    assert data.tables.interactions["user_id"].astype(str).tolist() == ["b", "a"]
    assert data.tables.interactions["timestamp"].diff().tolist()[1] == -86_400
    numbers = pd.DataFrame({"user_id": [2, 1], "item_id": ["x", "x"]}).astype({"user_id": "category"})
    assert load(tmp_path / "n", interactions=numbers).tables.users["user_id"].tolist() == ["1", "2"]


def test_cells_that_are_lists_are_refused(tmp_path):
    rows = pd.DataFrame({"user_id": ["u"], "item_id": ["x"], "weight": [[1, 2]]})
    assert "column weight: cells are of type list" in refusal(tmp_path, interactions=rows)


@pytest.mark.parametrize("weight", ["nan", "inf", "-1", "0", "many", "", "1e300"])
def test_a_weight_that_is_none_is_refused_by_line(tmp_path, weight):
    text = csv("u,a,1", "", f"u,b,{weight}", columns="user_id,item_id,weight\n")
    assert "interactions.csv, line 4, column weight" in refusal(tmp_path, interactions=text), "the empty line counts"


@pytest.mark.parametrize("value", ["", " ", "nan", "NaN", "None"])
def test_an_id_that_is_none_is_refused_by_line(tmp_path, value):
    message = refusal(tmp_path, interactions=csv("u,a", f"{value},b"))
    assert "line 3, column user_id" in message
    assert "is no id" in message


def test_a_missing_id_of_parquet_is_refused_by_row(tmp_path):
    message = refusal(tmp_path, interactions=pd.DataFrame({"user_id": ["u", None], "item_id": ["a", "b"]}))
    assert "interactions.parquet, row 2, column user_id: nothing is no id" in message


def test_ids_of_mixed_types_are_refused(tmp_path):
    decimals = pd.DataFrame({"user_id": [1.0, 2.0], "item_id": ["a", "b"]})
    assert "ids are of type double; save them as text" in refusal(tmp_path / "1", interactions=decimals)
    message = refusal(tmp_path / "2", interactions=csv("7,a", "8,a", "7.0,b"))
    assert "line 4, column user_id: '7.0' is spelled '7' elsewhere" in message
    numbers, texts = (pd.DataFrame({"user_id": ids, "item_id": ["a", "b"]}) for ids in ([1, 2], ["3", "4"]))
    message = refusal(tmp_path / "3", train=numbers, test=texts)
    assert "user_id holds whole numbers in train.parquet and text in test.parquet" in message


def test_a_missing_column_is_named_with_the_nearest(tmp_path):
    message = refusal(tmp_path, interactions="userId,track\nu,a\n")
    assert "column 'user_id' is missing among 'userId', 'track'; is it 'userId'?" in message


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is empty"),
        (COLUMNS, "has no rows"),
        ("user_id,item_id,user_id\nu,a,u\n", "column user_id comes 2 times"),
        (csv("u,a", "u,a,b"), "line 3: 3 columns instead of 2"),
    ],
)
def test_a_file_out_of_shape_is_refused(tmp_path, content, complaint):
    assert complaint in refusal(tmp_path, interactions=content)


def test_unreadable_files_are_named(tmp_path):
    folder = write(tmp_path / "mine")
    (folder / "interactions.parquet").write_bytes(b"PAR1 no parquet")
    with pytest.raises(UserError, match=r"interactions\.parquet is not a readable parquet file"):
        load_dataset(str(folder), tmp_path)
    (folder / "interactions.parquet").unlink()
    (folder / "interactions.csv").write_bytes(b"user_id,item_id\n\xff\xfe,a\n")
    with pytest.raises(UserError, match="is not UTF-8 text"):
        load_dataset(str(folder), tmp_path)
