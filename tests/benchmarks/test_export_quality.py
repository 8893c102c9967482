"""The table of exported networks, and a first answer through ONNX."""

import pytest

from benchmarks import export_quality, first_answer
from common.evaluation.task import split
from common.models.inference.onnx_export import graphs
from common.models.neural.two_tower.model import TwoTower
from common.models.two_stage.tree_ranker import TreeRecommender
from common.serving.model_store import ModelStore
from tests.serving.saved_models import save_models, write_own_folder


def test_a_row_for_each_variant(small_data):
    task = split(small_data, "listen")
    model = TwoTower(epochs=1, width=16, hidden=16, tags=4).fit(task.train)
    figures = export_quality.measure(task, model)
    assert [one.variant.name for one in figures] == ["NumPy", "ONNX float32", "ONNX int8"]
    assert figures[1].ndcg == pytest.approx(figures[0].ndcg)
    whole, small = figures[1].variant.size, figures[2].variant.size
    assert whole is not None and small is not None and small < whole
    lines = export_quality.rows(figures)
    assert all(line.count("|") == export_quality.HEADER.splitlines()[0].count("|") for line in lines)
    assert lines[1].startswith("| two_tower | ONNX float32 |")


def test_an_answer_through_onnx_is_the_answer(tmp_path, capsys, monkeypatch):
    own = write_own_folder(tmp_path / "own")
    data, train = save_models(own, tmp_path / "data", tmp_path / "out", ("two_tower",))
    model = TwoTower.load(tmp_path / "out" / data.name / "listen/two_tower/tuned/seed0/model", train)
    for name, one in graphs(model).items():
        (tmp_path / name).write_bytes(one.content)
    where = ["--dataset", str(own), "--data-dir", str(tmp_path / "data"), "--output-dir", str(tmp_path / "out")]
    flags = [*where, "--model", "two_tower", "--like", "Muse", "--as", "x"]
    first_answer.main(["-", *flags])
    plain = capsys.readouterr().out
    for kind, name in ((ModelStore, "open"), (TreeRecommender, "_read_trees")):  # which it changes for its process
        monkeypatch.setattr(kind, name, vars(kind)[name])
    first_answer.main([str(tmp_path), *flags])
    assert capsys.readouterr().out == plain
    assert "Coldplay" in plain or "Radiohead" in plain
