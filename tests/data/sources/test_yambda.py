"""Yambda: the official cut to the second, both layouts, and what is left out."""

import polars as pl
import pytest

from common.data.dataset import load_dataset
from common.data.sources import yambda
from common.data.sources.large_logs.out_of_core import staged
from common.data.sources.yambda import (
    ARTISTS,
    COUNTS,
    CUT,
    FILES_50M,
    FILES_500M,
    prepare_yambda_500m,
    read_yambda_50m,
    stage_events,
)
from common.splits.protocols import draw_split
from common.splits.train_view import load_train_view
from common.utils.errors import UserError
from common.utils.io import read_json
from tests.data.large_logs import LISTENS, listens, write_yambda


@pytest.fixture(autouse=True)
def no_real_data(monkeypatch):
    monkeypatch.delenv("MUSIC_DATA", raising=False)


def parts_of(events: pl.LazyFrame) -> list[tuple[str, str, int]]:
    return events.select("part", "track_id", "timestamp").collect().rows()


def test_the_cut_is_the_official_one(tmp_path):
    log = stage_events(write_yambda(tmp_path), tmp_path, {})
    assert parts_of(log.events) == [
        ("train", "7", 0),
        ("train", "7", 0),
        ("train", "22", 10),
        ("train", "8", 25_823_595),
        ("valid", "11", 25_825_400),
        ("valid", "12", 25_911_795),
        ("test", "14", 25_913_600),
        ("test", "7", 26_000_000),
        ("train", "7", 4_005),
    ]
    assert {repair.what: repair.rows for repair in log.repairs} == {
        "events that are no listens left out": 1,
        "listens of less than 50% of a track left out": 1,
        "listens in the gaps before validation and test left out": 4,
        "listens in validation and test of users without train left out": 2,
    }
    assert dict(CUT) == {
        **{"train_until": 25_823_600, "valid_from": 25_825_400, "valid_until": 25_911_800, "test_from": 25_913_600},
        "gap_seconds": 1_800,
    }


def test_raw_events_have_the_standard_columns_and_differences_do_not_wrap(tmp_path):
    events = stage_events(write_yambda(tmp_path), tmp_path, {}).events.collect()
    standard = ["duration_seconds", "played_ratio_pct", "is_organic"]
    assert events.columns == ["user_id", "track_id", "timestamp", "part", *standard]
    assert events["user_id"].unique(maintain_order=True).to_list() == ["100", "300"], "200 has no train"
    assert events["timestamp"].diff().min() == 4_005 - 26_000_000, "uint32 would wrap"


@pytest.mark.parametrize("names", [{}, {"item_id": "item_ids", "timestamp": "timestamps"}])
def test_lists_of_each_user_are_the_same_log(tmp_path, names):
    write_yambda(tmp_path / "flat" / "raw")
    by_user = listens().group_by("uid", maintain_order=True).agg(pl.all()).rename(names)
    write_yambda(tmp_path / "lists" / "raw", by_user, "sequential")
    flat, lists = (read_yambda_50m(tmp_path / folder) for folder in ("flat", "lists"))
    assert lists.interactions.equals(flat.interactions)
    assert lists.repairs == flat.repairs


def test_pairs_are_split_at_the_cut_and_cold_items_stay(tmp_path):
    write_yambda(tmp_path / "raw")
    data = load_dataset("yambda-50m", tmp_path)
    assert data.tables.interactions["weight"].tolist() == [3, 1, 1, 1, 1, 1, 1], "plays of a pair are added up"
    split = draw_split(data, "temporal")
    pairs = {name: part[["user_id", "item_id"]].astype(str).to_numpy().tolist() for name, part in split.parts().items()}
    assert pairs["train"] == [["100", "7"], ["100", "22"], ["100", "8"], ["300", "7"]]
    assert pairs["valid"] == [["100", "11"], ["100", "12"]], "tracks that train lacks"
    assert pairs["test"] == [["100", "14"]], "a track that the user knows is nothing to discover"


def test_the_model_that_is_tested_is_fitted_on_nothing_in_the_gaps(tmp_path):
    write_yambda(tmp_path / "a" / "raw")
    write_yambda(tmp_path / "b" / "raw", size="500m")
    for folder, name in (("a", "yambda-50m"), ("b", "yambda-500m")):
        data = load_dataset(name, tmp_path / folder)
        times = load_train_view(data, "temporal", "final").histories.timestamps
        assert times is not None
        assert times[times >= yambda.TRAIN_UNTIL].min() >= yambda.VALID_FROM
        assert yambda.VALID_FROM < times.max() < yambda.VALID_UNTIL == yambda.TEST_FROM - 1_800


def test_artists_come_from_the_file_beside(tmp_path):
    write_yambda(tmp_path / "raw")
    assert "artist" not in read_yambda_50m(tmp_path).items
    types = {"artist_id": pl.UInt32, "item_id": pl.UInt32}
    artists = pl.DataFrame({"artist_id": [5, 3, 9], "item_id": [7, 7, 8]}, schema=types)
    artists.write_parquet(tmp_path / "raw" / "yambda" / ARTISTS)
    items = read_yambda_50m(tmp_path).items.set_index("item_id")["artist"].dropna()
    assert items.to_dict() == {"7": "3", "8": "9"}


def test_counts_are_compared_with_the_published_ones(tmp_path, monkeypatch, caplog):
    write_yambda(tmp_path / "raw")
    load_dataset("yambda-50m", tmp_path)
    assert "listens 16 instead of 46,467,212, users 3 instead of 9,238" in caplog.text
    counts = dict(zip(COUNTS, (16, 3, 15, 5, 2, 2), strict=True))
    monkeypatch.setitem(yambda.PUBLISHED, "50m", counts)
    assert read_yambda_50m(tmp_path).notes["warnings"] == []


def test_what_cannot_be_read_is_one_sentence(tmp_path):
    path = write_yambda(tmp_path / "raw")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"cannot read .*listens.parquet: .*fetch the file again"):
        read_yambda_50m(tmp_path)
    write_yambda(tmp_path / "raw", listens().drop("played_ratio_pct"))
    with pytest.raises(UserError, match="column played_ratio_pct is missing among uid, item_id"):
        read_yambda_50m(tmp_path)
    write_yambda(tmp_path / "raw", listens(row for row in LISTENS if row[2] > 25_823_600))
    with pytest.raises(UserError, match=r"holds no listen before second 25,823,600"):
        read_yambda_50m(tmp_path)


def test_the_larger_size_goes_through_the_ten_steps_with_the_same_parts(tmp_path, caplog):
    write_yambda(tmp_path / "raw", size="500m")
    folder = tmp_path / "yambda-500m"
    prepare_yambda_500m(tmp_path, folder)
    assert "listens 16 instead of 466,512,103" in caplog.text
    manifest = read_json(folder / "manifest.json")
    assert manifest["form"] == "matrix"
    assert {part: manifest["rows"][f"interactions_{part}"] for part in ("train", "valid", "test")} == {
        **{"train": 4, "valid": 2, "test": 1},
    }
    assert {
        name: manifest["notes"]["cut"][name] for name in CUT if name in manifest["notes"]["cut"]
    }.items() <= CUT.items()
    assert "listens of less than 50% of a track left out" in [repair["what"] for repair in manifest["repairs"]]
    tables = read_yambda_of(tmp_path)
    for part in ("train", "valid", "test"):
        pairs = pl.read_parquet(folder / f"interactions_{part}.parquet")
        assert pairs["first"].sort().to_list() == sorted(tables[part]["timestamp"].tolist()), part
    assert not staged(folder).exists()


def read_yambda_of(tmp_path):
    """The parts that the tables of the smaller size give for the same listens."""
    write_yambda(tmp_path / "small" / "raw")
    return draw_split(load_dataset("yambda-50m", tmp_path / "small"), "temporal").parts()


def test_the_public_addresses():
    log, artists = FILES_50M.downloads
    assert log.url == "https://huggingface.co/datasets/yandex/yambda/resolve/main/flat/50m/listens.parquet"
    assert artists.url.endswith(f"/resolve/main/{ARTISTS}")
    assert log.checksum.startswith("sha256:")
    assert FILES_500M.downloads[0].url.endswith("/flat/500m/listens.parquet")
