import pytest

from common.cli.protocols import main
from tests.data.worlds import sized
from tests.stages import complaint


@pytest.fixture
def flags(tmp_path):
    """Flags for a folder of two columns and no times."""
    folder = tmp_path / "mine"
    folder.mkdir()
    rows = sized({f"u{u:02}": 8 for u in range(20)}, 30)[["user_id", "item_id"]]
    rows.to_csv(folder / "interactions.csv", index=False)
    return ["--dataset", str(folder), "--data-dir", str(tmp_path / "data"), "--output-dir", str(tmp_path / "out")]


def test_names_alone_on_stdout_and_reasons_once_on_stderr(flags, tmp_path, capsys):
    main([*flags, "--protocols", "listen", "next"])
    said = capsys.readouterr()
    assert said.out == "listen\n"
    assert said.err.count("next is passed over: ") == 1
    assert "has no times" in said.err
    assert not (tmp_path / "out").exists()
    (split,) = (tmp_path / "data").glob("mine-*/splits/*")
    assert split.name == "listen"


def test_every_protocol_is_tried_where_none_is_named(small_flags, capsys):
    main([flag for flag in small_flags if flag != "--preset"])
    shown = ["listen", "next", "next-shuffled", "newcomer", "temporal", "random-8020", "random-811"]
    shown.append("listen-stratified")
    assert capsys.readouterr().out.split() == shown


def test_an_unknown_protocol_is_refused(flags, capsys):
    assert "listne" in complaint(capsys, main, *flags, "--protocols", "listne")


def test_a_folder_that_cannot_be_read_is_refused(flags, capsys, tmp_path):
    (tmp_path / "mine" / "interactions.csv").unlink()
    assert "interactions" in complaint(capsys, main, *flags)
