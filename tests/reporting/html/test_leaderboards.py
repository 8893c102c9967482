"""What the page shows of each data set and protocol."""

import dataclasses
import re

from common.cli.page import main
from common.models import ItemKNN, Popularity
from common.reporting.html.leaderboards import find_boards
from common.utils.io import read_json
from tests.runs import finish, rewrite


def keys(parts) -> list[str]:
    return [attributes["data-key"] for tag, attributes in parts.elements if tag == "article"]


def test_every_data_set_protocol_and_row_is_there(world, parts, page):
    folders = {path.parents[4] for path in world[0].glob("*/*/*/*/seed0/valid/metrics.json")}
    assert sorted(keys(parts)) == sorted(f"{path.parent.name}/{path.name}" for path in folders)
    assert len(folders) == 3
    text = page.read_text(encoding="utf-8")
    for folder in folders:
        for run in folder.glob("*/*/seed0"):
            valid = read_json(run / "valid" / "metrics.json")
            assert valid["split_sha256"][:8] in text
            assert f">{valid['ndcg_10']:.4f}<" in text
            if (run / "test").exists():
                record = read_json(run / "test" / "metrics.json")
                for key in (
                    "hr_5",
                    "ndcg_5",
                    "hr_10",
                    "ndcg_10",
                    "precision_10",
                    "recall_20",
                    "coverage_10",
                    "novelty_10",
                ):
                    assert f">{record[key]:.4f}<" in text
                assert f">{record['hr_5_sampled99']:.4f}<" in text
    for title in (
        "HR@5",
        "NDCG@10",
        "HR@5 sampled",
        "NDCG@5 sampled",
        "Coverage",
        "ILS tags",
        "Novelty",
        "ms per user",
    ):
        assert title in parts.texts
    assert "Test figures are only reported" in text
    assert str(read_json(run / "valid" / "metrics.json")["commit"])[:8] in text


def test_a_run_without_test_figures_has_dashes_and_is_said_to(parts, page):
    text = page.read_text(encoding="utf-8")
    row = next(row for row in re.findall(r"<tr><td.*?</tr>", text) if ">tag_knn<" in row)
    assert row.count("–") > 5
    assert "nan" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL).lower().split()
    assert any("Not scored on test yet" in text and "tag_knn" in text for text in parts.texts)


def test_the_best_figure_of_a_column_stands_out_and_missing_ones_sort_last(world):
    board = next(board for board in find_boards(*world) if board.unopened)
    place = [key for columns in board.groups.values() for key in columns].index("ndcg_10")
    cells = {row["model"]: cells[place] for row, cells in board.cells()}
    best = board.rows.set_index("model")["ndcg_10"].idxmax()
    assert [model for model, cell in cells.items() if cell.best] == [best]
    assert float(cells["tag_knn"].order) < min(float(cell.order) for model, cell in cells.items() if model != "tag_knn")


def test_validation_stands_in_for_test_only_where_no_run_has_opened_it(small_settings, tmp_path):
    finish(dataclasses.replace(small_settings, phase="select"), [Popularity, ItemKNN])
    out = small_settings.output_dir
    main(["--output-dir", str(out), "--data-dir", str(small_settings.data_dir)])
    text = (out / "index.html").read_text(encoding="utf-8")
    record = read_json(next(out.glob("*/listen/item_knn/tuned/seed0/valid/metrics.json")))
    assert "No run has been scored on test" in text
    assert f">{record['hr_5']:.4f}<" in text


def test_runs_on_another_split_are_left_out(small_settings):
    finish(small_settings, [Popularity, ItemKNN])
    out = small_settings.output_dir
    for path in out.glob("*/listen/popularity/tuned/seed0/*/metrics.json"):
        rewrite(path, split_sha256="0" * 64)
    main(["--output-dir", str(out), "--data-dir", str(small_settings.data_dir)])
    rows = re.findall(r'<tr><td class="model">.*?</tr>', (out / "index.html").read_text(encoding="utf-8"))
    assert len(rows) == 1
    assert "item_knn" in rows[0]
