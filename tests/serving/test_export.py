"""Scores through an export are compared with the model's before it is written."""

from typing import Any

import pytest

from common.models.inference.onnx_export import graphs
from common.serving.export import _check_empty, export, largest_difference
from common.utils.errors import UserError
from tests.models.contract_tests import block_visible
from tests.serving.saved_models import fit_tiny


def test_a_difference_is_found(tmp_path):
    train = block_visible(tmp_path / "blocks")
    model = fit_tiny("sasrec", train)
    (tmp_path / "sasrec.onnx").write_bytes(graphs(model)["sasrec.onnx"].content)
    assert largest_difference(model, tmp_path) < 1e-4
    weights = model.weights()  # type: ignore[attr-defined]
    model.load_weights({name: 2 * array for name, array in weights.items()})  # type: ignore[attr-defined]
    assert largest_difference(model, tmp_path) > 1e-3


def test_files_of_an_earlier_export_of_another_model_go(tmp_path, monkeypatch):
    train = block_visible(tmp_path / "blocks")
    monkeypatch.setattr("common.serving.export.manifest", lambda *_: {})
    nothing: Any = None
    for name, graph in (("two_tower", "user_tower.onnx"), ("sasrec", "sasrec.onnx")):
        export(nothing, fit_tiny(name, train), train, tmp_path / "out", quantised=False)
        assert (tmp_path / "out" / graph).exists()
    found = {path.name for path in (tmp_path / "out").iterdir()}
    assert found == {"sasrec.onnx", "item_ids.json", "export.json"}


def test_only_a_folder_of_its_own_is_written_into(tmp_path):
    _check_empty(tmp_path / "new")
    _check_empty(tmp_path)
    (tmp_path / "other.txt").touch()
    with pytest.raises(UserError, match="holds other files"):
        _check_empty(tmp_path)
    (tmp_path / "export.json").touch()
    _check_empty(tmp_path)
