import gzip
import shutil

import polars as pl
import pytest

from common.cli.prepare import main
from common.data.preparation.pipeline import prepare
from tests.data.preparation.raw_logs import LOG, TEST, TRAIN, content, interactions, packed, write_raw
from tests.stages import complaint


def test_a_command_prepares_a_log_and_says_where_it_lies(tmp_path, capsys):
    log = write_raw(tmp_path / "logs" / "log.tsv.gz", LOG)
    main([str(log.parent), "--out", str(tmp_path / "out"), "--memory", "400MB", "--columns", "track=track", "--keep"])
    assert interactions(tmp_path / "out") == TRAIN
    assert (tmp_path / "out" / "steps" / "09_aggregate_interactions" / "interactions").exists()
    assert (tmp_path / "out" / "quality.html").exists()
    said = capsys.readouterr().out
    assert "10 write_tables" in said
    assert f"use it: python 0_explore.py --dataset {tmp_path / 'out'}" in said


def test_a_data_set_that_is_up_to_date_is_told_in_one_line(tmp_path, capsys):
    command = [str(write_raw(tmp_path / "log.csv", LOG)), "--out", str(tmp_path / "out")]
    main(command)
    capsys.readouterr()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    main(command)
    said = f"{tmp_path / 'out'} is up to date: prepared before, from these files and with these settings\n"
    assert capsys.readouterr().out == said
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before
    main([*command, "--repeats", "keep"])
    assert "data set:" in capsys.readouterr().out


def test_flags_are_the_settings(tmp_path):
    rows = [{"who": row["user_id"]} | {name: row[name] for name in ("artist", "track", "timestamp")} for row in LOG]
    log = write_raw(tmp_path / "log.csv", rows)
    main([*map(str, (log, "--out", tmp_path / "out")), "--columns", "user_id=who", "--repeats", "keep", "--core", "2"])
    assert interactions(tmp_path / "out", "test") == TEST


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "no raw files are named; give files or folders"),
        (["log.csv"], "--out is missing; name the folder that is to hold the data set"),
        (["lacking.csv", "--out", "out"], "lacking.csv is missing; name the raw files or the folder that holds them"),
        (["log.csv", "--out", "out", "--memory", "6"], "--memory '6': give a size"),
        (["log.csv", "--out", "out", "--repeats", "some"], "unknown value of --repeats 'some': known are drop, keep"),
        (["log.csv", "--out", "out", "--columns", "user=who"], "unknown column in --columns 'user'"),
        (["log.csv", "--out", "out", "--columns", "user_id=who"], "column 'who' is missing among 'user_id', 'artist'"),
        (
            ["log.csv", "--out", "out", "--columns", "track=track", "track=title"],
            "--columns names track twice, as track",
        ),
        (["told", "--out", "out"], "told has a raw.toml, which flags would pass over: run 0_explore.py --dataset told"),
        (["log.csv", "--out", "out", "--train-share", "0.95"], "leave nothing for test; give shares"),
        (["log.csv", "--out", "out", "--core", "30"], "nothing is left for train: the rules on bots and support leave"),
        (["log.csv", "--out", "log.csv"], "log.csv is a file; name the folder that is to hold the data set with --out"),
        (["log.csv", "--out", "log.csv/out"], "Not a directory; "),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, monkeypatch, capsys, flags, said):
    monkeypatch.chdir(tmp_path)
    write_raw(tmp_path / "log.csv", LOG)
    (tmp_path / "told").mkdir()
    (tmp_path / "told" / "raw.toml").touch()
    before = (tmp_path / "log.csv").read_bytes()
    assert said in complaint(capsys, main, *flags)
    assert (tmp_path / "log.csv").read_bytes() == before
    assert not (tmp_path / "out" / "manifest.json").exists()


SOUND = "user,artist,title,time\n" + "".join(f"u{place},a,t,{1_300_000_000 + place}\n" for place in range(30))
DAMAGES = {
    "longer.csv": (
        f"{SOUND}u,a,t,1,more\n".encode(),
        "longer.csv, line 32: 5 cells, while the first line has 4; quote",
    ),
    "tail.csv.gz": (gzip.compress(SOUND.encode())[:-5] + b"12345", "tail.csv.gz is cut off or damaged"),
    "cut.csv.zst": (packed(SOUND.encode(), ".zst")[:-4], "cut.csv.zst is cut off or damaged; get the whole file again"),
    "cut.parquet": (b"PAR1xxxx", "cut.parquet is no whole Parquet file"),
    "list.jsonl": (
        b'{"user": 1, "title": 1, "time": 1}\n[]\n',
        "list.jsonl, line 2: no JSON object; correct",
    ),
    "other.csv": (
        b"who,what,when\n1,2,3\n",
        "other.csv: no column is known as user_id among 'who', 'what', 'when'",
    ),
    "units.csv": (
        f"{SOUND}u,a,t,1300000000000\n".encode(),
        "units.csv, row 31: a time in milliseconds, while the rows before it are in seconds; write one unit throughout",
    ),
    "empty.csv": (b"", "empty.csv is empty; leave it out or give the whole file"),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    write_raw(folder / "logs" / "a.csv", LOG)
    prepare([folder / "logs"], folder / "out")
    return folder


@pytest.mark.parametrize("name", DAMAGES)
def test_a_broken_file_among_sound_ones_is_named_and_the_rest_is_kept(tmp_path, capsys, prepared, name):
    damaged, said = DAMAGES[name]
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    before = content(tmp_path / "out", ())
    (tmp_path / "logs" / name).write_bytes(damaged)
    assert said in complaint(capsys, main, str(tmp_path / "logs"), "--out", str(tmp_path / "out"))
    unchanged = content(tmp_path / "out", ())
    assert {file: unchanged[file] for file in before if file != "steps.json"} == {
        file: before[file] for file in before if file != "steps.json"
    }
    assert not list((tmp_path / "out").rglob(".*"))


def test_decimal_ids_are_refused_and_whole_ones_read(tmp_path, capsys):
    numbers = {letter: float(place) for place, letter in enumerate("abcde")}
    rows = [row | {"user_id": numbers[row["user_id"]]} for row in LOG]
    main([str(write_raw(tmp_path / "whole.parquet", rows)), "--out", str(tmp_path / "out")])
    assert pl.read_parquet(tmp_path / "out" / "users.parquet")["user_id"].to_list() == ["0", "1", "2", "3", "4"]
    log = write_raw(tmp_path / "half.parquet", [*rows, LOG[0] | {"user_id": 1.5}])
    said = complaint(capsys, main, str(log), "--out", str(tmp_path / "half"))
    assert "half.parquet, row 21, column user_id: 1.5 is no id; save ids as text or whole numbers" in said


def test_a_folder_that_cannot_be_written_is_named(tmp_path, capsys, monkeypatch):
    def refuse(*_args, **_more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("common.data.preparation.workspace.tempfile.mkdtemp", refuse)
    log = write_raw(tmp_path / "log.csv", LOG)
    said = complaint(capsys, main, str(log), "--out", str(tmp_path / "out"))
    assert "cannot write " in said
    assert "Permission denied; free some space or choose another --out" in said
