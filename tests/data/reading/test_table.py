"""Tables of one's own in every format, and what is refused with its file and line."""

import re
import unicodedata
from csv import QUOTE_ALL, QUOTE_MINIMAL, QUOTE_NONNUMERIC

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.data.dataset import load_dataset
from common.data.reading.schema import INTERACTIONS, ITEM, MISSING, TABLES, USER
from common.data.reading.table import Table, read_table
from common.utils.errors import UserError
from tests.data.sources.custom.folders import csv, load, refusal, write
from tests.fuzzing import fuzzed


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_every_format_gives_the_same_tables(tmp_path, suffix):
    text = csv("7,010,2,100", "7,11,3.5,200", "na,010,1,300", columns="user_id,item_id,weight,timestamp\n")
    if suffix == "tsv":
        text = text.replace(",", "\t")
    frame = pd.DataFrame(
        {
            "user_id": ["7", "7", "na"],
            "item_id": ["010", "11", "010"],
            "weight": [2.0, 3.5, 1.0],
            "timestamp": [100, 200, 300],
        }
    )
    data = load(tmp_path, **({"interactions": frame} if suffix == "parquet" else {f"interactions__{suffix}": text}))
    plain = data.tables.interactions.astype({"user_id": "str", "item_id": "str"})
    pd.testing.assert_frame_equal(plain, frame.astype({"user_id": "str", "item_id": "str"}), check_dtype=False)
    assert data.tables.interactions["timestamp"].dtype == np.int64


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


def test_ids_that_are_spelled_in_two_ways_are_refused(tmp_path):
    message = refusal(tmp_path, interactions=csv("7,a", "8,a", "7.0,b"))
    assert "line 4, column user_id: '7.0' stands beside '7' (line 2); spell all alike" in message


@pytest.mark.parametrize("marker", ["NULL", "NA", "\\N", "#N/A", ""])
def test_rows_without_an_id_are_left_out_or_kept_where_that_is_asked_for(tmp_path, marker):
    folder = write(tmp_path / "mine", interactions=csv("u,a", f"{marker},a", f"v,{marker}", "v,b", f"v,{marker}"))
    with pytest.raises(UserError, match=r"line 3, column user_id.*--missing drop.*or --missing keep"):
        load_dataset(str(folder), tmp_path)
    dropped = load_dataset(str(folder), tmp_path, missing="drop")
    assert dropped.manifest["rows"] == {"interactions": 2, "items": 2, "users": 2}
    assert [(repair["what"], repair["rows"]) for repair in dropped.manifest["repairs"]] == [
        ("row without user_id left out (--missing drop)", 1),
        ("row without item_id left out (--missing drop)", 2),
    ]
    assert load_dataset(str(folder), tmp_path).sha256 == dropped.sha256, "the choice is remembered"
    if not marker:
        with pytest.raises(UserError, match="line 3, column user_id: nothing is no id"):
            load_dataset(str(folder), tmp_path, missing="keep")
        return
    kept = load_dataset(str(folder), tmp_path, missing="keep")
    assert marker in set(kept.tables.users["user_id"])
    assert kept.manifest["rows"]["interactions"] == 4


def test_lines_stay_true_where_rows_are_left_out(tmp_path):
    text = csv("u,a,1", "NA,a,1", "", "v,b,x", columns="user_id,item_id,weight\n")
    folder = write(tmp_path / "mine", interactions=text)
    with pytest.raises(UserError, match="line 5, column weight: 'x' is not a number"):
        load_dataset(str(folder), tmp_path, missing="drop")
    write(folder, interactions=csv("NA,a"))
    with pytest.raises(UserError, match="every row lacks an id"):
        load_dataset(str(folder), tmp_path, missing="drop")


def test_a_tag_is_no_tag_where_it_is_a_marker(tmp_path):
    tables = {"interactions": csv("u,a", "v,b"), "item_tags": "item_id,tag\na,rock\nb,NULL\n"}
    assert "item_tags.csv, line 3, column tag: 'NULL' is no tag" in refusal(tmp_path, **tables)
    data = load_dataset(str(tmp_path / "mine"), tmp_path, missing="drop")
    assert data.tables.item_tags is not None
    assert data.tables.item_tags["tag"].tolist() == ["rock"]
    data = load_dataset(str(tmp_path / "mine"), tmp_path, missing="keep")
    assert data.tables.item_tags is not None
    assert data.tables.item_tags["tag"].tolist() == ["rock", "NULL"]


def test_markers_are_not_known_in_every_column_but_names(tmp_path):
    items = (
        "item_id,name,artist,genres,release_year,explicit,group_id\n"
        "a,None,NULL,rock|NA,NA,NULL,\\N\n"
        "b,,nan,\\N,2001,true,7.0\n"
        "c,x,y,pop|jazz,,FALSE,8.0\n"
    )
    data = load(tmp_path, interactions=csv("u,a", "u,b", "u,c"), items=items)
    found = data.tables.items.astype(object).where(data.tables.items.notna(), None)
    assert found.to_numpy().tolist() == [
        ["a", "None", "NULL", "rock", None, None, None],
        ["b", None, "nan", None, "7", 2001.0, 1.0],
        ["c", "x", "y", "pop|jazz", "8", None, 0.0],
    ]
    assert {repair["what"]: repair["rows"] for repair in data.manifest["repairs"]} == {
        "genres: NA, NULL and the like read as not known": 1,
        "genres: NA, NULL and the like read as not known among others": 1,
        "group_id: 7.0 read as 7": 2,
        "release_year: NA, NULL and the like read as not known": 1,
        "explicit: NA, NULL and the like read as not known": 1,
    }


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("user_id,item_id,weight\nu;a\n", "1 column instead of 3"),
        ("user_id;item_id;weight\nu;a;3,5\n", "line 2, column weight: '3,5' has a comma; write 3.5"),
        ("user_id\titem_id\tweight\nu\ta\t1.000,5\n", "'1.000,5' is not a number (above 0, at most 1e+15)"),
        ('user_id,item_id,weight\nu,a,"3,5"\n', "line 2, column weight: '3,5' has a comma"),
    ],
)
def test_decimal_commas_are_refused_with_the_remedy(tmp_path, table, said):
    assert said in refusal(tmp_path, interactions=table)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("energy", "1.5", "is not a number (0 to 1)"),
        ("tempo", "-1", "is not a number (0 to 1000)"),
        ("explicit", "perhaps", "is neither true nor false"),
        ("duration_ms", "inf", "is not a number (at least 0)"),
    ],
)
def test_a_cell_beyond_the_range_of_its_column_is_refused(tmp_path, column, value, said):
    items = f"item_id,{column}\na,\nb,{value}\n"
    message = refusal(tmp_path, interactions=csv("u,a", "u,b"), items=items)
    assert f"items.csv, line 3, column {column}: '{value}' {said}; correct that line" in message


def test_a_table_in_a_file_and_in_a_folder_is_refused(tmp_path):
    folder = write(tmp_path / "mine", interactions=csv("u,a"))
    (folder / "interactions.parquet").mkdir()
    with pytest.raises(UserError, match=r"holds interactions.csv and interactions.parquet: keep the one"):
        load_dataset(str(folder), tmp_path)


def test_what_the_system_does_not_let_us_read_is_named(tmp_path, monkeypatch):
    path = write(tmp_path / "mine", interactions=csv("u,a")) / "interactions.csv"

    def denied(self, *args, **named):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(type(path), "open", denied)
        with pytest.raises(UserError, match=r"cannot read .*interactions\.csv: permission denied; check that"):
            load_dataset(str(path.parent), tmp_path)
    for method in ("iterdir", "is_dir"):
        with monkeypatch.context() as patched:
            patched.setattr(type(path), method, denied)
            with pytest.raises(UserError, match=r"cannot read .*mine: permission denied; check that"):
                load_dataset(str(path.parent), tmp_path)


CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
IDS = st.one_of(st.integers(0, 30).map(str), st.sampled_from(["7.0", "NA", " a", "e\u0301", '"', "a\tb", "x,y"]), CELLS)
ROWS = st.lists(st.tuples(IDS, IDS), min_size=1, max_size=8)
DIALECTS = st.fixed_dictionaries(
    {
        "sep": st.sampled_from([",", "\t", ";"]),
        "quoting": st.sampled_from([QUOTE_ALL, QUOTE_MINIMAL, QUOTE_NONNUMERIC]),
        "lineterminator": st.sampled_from(["\n", "\r\n"]),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    }
)


def as_read(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())


def same_ids(found: Table, rows: list[tuple[str, str]]) -> bool:
    """Whether a table holds the ids of the rows, spelled as the rules say."""
    for column, written in zip(("user_id", "item_id"), zip(*rows, strict=True), strict=True):
        expected = [as_read(text) for text in written]
        if all(re.fullmatch(r"-?[0-9]+\.0", text) for text in expected):
            expected = [text[:-2] for text in expected]
        if found.ids(column).tolist() != expected:
            return False
    return True


@fuzzed()
@given(rows=ROWS, dialect=DIALECTS)
def test_whatever_pandas_writes_is_read_back_or_refused(tmp_path_factory, rows, dialect):
    path = tmp_path_factory.mktemp("any") / "table.csv"
    pd.DataFrame(rows, columns=["user_id", "item_id"]).to_csv(path, index=False, **dialect)
    try:
        found = read_table(path, (USER, ITEM))
        assert same_ids(found, rows)
    except UserError as error:
        bad = {*MISSING, ""} & {as_read(text) for row in rows for text in row}
        assert bad or "spell all alike" in str(error), error


@fuzzed()
@given(rows=ROWS, kind=st.sampled_from([pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]))
def test_whatever_arrow_writes_is_read_back_or_refused(tmp_path_factory, rows, kind):
    path = tmp_path_factory.mktemp("any") / "table.parquet"
    columns = [pa.array(column).cast(kind) for column in zip(*rows, strict=True)]
    pq.write_table(pa.table(dict(zip(("user_id", "item_id"), columns, strict=True))), path)
    try:
        assert same_ids(read_table(path, (USER, ITEM)), rows)
    except UserError as error:
        bad = {*MISSING, ""} & {as_read(text) for row in rows for text in row}
        assert bad or "spell all alike" in str(error), error


@fuzzed()
@given(
    content=st.lists(st.sampled_from([bytes([byte]) for byte in b'user_id,item_id,\t"\n\r7.0\xff\0'])),
    suffix=st.sampled_from(["csv", "tsv", "parquet"]),
    head=st.sampled_from([b"", b"user_id,item_id,timestamp\n", b'"user_id"\titem_id\n', b"\xff\xfe"]),
)
def test_any_bytes_are_a_table_or_a_sentence(tmp_path_factory, content, suffix, head):
    path = tmp_path_factory.mktemp("any") / f"table.{suffix}"
    path.write_bytes(head + b"".join(content))
    try:
        read_table(path, INTERACTIONS).frame()
    except UserError as error:
        assert str(path) in str(error)
        assert ";" in str(error), "the remedy is missing"


COLUMNS = [column for columns in TABLES.values() for column in columns]
VALUES = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | CELLS


@fuzzed()
@given(cells=st.lists(VALUES, min_size=1, max_size=5), column=st.sampled_from(COLUMNS))
def test_any_cell_of_any_column_is_a_value_or_a_sentence(tmp_path_factory, cells, column):
    path = tmp_path_factory.mktemp("any") / "table.csv"
    pd.DataFrame({column.name: pd.Series(cells, dtype=object)}).to_csv(path, index=False)
    try:
        assert len(read_table(path, (column,)).frame())
    except UserError as error:
        assert str(path) in str(error)
        assert ";" in str(error), "the remedy is missing"
