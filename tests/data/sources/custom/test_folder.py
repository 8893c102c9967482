"""Folders of one's own: what is read from them, what is repaired, and what is refused with the place named."""

import logging

import pandas as pd
import pytest

from common.data.dataset import load_dataset
from common.data.sources.custom.folder import custom_name
from common.data.sources.registry import resolve_name
from common.evaluation.task import Task
from common.models import Popularity
from common.splits import holdout as visible_module
from common.splits import negatives
from common.splits.protocols import draw_split
from common.splits.store import load_split
from common.splits.train_view import load_train_view
from common.utils.errors import UserError
from tests.data.sources.custom.folders import TIMED, csv, load, refusal, write
from tests.data.worlds import rich_tables


def listens(n_users: int = 6, n_items: int = 8) -> list[str]:
    return [f"u{user},i{(user + item) % 12}" for user in range(n_users) for item in range(n_items)]


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
    assert custom_name(write(tmp_path / "my data!"), []).startswith("my_data_-")
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
    assert "items.csv: not one item_id of it is in interactions.csv ('07' here, '7' there)" in message


def test_pairs_in_train_and_test_are_counted_and_named(tmp_path):
    message = refusal(tmp_path, train=csv("u,a", "u,b", "v,a"), test=csv("v,a", "u,b", "u,c"))
    assert "share 2 (user, item) pairs, the first of user 'v' and item 'a'" in message
    assert "take them out" in message
    message = refusal(tmp_path / "valid", train=csv("u,a"), valid=csv("u,b"), test=csv("u,b"))
    assert "valid.csv share 1" in message


def parts(user: str, item: str, others: str = "u{}", items: str = "i{}") -> dict[str, str]:
    """Train of twelve users and items, and a test that spells them in another way."""
    train = csv(*(f"{user.format(u)},{item.format(i)}" for u in range(12) for i in range(12) if u != i))
    return {"train": train, "test": csv(*(f"{others.format(u)},{items.format(u)}" for u in range(12)))}


@pytest.mark.parametrize(
    ("tables", "complaint"),
    [
        (parts("u{}", "{}", items="00{}"), "test.csv: not one item_id of it is in train.csv ('000' here, '0' there)"),
        (parts("{}", "i{}", others="00{}"), "test.csv: not one user_id of it is in train.csv ('000' here, '0' there)"),
        ({"social": "user_id,friend_id\nu,x\n"}, "social.csv: not one friend_id of it is in interactions.csv"),
        ({"item_tags": "item_id,tag\nA,x\n"}, "item_tags.csv: not one item_id of it is in interactions.csv"),
        ({"user_item_tags": "user_id,item_id,tag\nU,a,x\n"}, "user_item_tags.csv: not one user_id of it"),
        ({"songs": "track_id,item_id\nt,A\n"}, "songs.csv: not one item_id of it is in interactions.csv"),
        ({"users": "user_id\nU\n"}, "users.csv: not one user_id of it is in interactions.csv ('U' here, 'u' there)"),
    ],
)
def test_tables_that_share_nothing_are_refused(tmp_path, tables, complaint):
    tables = tables if "train" in tables else {"interactions": csv("u,a", "v,b"), **tables}
    assert complaint in refusal(tmp_path, **tables)


def test_tables_that_share_little_are_told_of(tmp_path, caplog):
    items = "item_id\n" + "".join(f"i{n}\n" for n in range(8, 30))
    data = load(tmp_path, interactions=csv(*(f"u,i{n}" for n in range(12))), items=items)
    (said,) = data.manifest["notes"]["warnings"]
    assert "items.csv and interactions.csv share 4 of 12 item_ids; are ids spelled alike in both?" in said
    assert said in caplog.text


@pytest.mark.parametrize("kind", [".0", " ", "nfd"])
def test_parts_that_programs_have_spelled_otherwise_meet_and_the_repair_is_told(tmp_path, kind, caplog):
    """As if they had been spelled alike: the same users, items, split."""
    plain, other = {".0": ("{}", "{}.0"), " ": ("{}", " {}\u00a0"), "nfd": ("é{}", "e\u0301{}")}[kind]
    alike = load(tmp_path / "1", **parts(plain, plain, plain, plain))
    with caplog.at_level(logging.INFO):
        data = load(tmp_path / "2", **parts(plain, plain, other, other))
    assert data.manifest["rows"] == alike.manifest["rows"] == {"interactions": 144, "items": 12, "users": 12}
    assert data.sha256 == alike.sha256
    assert [(repair["table"], repair["rows"]) for repair in data.manifest["repairs"]] == [("test", 12), ("test", 12)]
    assert caplog.text.count("repaired in test, 12 rows") == 2


@pytest.mark.parametrize("time", ["0", "2024-05-06"])
def test_times_that_are_all_the_same_tell_no_order(tmp_path, time, caplog):
    rows = [f"{row},{time}" for row in listens()]
    data = load(tmp_path, interactions=csv(*rows, columns=TIMED))
    assert "timestamp" not in data.tables.interactions
    assert ("interactions", 48) in [(repair["table"], repair["rows"]) for repair in data.manifest["repairs"]]
    assert "holds one time alone" in caplog.text
    assert len(load_split(data, "listen").test) == 6
    for protocol in ("next", "temporal"):
        with pytest.raises(UserError, match=r"interactions\.csv holds one time alone.*, which tells no order"):
            load_split(data, protocol)


def test_parts_of_one_day_each_are_in_order(tmp_path):
    train = csv("u,a,2024-01-01", "u,b,2024-01-01", columns=TIMED)
    data = load(tmp_path, train=train, test=csv("u,c,2024-01-02", columns=TIMED))
    assert "timestamp" in data.tables.interactions
    tags = "user_id,item_id,tag,timestamp\nu,a,x,0\nu,b,x,0\n"
    data = load(tmp_path / "tags", interactions=csv("u,a", "u,b"), user_item_tags=tags)
    assert data.tables.user_item_tags is not None
    assert "timestamp" not in data.tables.user_item_tags


def test_times_in_some_parts_only_are_refused(tmp_path):
    message = refusal(tmp_path, train=csv("u,a,1", columns=TIMED), test=csv("u,b"))
    assert "give it to all parts or to none" in message


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
