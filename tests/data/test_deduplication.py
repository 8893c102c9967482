"""Spellings of artists made one in prepared tables."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from common.data.dataset import load_dataset
from common.data.deduplication import Spellings, artists_are_items, deduplicate, spellings_of
from common.data.tables import Tables
from common.utils.errors import UserError
from tests.data.handwritten import write_lastfm, write_songs
from tests.data.worlds import rich_tables

ARTISTS = {
    "1": "Velvet Otters",
    "2": "velvet otters",
    "3": "The Velvet Otters feat. Ada",
    "4": "Velvet Oters",
    "5": "Harbour Tide",
    "6": "Otter Velvet",
}


def artists(**changes) -> Tables:
    """Users a and b who play artists, of whom four are spellings of one."""
    rows = [("a", "1", 100.0), ("a", "2", 3.0), ("a", "4", 2.0), ("b", "3", 5.0), ("b", "5", 7.0), ("b", "6", 1.0)]
    items = pd.DataFrame({"item_id": list(ARTISTS), "name": list(ARTISTS.values()), "artist": list(ARTISTS)})
    items["tempo"] = [np.nan, 120.0, 90.0, 80.0, 70.0, 60.0]
    tags = [("a", "1", "calm"), ("a", "2", "calm"), ("b", "3", "wet"), ("b", "99", "wet")]
    tables = Tables(
        pd.DataFrame(rows, columns=["user_id", "item_id", "weight"]),
        items,
        pd.DataFrame({"user_id": ["a", "b"]}),
        item_tags=pd.DataFrame([("1", "river", 2.0), ("4", "river", 1.0)], columns=["item_id", "tag", "weight"]),
        user_item_tags=pd.DataFrame(tags, columns=["user_id", "item_id", "tag"]),
        songs=pd.DataFrame({"track_id": ["t", "s", "r"], "item_id": ["3", "5", None]}),
    )
    return dataclasses.replace(tables, **changes)


def test_plays_are_added_up_and_tags_put_together():
    one = deduplicate(artists())
    assert one.user_item_tags is not None and one.item_tags is not None and one.songs is not None
    rows = one.interactions.itertuples(index=False)
    assert list(map(tuple, rows)) == [("a", "1", 105.0), ("b", "1", 5.0), ("b", "5", 7.0), ("b", "6", 1.0)]
    assert one.items["name"].tolist() == ["Velvet Otters", "Harbour Tide", "Otter Velvet"]
    assert one.user_item_tags.to_numpy().tolist() == [["a", "1", "calm"], ["b", "1", "wet"], ["b", "99", "wet"]]
    assert one.item_tags.to_numpy().tolist() == [["1", "river", 3.0]]
    assert one.songs["item_id"].tolist()[:2] == ["1", "5"] and pd.isna(one.songs["item_id"].iloc[2])
    assert one.interactions["weight"].sum() == artists().interactions["weight"].sum()


def test_what_one_spelling_lacks_comes_from_the_next_most_played():
    assert deduplicate(artists()).items["tempo"].tolist() == [90.0, 70.0, 60.0], "of 5 plays, not of 3 or 2"


def test_what_was_merged_is_counted_and_listed():
    one = deduplicate(artists())
    assert one.notes["deduplicated"] == {
        "spellings": 6, "same_key": 2, "near_spelling": 1, "only_listed": 0, "artists": 3
    }  # fmt: skip
    assert {repair.what: repair.rows for repair in one.repairs} == {
        "spelling that differs in case, accents or punctuation merged into its artist": 2,
        "near spelling merged into its artist": 1,
        "plays of a user's several spellings of an artist added up": 2,
    }
    listed = one.reviews["near_spellings"]
    assert listed[["artist", "near", "rule", "merged"]].to_numpy().tolist() == [
        ["The Velvet Otters feat. Ada", "Velvet Otters", "same_key", True],
        ["velvet otters", "Velvet Otters", "same_key", True],
        ["Velvet Oters", "Velvet Otters", "near_spelling", True],
    ]
    assert listed["plays_of_near"].tolist() == [100.0, 100.0, 100.0]


def test_a_near_name_that_is_played_as_much_is_listed_alone():
    rows = artists().interactions.assign(weight=100.0)
    counts = deduplicate(artists(interactions=rows)).notes["deduplicated"]
    assert isinstance(counts, dict)
    assert (counts["near_spelling"], counts["only_listed"], counts["artists"]) == (0, 1, 4)


@pytest.mark.parametrize("kind", ["str", "category"])
def test_ids_keep_their_type_and_times_their_first(kind):
    rows = artists().interactions.assign(timestamp=[5, 3, 9, 1, 1, 1]).astype({"user_id": kind, "item_id": kind})
    one = deduplicate(artists(interactions=rows)).interactions
    assert one.dtypes.astype(str).tolist() == rows.dtypes.astype(str).tolist()
    assert one[["item_id", "timestamp"]].astype(str).to_numpy().tolist()[0] == ["1", "3"]


def test_tracks_keep_their_ids_and_their_artists_get_one_name():
    tables = rich_tables()
    items = tables.items.assign(artist=pd.Series(["Harbour Tide"] * 60 + ["harbour tide"] * 59).reindex(range(120)))
    one = deduplicate(dataclasses.replace(tables, items=items))
    pd.testing.assert_frame_equal(one.interactions, tables.interactions)
    assert one.items["artist"].dropna().unique().tolist() in (["Harbour Tide"], ["harbour tide"])
    assert one.items["artist"].isna().sum() == 1
    assert not artists_are_items(tables) and artists_are_items(artists())


def test_items_whose_artist_is_their_own_name_are_artists():
    named = artists().items.assign(artist=list(ARTISTS.values()))
    assert artists_are_items(artists(items=named))
    assert deduplicate(artists(items=named)).items["artist"].tolist() == [
        "Velvet Otters",
        "Harbour Tide",
        "Otter Velvet",
    ]


def test_tables_without_artists_and_ready_made_splits_are_refused():
    bare = artists(items=artists().items[["item_id", "name"]])
    assert spellings_of(bare) is None
    with pytest.raises(UserError, match="the items have no artists; add a column artist"):
        deduplicate(bare)
    with pytest.raises(UserError, match="ready-made split is used as it is"):
        deduplicate(artists(predefined={"train": artists().interactions}))


def test_equal_plays_go_by_code_point_and_blank_names_stay_apart():
    found = Spellings(np.array(["river song", "River Song", "?", "!"], object), np.ones(4))
    assert found.same_as.tolist() == [1, 1, 2, 3]


def test_last_fm_with_one_spelling_is_a_data_set_of_its_own(tmp_path, monkeypatch):
    monkeypatch.delenv("MUSIC_DATA", raising=False)
    raw = tmp_path / "raw" / "hetrec2011-lastfm-2k"
    write_lastfm(raw)
    rest = "".join(f"{item}\tvelvet otters!\tu\tp\n" for item in (20, 21))
    (raw / "artists.dat").write_text((raw / "artists.dat").read_text(encoding="utf-8") + rest, encoding="utf-8")
    with (raw / "user_artists.dat").open("a") as listens:
        listens.write("2\t20\t6\n8\t21\t4\n")
    write_songs(tmp_path / "raw" / "spotify" / "spotify_songs.csv")
    plain, one = load_dataset("lastfm-2k", tmp_path), load_dataset("lastfm-2k-deduplicated", tmp_path)
    assert (len(plain.tables.items), len(one.tables.items)) == (8, 6)
    assert one.folder == tmp_path / "lastfm-2k-deduplicated" and one.name == "lastfm-2k-deduplicated"
    assert one.sha256 != plain.sha256 and one.next_core == plain.next_core == 5
    weights = one.tables.interactions.set_index(["user_id", "item_id"])["weight"]
    assert (weights["2", "1"], weights["8", "1"]) == (306, 104)
    assert one.tables.items.set_index("item_id").loc["1", "tempo"] == 110, "songs are matched to the merged artist"
    review = pd.read_parquet(one.folder / "near_spellings.parquet")
    assert review["rule"].tolist() == ["same_key"] * 2
    assert "near_spellings.parquet" in one.manifest["files"] and "near_spellings" not in one.manifest["rows"]
