import polars as pl
import pytest

from common.data.preparation.workspace import Meter, is_whole, listed, new_folder, place, read_steps, rows_of
from common.utils.errors import UserError
from tests.data.preparation.raw_logs import workspace


def test_buckets_are_in_the_order_of_their_numbers(tmp_path):
    work = workspace(tmp_path)
    frame = pl.DataFrame({"user": range(24), "bucket": [user // 2 for user in range(24)]})
    work.write_buckets("events", frame.lazy())
    work.tables["events"] = work.fresh / "events"
    found = [(name, bucket.collect()["user"].to_list()) for name, bucket in work.buckets("events")]
    assert found == [(str(number), [2 * number, 2 * number + 1]) for number in range(12)]
    assert work.scan("events").collect().columns == ["user"]


def test_a_table_written_in_files_is_in_their_order_too(tmp_path):
    work = workspace(tmp_path)
    for number in (10, 2):
        work.write("events", pl.DataFrame({"user": [number]}), str(number))
    work.tables["events"] = work.fresh / "events"
    assert [name for name, _ in work.buckets("events")] == ["2", "10"]
    assert rows_of(work.scan("events")) == 2


def test_a_step_takes_its_place_whole_without_its_scratch(tmp_path):
    fresh = new_folder(tmp_path / "steps")
    (fresh / "events").mkdir()
    (fresh / "events" / "0.parquet").write_bytes(b"123")
    (fresh / ".scratch").mkdir()
    target = tmp_path / "steps" / "01_scan"
    (target / "old").mkdir(parents=True)
    place(fresh, target)
    assert listed(target) == {"events/0.parquet": 3}
    assert not fresh.exists()
    assert is_whole(target, {"events/0.parquet": 3})
    assert not is_whole(target, {"events/0.parquet": 4})
    assert not is_whole(target, {"events/1.parquet": 3})


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*file.steps: Not a directory; free some space or choose"):
        new_folder(tmp_path / "file" / "steps")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"steps": 3}'])
def test_damaged_notes_of_steps_count_as_none(tmp_path, text):
    assert read_steps(tmp_path / "steps.json") == {}
    (tmp_path / "steps.json").write_text(text)
    assert read_steps(tmp_path / "steps.json") == {}


def test_a_meter_counts_from_its_start():
    with Meter() as meter:
        held = bytearray(50_000_000)
        held[::4096] = b"x" * len(held[::4096])
    figures = meter.figures()
    assert 0 <= figures["cpu_seconds"] < 10
    assert figures["seconds"] >= 0
    assert figures["peak_mb"] > 50
