"""Files of a generated log: each depends on the seed and its number, in every format the same rows."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from common.data.synthetic.raw import files
from common.data.synthetic.raw.files import COLUMNS, file_name, rows_of, style_of, write_file
from common.data.synthetic.raw.texts import Texts
from common.data.synthetic.raw.world import RawLogSettings, build_world
from tests.data.synthetic.raw.small_log import read_file


def world_of(**more):
    return build_world(RawLogSettings(12_000, tracks=2_000, seed=3, **more))


def test_a_file_alone_is_the_same_as_among_others(tmp_path):
    world = world_of()
    texts = Texts(world)
    (tmp_path / "all").mkdir()
    for file in range(world.files):
        write_file(world, texts, file, tmp_path / "all")
    again = world_of()
    note = write_file(again, Texts(again), 2, tmp_path)
    assert (tmp_path / note["name"]).read_bytes() == (tmp_path / "all" / note["name"]).read_bytes()


@pytest.mark.parametrize("form", ["csv.gz", "jsonl"])
def test_formats_hold_the_same_rows(tmp_path, form, monkeypatch):
    monkeypatch.setattr(files, "BATCH", 900)
    worlds = [world_of(), world_of(format=form)]
    for file in (0, 3):
        notes = [write_file(world, Texts(world), file, tmp_path) for world in worlds]
        parquet, other = (read_file(world, file, tmp_path) for world in worlds)
        assert notes[0]["events"] == notes[1]["events"]
        assert notes[0]["rows"] == notes[1]["rows"] == len(other)
        names = ["artist_name", "album_name", "genre"]
        if form == "csv.gz":  # has a fault more, so that other things are wrong with its broken rows
            assert (parquet["plays"].isna().sum() == 0) & (other["plays"].isna().sum() > 0)
        else:
            names += ["user_id", "track_id", "track_name", "time", "plays"]
        left, right = (frame[names].astype(object).fillna("") for frame in (parquet, other))
        pd.testing.assert_frame_equal(left, right)


def test_times_of_files_differ_in_form(tmp_path):
    world = world_of()
    assert [style_of(file) for file in range(5)] == ["iso", "s", "iso", "ms", "iso"]
    for file, (low, high) in ((1, (1e9, 1e10)), (3, (1e12, 1e13))):
        write_file(world, Texts(world), file, tmp_path)
        table = pq.read_table(tmp_path / file_name(world, file))
        assert tuple(table.column_names) == COLUMNS["number"]
        assert low < table["timestamp"].to_pandas().median() < high
    write_file(world, Texts(world), 0, tmp_path)
    said = pq.read_table(tmp_path / file_name(world, 0))["played_at"].to_pandas()
    assert said.str.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|yesterday").all()


def test_the_note_counts_what_is_in_the_file(tmp_path):
    world = world_of()
    note = write_file(world, Texts(world), 1, tmp_path)
    frame = read_file(world, 1, tmp_path)
    assert note["rows"] == len(frame) == note["events"] + note["repeats"] + sum(note["broken"].values())
    assert note["broken"]["user_missing"] == frame["user_id"].isna().sum() > 0
    assert note["broken"]["time_missing"] == frame["time"].isna().sum() > 0
    assert note["broken"]["plays_invalid"] == (frame["plays"] < 1).sum() > 0
    assert note["bytes"] == (tmp_path / note["name"]).stat().st_size


def test_rows_are_sorted_by_time_within_a_file():
    world = world_of()
    times = np.concatenate([rows.events.time for rows in rows_of(world, 2).slices()])
    assert (np.diff(times) >= 0).all()
    assert times[-1] < world.edges[3]


def test_without_ids_of_tracks_there_are_names_only(tmp_path):
    world = world_of(track_ids=False)
    write_file(world, Texts(world), 0, tmp_path)
    assert "track_id" not in pq.read_table(tmp_path / file_name(world, 0)).column_names


def test_parquet_texts_are_plain_texts(tmp_path):
    world = world_of()
    write_file(world, Texts(world), 0, tmp_path)
    schema = pq.read_schema(tmp_path / file_name(world, 0))
    assert {str(field.type) for field in schema} == {"string", "int32"}
