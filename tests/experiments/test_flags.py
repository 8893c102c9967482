import dataclasses
import errno
import re
import subprocess
import sys
from pathlib import Path

import pytest

from common.cli.report import main as report
from common.data.dataset import write_dataset
from common.experiments import presets, tracking
from common.experiments.flags import _one_sentence, command, flags_of, parse, parse_flags
from common.experiments.settings import DataSettings
from common.utils import memory
from common.utils.errors import UserError
from common.utils.io import write_text
from tests.conftest import ROOT
from tests.data.worlds import rich_tables
from tests.stages import complaint, stage

KNN = "1_knn_baseline.py"


@pytest.fixture(autouse=True)
def no_music_data(monkeypatch):
    monkeypatch.delenv("MUSIC_DATA", raising=False)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--dataset", "lastm-2k"], ["data set 'lastm-2k'", "did you mean 'lastfm-2k'"]),
        (["--dataset", "nothing-like-it"], ["data set 'nothing-like-it'", "known are auto, lastfm-2k, lastfm-360k, "]),
        (["--protocol", "lisen"], ["protocol 'lisen'", "did you mean 'listen'"]),
        (["--protocol", "next_shuffled"], ["'next_shuffled'", "did you mean 'next-shuffled'"]),
        (["--phase", "tset"], ["phase 'tset'", "known are select, final"]),
        (["--preset", "clasic"], ["preset 'clasic'", "did you mean 'classic'"]),
        (["--device", "gpu"], ["device 'gpu'", "known are auto, cpu, cuda"]),
        (["--device", "cuda"], ["--device cuda", "cpu", "--device auto"]),
        (["--item-knn.neighbours", "0"], ["--item-knn.neighbours 0: give 1 or more"]),
        (["--item-knn.shrinkage", "nan"], ["--item-knn.shrinkage nan", "give 0 to 1e+12"]),
        (["--item-knn.asymmetry", "7"], ["--item-knn.asymmetry 7.0", "give 0 to 1"]),
        (["--trending.half-life-days", "0"], ["--trending.half-life-days 0", "give 0.01 to 1e+06"]),
        (["--models", "itemknn"], ["model 'itemknn'", "did you mean 'item_knn'"]),
        (["--wandb", "onlin"], ["--wandb 'onlin'", "did you mean 'online'"]),
        (["--protcol", "next"], ["--protcol", "perhaps you meant --protocol", "--help"]),
        (["--no-such-thing"], ["--no-such-thing", "--help"]),
        (["--seed", "one"], ["--seed", "one"]),
        (["--seed", "1.5"], ["--seed", "1.5"]),
        (["--seed", "-1"], ["--seed -1", "give 0 to 2,147,483,647"]),
        (["--split-seed", "-3"], ["--split-seed -3", "give 0 to 2,147,483,647"]),
        (["--split-seed"], ["--split-seed"]),
        (["--tune", "-1"], ["--tune -1", "give 0 to 1,000,000"]),
        (["--tune", "many"], ["--tune", "many"]),
        (["--item-knn.neighbours", "few"], ["--item-knn.neighbours", "few"]),
        (["--item-knn.weighting", "tfidf"], ["--item-knn.weighting", "tfidf", "binary"]),
        (["--synthetic.users", "0"], ["--synthetic.users", "0"]),
        (["--synthetic.noise", "loud"], ["--synthetic.noise", "loud"]),
        (["stray"], ["stray", "--help"]),
    ],
)
def test_a_bad_flag_ends_in_one_sentence(capsys, small_flags, flags, said):
    message = complaint(capsys, stage(KNN), *small_flags, *flags)
    assert all(part in message for part in said), message


def test_nothing_is_written_after_a_mistake(capsys, small_flags, tmp_path):
    complaint(capsys, stage(KNN), *small_flags, "--protocol", "lisen")
    assert not (tmp_path / "out").exists()


def test_missing_real_files_are_explained(capsys, tmp_path, monkeypatch):
    flags = ["--data-dir", str(tmp_path), "--output-dir", str(tmp_path / "out")]
    message = complaint(capsys, stage(KNN), "--dataset", "lastfm-2k", *flags)
    assert all(part in message for part in ("hetrec2011-lastfm-2k", "MUSIC_DATA", "--dataset synthetic")), message
    monkeypatch.setenv("MUSIC_DATA", str(tmp_path / "gone"))
    for dataset in ("lastfm-2k", "auto"):
        message = complaint(capsys, stage(KNN), "--dataset", dataset, *flags)
        assert all(part in message for part in ("MUSIC_DATA", str(tmp_path / "gone"), "unset it")), message


@pytest.mark.parametrize("protocol", ["next", "next-shuffled", "temporal"])
def test_a_protocol_that_needs_times_says_so(capsys, small_flags, small_data, tmp_path, protocol):
    tables = rich_tables()
    timeless = dataclasses.replace(
        tables, interactions=tables.interactions.drop(columns="timestamp"), user_item_tags=None
    )
    # Prepared data is taken as it is where its source has not changed.
    write_dataset(small_data.name, tmp_path / small_data.name, timeless, small_data.manifest["source"])
    message = complaint(capsys, stage(KNN), *small_flags, "--data-dir", str(tmp_path), "--protocol", protocol)
    assert "no time" in message
    assert "--protocol listen" in message


@pytest.mark.parametrize("wandb", ["disabled", "offline"])
def test_an_output_folder_that_is_a_file_is_named(capsys, small_flags, tmp_path, monkeypatch, wandb):
    monkeypatch.setattr(tracking, "_init", lambda *_: pytest.fail("tracking began"))
    (tmp_path / "file").write_text("")
    flags = [*small_flags, "--output-dir", str(tmp_path / "file"), "--wandb", wandb]
    assert str(tmp_path / "file") in complaint(capsys, stage(KNN), *flags)


def test_a_terminal_without_box_characters_gets_the_same_sentence():
    plain = " Unrecognized options\n -------------\n  Unrecognized options: --sed, 1\n  -------------\n"
    boxed = "╭─ Unrecognized options ─╮\n│ Unrecognized options: --sed, 1 │\n│ ─────────────── │\n"
    for text in (plain, boxed):
        assert _one_sentence(text) == "unrecognized options: --sed, 1; --help lists all flags"


def test_help_lists_every_flag_with_the_presets_values(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(presets, "PRESETS", tmp_path)
    monkeypatch.setattr(presets.preset_values, "__defaults__", (tmp_path,))
    write_text(tmp_path / "synthetic.toml", "[tuned.item_knn]\nneighbours = 137\n")
    with pytest.raises(SystemExit) as stopped:
        stage(KNN)(["--dataset", "synthetic", "--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr()
    assert said.err == ""
    for flag in ("dataset", "split-seed", "wandb", "data-dir", "output-dir", "protocol", "seed", "preset", "phase"):
        assert f"--{flag}" in said.out
    for flag in ("device", "tune", "resume", "models", "item-knn.neighbours", "item-knn.shrinkage", "synthetic.users"):
        assert f"--{flag}" in said.out
    assert "137" in said.out


def test_reports_mistakes_end_in_one_sentence_too(capsys, small_flags, tmp_path):
    assert "run a stage first" in complaint(capsys, report, *small_flags)
    assert "--wandb 'never'" in complaint(capsys, report, *small_flags, "--wandb", "never")


def test_flags_that_differ_from_the_defaults_make_the_same_settings_again(tmp_path):
    plain = DataSettings()
    names = ("dataset", "synthetic", "split_seed", "output_dir")
    assert flags_of(plain, names) == []
    synthetic = dataclasses.replace(plain.synthetic, users=12, noise=0.5)
    changed = dataclasses.replace(plain, split_seed=3, output_dir=tmp_path, synthetic=synthetic)
    words = flags_of(changed, names)
    assert words[:2] == ["--synthetic.users", "12"]
    assert parse_flags(DataSettings, words) == changed
    assert flags_of(changed, ["split_seed"]) == ["--split-seed", "3"]


def test_a_stopped_run_says_how_to_go_on(capsys):
    @command
    def main(argv=None):
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 130
    assert "--resume" in capsys.readouterr().err


def test_overriding_a_flag_leaves_the_presets_results_alone(small_flags, small_data, tmp_path):
    stage(KNN)([*small_flags, "--models", "item_knn"])
    folder = tmp_path / "out" / small_data.name / "listen" / "item_knn"
    before = (folder / "tuned" / "seed0" / "test" / "metrics.json").read_bytes()
    stage(KNN)([*small_flags, "--models", "item_knn", "--item-knn.neighbours", "3"])
    assert (folder / "tuned" / "seed0" / "test" / "metrics.json").read_bytes() == before
    labels = sorted(path.name for path in folder.iterdir() if path.is_dir())
    assert labels[0] == "tuned"
    assert len(labels) == 2
    assert labels[1].startswith("tuned-")


def test_flags_and_the_equals_sign_and_underscores_are_taken():
    settings = parse(DataSettings, ["--split_seed=3", "--wandb=offline"])
    assert (settings.split_seed, settings.wandb) == (3, "offline")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "standard output: No space left on device; free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), "/x/y: Permission denied; .*name another folder"),
        (MemoryError("Unable to allocate 7.28 TiB"), r"out of memory \(Unable to allocate 7.28 TiB\); use less data"),
        (UserError("a\x1b[2J\u202eb"), r"a\\x1b\[2J\\u202eb"),
    ],
)
def test_what_the_system_refuses_ends_in_one_sentence_too(capsys, error, sentence):
    @command
    def main(argv=None):
        raise error

    assert re.search(sentence, complaint(capsys, main))


def test_an_error_of_ours_keeps_its_traceback():
    @command
    def main(argv=None):
        raise OSError("not from the system")

    with pytest.raises(OSError, match="not from the system"):
        main()


@pytest.mark.parametrize("said", ["print(1)", "logging.info('a')"])
def test_a_full_disk_behind_standard_output_ends_in_one_sentence(said):
    if not Path("/dev/full").exists():
        pytest.skip("only Linux has a disk that is always full")
    code = f"import logging; from common.experiments.flags import command\n@command\ndef main(a): {said}\nmain([])"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: standard output: No space left on device; free some space")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("flag", ["--seed", "--split-seed", "--item-knn.neighbours", "--synthetic.users"])
@pytest.mark.parametrize("digits", [70, 5000])
def test_a_number_of_very_many_digits_ends_in_a_short_sentence(capsys, small_flags, flag, digits):
    if flag.endswith("neighbours") and digits < 4300:
        pytest.skip("any number of neighbours may be asked for")
    message = complaint(capsys, stage(KNN), *small_flags, flag, "7" * digits)
    assert flag in message
    assert re.search(f"{digits} digits", message)
    assert len(message) < 250


def test_memory_is_taken_from_the_flag_and_checked(capsys, small_flags, tmp_path):
    assert "--memory '6'" in complaint(capsys, stage(KNN), *small_flags, "--memory", "6")
    assert not (tmp_path / "out").exists()
    parse(DataSettings, ["--memory", "3GB"])
    assert memory.limit() == 3 * 10**9
    parse(DataSettings, [])
    assert memory.limit() == int(memory.SHARE * memory.of_machine())


def test_deduplicate_means_the_data_set_of_that_name(tmp_path):
    flags = ["--dataset", "synthetic", "--data-dir", str(tmp_path)]
    for given in (["--deduplicate"], ["--dataset", "synthetic-deduplicated"]):
        assert parse(DataSettings, [*flags, *given]).dataset == "synthetic-deduplicated"
    assert parse(DataSettings, flags).dataset == "synthetic"
