import pytest

from common.data.preparation.raw_folder import is_raw_folder, prepare_raw_folder
from common.utils.errors import UserError
from common.utils.io import read_json

ROWS = "who,track_id,timestamp\n" + "".join(f"u{n % 3},t{n % 8},2024-01-{n + 1:02}\n" for n in range(20))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "logs"
    (folder / "2024").mkdir(parents=True)
    (folder / "2024" / "a.csv").write_text(ROWS)
    (folder / "notes.csv").write_text("this is no log\n1\n")
    (folder / "raw.toml").write_text('files = ["2024/*.csv"]\ntrain_share = 0.7\n[columns]\nuser_id = "who"\n')
    return folder


def test_the_files_and_settings_that_it_names_are_used(folder, tmp_path):
    assert is_raw_folder(folder)
    prepare_raw_folder(folder, tmp_path / "out")
    steps = read_json(tmp_path / "out" / "steps.json")["steps"]
    assert (steps[0]["rows_in"], steps[0]["notes"]["files"]) == (20, 1)
    assert steps[2]["notes"]["events"] == {"train": 14, "valid": 2, "test": 4}


def test_again_nothing_is_done_and_another_setting_begins_anew(folder, tmp_path):
    out = tmp_path / "out"
    prepare_raw_folder(folder, out)
    written = (out / "manifest.json").stat().st_mtime_ns
    prepare_raw_folder(folder, out)
    assert (out / "manifest.json").stat().st_mtime_ns == written
    (folder / "raw.toml").write_text((folder / "raw.toml").read_text().replace("0.7", "0.5"))
    prepare_raw_folder(folder, out)
    assert read_json(out / "steps.json")["steps"][2]["notes"]["events"]["train"] == 10


@pytest.mark.parametrize("files", ["none/*.csv", "/elsewhere/*.csv", ""])
def test_a_pattern_that_names_nothing_is_refused(folder, tmp_path, files):
    (folder / "raw.toml").write_text(f'files = ["{files}"]\n')
    with pytest.raises(UserError, match=r"raw\.toml: files = .* names nothing in .*; give names"):
        prepare_raw_folder(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_without_the_file_is_none(tmp_path):
    assert not is_raw_folder(tmp_path)
