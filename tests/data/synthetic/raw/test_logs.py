"""A generated log as a whole: lost files are made anew, the ledger lies beside the folder."""

from common.data.synthetic.raw.files import file_name
from common.data.synthetic.raw.logs import generate_logs, ledger_of, missing_files
from common.data.synthetic.raw.world import build_world
from common.utils.io import read_json
from tests.data.synthetic.raw.small_log import SETTINGS


def test_what_is_lost_is_made_anew_and_nothing_else(tmp_path):
    folder, world = tmp_path / "raw", build_world(SETTINGS)
    ledger = generate_logs(SETTINGS, folder)
    assert read_json(ledger_of(folder)) == ledger
    paths = [folder / file_name(world, file) for file in range(world.files)]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in paths]
    paths[1].unlink()
    paths[2].write_bytes(before[2][0][:-5])
    assert missing_files(world, folder) == [1, 2]
    assert generate_logs(SETTINGS, folder) == ledger
    assert [path.read_bytes() for path in paths] == [content for content, _ in before]
    assert [path.stat().st_mtime_ns == made for path, (_, made) in zip(paths, before, strict=True)] == [
        True,
        False,
        False,
        True,
    ]


def test_nothing_but_the_log_and_hidden_notes_is_in_the_folder(tmp_path):
    generate_logs(SETTINGS, tmp_path / "raw")
    names = [f"part-{number:05}.parquet" for number in range(4)]
    assert {path.name for path in (tmp_path / "raw").iterdir()} == {".ledger", *names}
