"""The command that writes the page of all results."""

import pytest

from common.cli.page import main
from common.models import ItemKNN, Popularity
from tests.runs import finish
from tests.stages import complaint


@pytest.fixture
def flags(small_settings):
    finish(small_settings, [Popularity, ItemKNN])
    return ["--output-dir", str(small_settings.output_dir), "--data-dir", str(small_settings.data_dir)]


def test_the_page_lies_beside_the_results_unless_a_file_is_named(flags, small_settings, tmp_path, capsys):
    main(flags)
    printed = capsys.readouterr().out
    assert "data sets and protocols 1, rows 2," in printed
    main([*flags, "--page", str(tmp_path / "p.html")])
    assert (tmp_path / "p.html").read_bytes() == (small_settings.output_dir / "index.html").read_bytes()


def test_mistakes_end_in_one_sentence(flags, tmp_path, capsys, monkeypatch):
    nothing = ["--output-dir", str(tmp_path / "none")]
    assert "no results under" in complaint(capsys, main, *nothing)
    assert not (tmp_path / "none").exists()
    kept = ["--page", str(tmp_path / "p.html")]
    assert "no evaluated user has that id" in complaint(capsys, main, *flags, *kept, "--users", "nobody-here")
    assert not (tmp_path / "p.html").exists()
    assert "--user" in complaint(capsys, main, *flags, "--user-s", "1")
    monkeypatch.setattr("common.reporting.html.screenshot.shutil.which", lambda _: None)
    assert "needs Chromium" in complaint(capsys, main, *flags, *kept, "--screenshot", str(tmp_path / "p.png"))
    assert not (tmp_path / "p.png").exists()


def test_a_damaged_run_is_left_out_of_the_page_and_named(flags, small_settings, capsys):
    [lists] = small_settings.output_dir.glob("*/listen/item_knn/tuned/seed0/test/targets.parquet")
    lists.write_bytes(lists.read_bytes()[:100])
    split = small_settings.data_dir / lists.parents[5].name / "splits" / "listen" / "split.json"
    kept = split.read_text()
    split.write_text("[]")
    try:
        main(flags)
    finally:
        split.write_text(kept)
    said = capsys.readouterr().out
    assert "targets.parquet has 100 bytes" in said
    assert "data sets and protocols 1, rows 2," in said, "its row has validation alone"
