"""Folders of one's own: what is read from them, what is repaired, and what is refused with the place named."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.data.dataset import Dataset, load_dataset
from common.data.sources.custom.folder import own_name
from common.data.sources.registry import resolve_name
from common.evaluation.task import Task
from common.models.registry import Popularity
from common.splits import holdout as visible_module
from common.splits import negatives
from common.splits.protocols import draw_split
from common.splits.store import load_split
from common.splits.train_view import load_train_view
from common.utils.errors import UserError
from tests.data.worlds import rich_tables

COLUMNS = "user_id,item_id\n"
TIMED = "user_id,item_id,timestamp\n"


def write(folder: Path, **tables: str | pd.DataFrame) -> Path:
    """Write tables as CSV from text, or as parquet from a frame; `name_tsv` gives another suffix."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in tables.items():
        if isinstance(content, pd.DataFrame):
            content.to_parquet(folder / f"{name}.parquet", index=False)
        else:
            stem, _, suffix = name.partition("__")
            (folder / f"{stem}.{suffix or 'csv'}").write_text(content, encoding="utf-8")
    return folder


def load(tmp_path: Path, **tables: str | pd.DataFrame) -> Dataset:
    return load_dataset(str(write(tmp_path / "mine", **tables)), tmp_path / "data")


def csv(*rows: str, columns: str = COLUMNS) -> str:
    return columns + "".join(f"{row}\n" for row in rows)


def listens(n_users: int = 6, n_items: int = 8) -> list[str]:
    return [f"u{user},i{(user + item) % 12}" for user in range(n_users) for item in range(n_items)]


def refusal(tmp_path: Path, **tables: str | pd.DataFrame) -> str:
    with pytest.raises(UserError) as caught:
        load(tmp_path, **tables)
    return str(caught.value)


def test_two_columns_of_text_are_enough(tmp_path):
    data = load(tmp_path, interactions=csv(*listens()))
    rows = data.tables.interactions
    assert rows["user_id"].astype(str).tolist()[:2] == ["u0", "u0"]
    assert rows["weight"].eq(1).all()
    assert "timestamp" not in rows
    assert data.manifest["repairs"] == []
    split = load_split(data, "listen")
    assert len(split.test) == 6
    with pytest.raises(UserError, match="no times"):
        load_split(data, "next")


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


def test_the_draw_does_not_depend_on_the_order_of_rows(tmp_path):
    rows = listens()
    one = draw_split(load(tmp_path / "1", interactions=csv(*rows)), "listen")
    two = draw_split(load(tmp_path / "2", interactions=csv(*reversed(rows))), "listen")
    assert one.test.astype(str).equals(two.test.astype(str))
    assert one.negatives99.astype(str).equals(two.negatives99.astype(str))


def test_a_folder_with_everything_is_read_whole(tmp_path):
    tables = rich_tables()
    frames = {name: frame for name, frame in tables.frames().items() if name != "users"}
    data = load(tmp_path, **frames, users=tables.users.to_csv(index=False))
    assert data.next_core == 1
    for name, expected in tables.frames().items():
        found = getattr(data.tables, name)
        assert len(found) == len(expected), name
        assert set(found.columns) == set(expected.columns), name
    for protocol in ("listen", "next", "next-shuffled", "newcomer", "temporal"):
        assert len(load_split(data, protocol).test) > 0


def test_folders_of_one_name_never_mix_and_a_change_is_seen(tmp_path):
    one, two = (write(tmp_path / where / "mine", interactions=csv(*listens())) for where in "ab")
    names = {resolve_name(str(folder), tmp_path) for folder in (one, two, one)}
    assert len(names) == 2
    assert all(name.startswith("mine-") for name in names)
    assert own_name(write(tmp_path / "my data!"), []).startswith("my_data_-")
    first = load_dataset(str(one), tmp_path / "data")
    write(one, interactions=csv(*listens(), "new,i1"))
    second = load_dataset(str(one), tmp_path / "data")
    assert first.folder == second.folder
    assert second.manifest["rows"]["interactions"] == first.manifest["rows"]["interactions"] + 1


def test_repeated_pairs_are_merged_and_counted(tmp_path):
    text = csv("u,a,2,50", "u,b,1,60", "u,a,3,40", columns="user_id,item_id,weight,timestamp\n")
    data = load(tmp_path, interactions=text)
    assert data.tables.interactions.astype({"user_id": "str", "item_id": "str"}).to_numpy().tolist() == [
        ["u", "a", 5.0, 40],
        ["u", "b", 1.0, 60],
    ]
    assert [repair["rows"] for repair in data.manifest["repairs"]] == [1]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1700000000", 1_700_000_000),
        ("1700000000000", 1_700_000_000),
        ("-5", -5),
        ("2023-11-14", 1_699_920_000),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14 22:13:20", 1_700_000_000),
        ("2023-11-14T22:13:20.999", 1_700_000_000),
        ("2023-11-15T00:13:20+02:00", 1_700_000_000),
    ],
)
def test_times_become_seconds(tmp_path, written, seconds):
    data = load(tmp_path, interactions=csv(f"u,a,{written}", columns=TIMED))
    assert data.tables.interactions["timestamp"].tolist() == [seconds]


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_times_of_parquet_keep_their_zone(tmp_path, zone):
    times = pd.to_datetime(["2023-11-14T22:13:20.5Z"]).tz_convert(zone)
    data = load(tmp_path, interactions=pd.DataFrame({"user_id": ["u"], "item_id": ["a"], "timestamp": times}))
    assert data.tables.interactions["timestamp"].tolist() == [1_700_000_000]


@pytest.mark.parametrize(
    ("times", "complaint"),
    [
        (["1700000000", "1700000000000"], r"line 3, column timestamp: '1700000000000' is in milliseconds"),
        (["1700000000000", "1700000000"], r"line 3, column timestamp: '1700000000' is in seconds"),
        (["1700000000", "2023-11-14"], r"line 3.*is a date, while the rows before it hold a number"),
        (["2023-11-14", "1700000000"], r"line 3.*is a number, while the rows before it hold a date"),
        (["2023-11-14T22:00Z", "2023-11-14T22:00"], r"line 3.*another zone.*zone \+0000; write all in UTC"),
        (["2023-11-14T22:00", "2023-11-14T22:00Z"], r"line 3.*another zone.*no zone"),
        (["2023-11-14T22:00+01:00", "2023-11-14T22:00Z"], r"line 3.*another zone.*zone \+0100"),
        (["2023-11-14", ""], r"line 3.*nothing is no time"),
        (["2023-11-14", "14.11.2023"], r"line 3.*is no time: write"),
        (["2023-02-30"], r"line 2.*no calendar"),
        (["1700000000.5"], r"line 2.*not a whole number"),
        (["nan"], r"line 2.*not a whole number"),
        (["1700000000000000"], r"line 2.*neither seconds nor milliseconds"),
    ],
)
def test_times_in_mixed_or_unknown_forms_are_refused_by_line(tmp_path, times, complaint):
    text = csv(*(f"u,i{place},{time}" for place, time in enumerate(times)), columns=TIMED)
    with pytest.raises(UserError, match=complaint):
        load(tmp_path, interactions=text)


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


def test_two_files_of_one_table_and_missing_tables_are_refused(tmp_path):
    folder = write(tmp_path / "mine", interactions=csv("u,a"), interactions__tsv="user_id\titem_id\nu\ta\n")
    with pytest.raises(UserError, match=r"interactions\.csv and interactions\.tsv: keep the one"):
        load_dataset(str(folder), tmp_path)
    assert "lacks interactions (or train and test)" in refusal(tmp_path / "1", items="item_id\na\n")
    assert "lacks test beside train" in refusal(tmp_path / "2", train=csv("u,a"))
    assert "keep interactions.*, or train" in refusal(tmp_path / "3", interactions=csv("u,a"), train=csv("u,a"))
    negatives = "user_id,negative_id\nu,b\n"
    assert "goes with test" in refusal(tmp_path / "4", interactions=csv("u,a"), negatives99=negatives)


def test_what_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file.csv").write_text(csv("u,a"))
    with pytest.raises(UserError, match="is a file: name the folder"):
        resolve_name(str(tmp_path / "file.csv"), tmp_path)
    with pytest.raises(UserError, match="there is no such folder"):
        resolve_name(str(tmp_path / "gone"), tmp_path)
    with pytest.raises(UserError, match="did you mean 'synthetic'"):
        resolve_name("syntetic", tmp_path)


def test_side_tables_cover_the_catalogue_and_repairs_are_counted(tmp_path):
    data = load(
        tmp_path,
        interactions=csv("u,a", "v,b"),
        items="item_id,name,energy,explicit\na,First,0.5,true\nz,Unheard,,false\n",
        users="user_id,age\nu,\nv,30\n",
        social="user_id,friend_id\nu,v\nu,u\nu,stranger\n",
        item_tags="item_id,tag\na,rock\n",
    )
    items = data.tables.items.set_index("item_id")
    assert items.index.tolist() == ["a", "b"]
    assert items["energy"].tolist()[0] == 0.5
    assert items["name"].isna().tolist() == [False, True]
    assert data.tables.social is not None
    assert data.tables.social.to_numpy().tolist() == [["u", "v"], ["v", "u"]]
    assert data.tables.item_tags is not None
    assert data.tables.item_tags["weight"].tolist() == [1.0]
    assert {repair["table"]: repair["rows"] for repair in data.manifest["repairs"]} == {"items": 1, "social": 2}
    message = refusal(tmp_path / "other", interactions=csv("u,7"), items="item_id\n07\n")
    assert "not one item_id of it is in the interactions ('07' here, '7' there)" in message


READY = {
    "train": csv(*(f"u{user},i{item}" for user in range(4) for item in range(6))),
    "test": csv("u0,i6", "u1,i7", "u2,new", "stranger,i1"),
}


def test_a_ready_made_split_is_used_as_it_is(tmp_path):
    data = load(tmp_path, **READY, valid=csv("u0,i8", "u1,i8"))
    for protocol in ("listen", "next"):
        split = load_split(data, protocol)
        assert split.test["item_id"].astype(str).tolist() == ["i6", "i7", "new", "i1"]
        assert split.valid["user_id"].astype(str).tolist() == ["u0", "u1"]
        assert len(split.train) == 24
        assert "new" in split.catalogue(), "an item of test alone is in the catalogue"
    for protocol in ("next-shuffled", "newcomer", "temporal"):
        with pytest.raises(UserError, match="ready-made split, which serves --protocol listen and next alone"):
            load_split(data, protocol)


def test_without_valid_it_is_carved_from_train(tmp_path):
    data = load(tmp_path, **READY)
    listen, following = draw_split(data, "listen"), draw_split(data, "next")
    assert sorted(listen.valid["user_id"].astype(str)) == ["u0", "u1", "u2", "u3"], "max(1, 6 // 10) of each"
    assert following.valid["item_id"].astype(str).tolist() == ["i5"] * 4, "the last in the file"
    assert len(listen.train) == len(following.train) == 20
    timed = {
        "train": csv("u,a,30", "u,b,10", "u,c,20", columns=TIMED),
        "test": csv("u,d,40", columns=TIMED),
    }
    assert draw_split(load(tmp_path / "timed", **timed), "next").valid["item_id"].astype(str).tolist() == ["a"]


def test_people_of_test_alone_are_scored_with_an_empty_history(tmp_path):
    data = load(tmp_path, **READY)
    asked = Task(data, "listen").test.holdout
    assert asked.codes[asked.users == "stranger"].tolist() == [-1]
    train = load_train_view(data, "listen", "final")
    evaluator = Task(data, "listen").test
    overall = evaluator.evaluate(Popularity().fit(train)).metrics
    assert overall["n_unseen_users"] == 1
    assert overall["n_targets_unseen"] == 3, "i6, i7 and new have no visible listener"


def test_pairs_in_train_and_test_are_counted_and_named(tmp_path):
    message = refusal(tmp_path, train=csv("u,a", "u,b", "v,a"), test=csv("v,a", "u,b", "u,c"))
    assert "share 2 (user, item) pairs, the first of user 'v' and item 'a'" in message
    assert "take them out" in message
    message = refusal(tmp_path / "valid", train=csv("u,a"), valid=csv("u,b"), test=csv("u,b"))
    assert "valid.csv share 1" in message


def test_times_in_some_parts_only_are_refused(tmp_path):
    message = refusal(tmp_path, train=csv("u,a,1", columns=TIMED), test=csv("u,b"))
    assert "give it to all parts or to none" in message


def test_negatives_of_ones_own_are_used_and_the_rest_is_drawn(tmp_path):
    negatives = "user_id,negative_id\nu0,i8\nu0,i7\nu0,i7\n"
    data = load(tmp_path, **READY | {"train": READY["train"] + "u3,i8\n"}, negatives99=negatives)
    drawn = load_split(data, "listen").negatives99.astype(str)
    of_u0 = drawn[(drawn["user_id"] == "u0") & (drawn["item_id"] == "i6")]
    assert of_u0["negative_id"].tolist() == ["i8", "i7"]
    assert {"u1", "u2", "stranger"} <= set(drawn["user_id"])
    assert data.manifest["repairs"][0]["rows"] == 1, "the repeated one"


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("user_id,item_id,negative_id\nu0,i6,i7\nu0,i7,i8\n", "line 3, column user_id: 'u0' has no such hidden item"),
        (
            "user_id,item_id,negative_id\nu0,i6,nowhere\n",
            "line 2, column negative_id: 'nowhere' is an item that no part",
        ),
        ("user_id,item_id,negative_id\nu0,i6,i6\n", "is the hidden item itself"),
        ("user_id,negative_id\nu9,i6\n", "line 2, column user_id: 'u9' has no such hidden item"),
    ],
)
def test_negatives_that_fit_nothing_are_refused(tmp_path, rows, complaint):
    assert complaint in refusal(tmp_path, **READY, negatives99=rows)


def test_negatives_without_the_item_need_one_hidden_item_each(tmp_path):
    parts = {"train": csv("u,a"), "test": csv("u,b", "u,c"), "negatives99": "user_id,negative_id\nu,a\n"}
    assert "needs a column 'item_id': user 'u' has several" in refusal(tmp_path, **parts)


def test_data_too_small_for_a_protocol_says_so(tmp_path):
    data = load(tmp_path, interactions=csv("u,a", "v,b"))
    with pytest.raises(UserError, match="too small for protocol listen"):
        load_split(data, "listen")


def test_ids_stay_categories_from_end_to_end(tmp_path, caplog):
    """Text of its own for each of millions of rows would fill the memory."""
    with caplog.at_level(logging.WARNING):
        data = load(tmp_path, interactions=csv(*listens()))
        split = load_split(data, "listen")
    for frame in (data.tables.interactions, *split.parts().values(), split.negatives99):
        assert all(isinstance(frame[c].dtype, pd.CategoricalDtype) for c in frame.columns if str(c).endswith("_id"))
    assert caplog.text == ""


def test_of_very_many_hidden_pairs_some_get_negatives_and_only_these_count(tmp_path, monkeypatch):
    for module in (negatives, visible_module):
        monkeypatch.setattr(module, "MOST_PAIRS", 5)
    data = load(tmp_path, interactions=csv(*listens(20)))
    drawn = load_split(data, "listen").negatives99
    assert len(drawn[["user_id", "item_id"]].drop_duplicates()) == 5
    train = load_train_view(data, "listen", "final")
    evaluator = Task(data, "listen").test
    evaluation = evaluator.evaluate(Popularity().fit(train))
    sampled = evaluation.targets["rank_sampled99"] > 0
    assert 0 < sampled.sum() < len(sampled)
    found = float((evaluation.targets["rank_sampled99"][sampled] <= 5).mean())
    assert evaluation.metrics["hr_5_sampled99"] == pytest.approx(found), "one hidden item each"
    assert evaluation.per_user["ndcg_10"].notna().all()
