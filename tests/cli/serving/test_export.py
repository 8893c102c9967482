"""python -m common export: files that give the model's scores, whole or not at all, and mistakes in a sentence."""

import json
import shutil

import numpy as np
import pytest

from common.cli.serving import export
from common.models.inference.onnx_runtime import session
from common.models.registry import MODELS
from common.splits.train_view import load_train_view
from common.utils.io import sha256_file
from common.utils.manifests import is_intact
from tests.conftest import SMALL
from tests.stages import complaint, stage
from tests.stages.test_5_two_tower import QUICK


@pytest.fixture(scope="module")
def trained(tmp_path_factory, small_data, small_data_dir):
    """Flags and run folder of a small model, trained once."""
    out = tmp_path_factory.mktemp("out")
    flags = ["--dataset", "synthetic", "--synthetic.users", str(SMALL.users), "--synthetic.items", str(SMALL.items)]
    flags += ["--synthetic.seed", str(SMALL.seed)]
    flags += ["--data-dir", str(small_data_dir), "--output-dir", str(out), "--wandb", "disabled"]
    stage("5_two_tower.py")([*flags, *QUICK, "--phase", "select"])
    stage("1_knn_baseline.py")([*flags, "--models", "popularity", "--phase", "select"])
    [run] = (out / small_data.name / "listen").glob("two_tower/*/seed0")
    return flags, run


def test_an_export_holds_all_that_another_program_needs(trained, small_data, tmp_path, capsys):
    flags, run = trained
    export.main(["two_tower", *flags, "--out", str(tmp_path / "onnx")])
    said = capsys.readouterr().out
    assert "user_tower.onnx" in said
    assert "scores differ from the model's by at most" in said
    manifest = json.loads((tmp_path / "onnx" / "export.json").read_text())
    assert is_intact(manifest)
    assert manifest["largest_difference"] < 1e-4
    assert manifest["run"]["model"] == "two_tower"
    assert manifest["weights_sha256"]["model.safetensors"] == sha256_file(run / "model" / "model.safetensors")
    names = set(manifest["files"])
    assert names == {path.name for path in (tmp_path / "onnx").iterdir()} - {"export.json"}
    for name in names:
        assert manifest["files"][name]["sha256"] == sha256_file(tmp_path / "onnx" / name)

    train = load_train_view(small_data, "listen", "select")
    ids = json.loads((tmp_path / "onnx" / "item_ids.json").read_text())
    assert ids == train.items["item_id"].tolist()
    for graph, ports in manifest["graphs"].items():
        found = session(tmp_path / "onnx" / graph)
        assert [(one.name, one.shape) for one in found.get_inputs()] == [
            (port["name"], port["shape"]) for port in ports["inputs"]
        ]
    user = [train.items["item_id"][item] for item in train.histories[0]]
    given = {
        "items": np.array([[ids.index(item) for item in user]]),
        "attributes": np.load(tmp_path / "onnx/attributes.npy")[:1],
    }
    scores = session(tmp_path / "onnx" / "user_tower.onnx").run(["scores"], given)[0]
    model = MODELS["two_tower"].load(run / "model", train)
    np.testing.assert_allclose(scores, model.score(np.array([0])), atol=1e-4)


def test_int8_replaces_an_earlier_export(trained, tmp_path, capsys):
    flags, run = trained
    export.main([str(run), *flags, "--out", str(tmp_path)])
    whole = (tmp_path / "user_tower.onnx").stat().st_size
    export.main([str(run), *flags, "--out", str(tmp_path), "--quantise", "int8"])
    assert (tmp_path / "user_tower.onnx").stat().st_size < whole / 2
    assert json.loads((tmp_path / "export.json").read_text())["quantised"] == "int8"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "name the run to export, such as sasrec"),
        (["sasrec"], "'sasrec' is no run"),
        (["popularity"], "popularity cannot be exported; give a run of sasrec"),
        (["two_tower", "--format", "pmml"], "unknown value of --format 'pmml'.*known are onnx"),
        (["two_tower", "--quantise", "int4"], "unknown value of --quantise 'int4'.*int8"),
        (["two_tower", "--synthetic.seed", "2"], "two_tower.*is a run on|was fitted on other data"),
    ],
)
def test_mistakes_are_told_in_a_sentence_and_nothing_is_written(trained, tmp_path, capsys, words, sentence):
    import re

    flags, _ = trained
    said = complaint(capsys, export.main, *words[:1], *flags, *words[1:], "--out", str(tmp_path / "onnx"))
    assert re.search(sentence, said)
    assert not (tmp_path / "onnx").exists() or not any((tmp_path / "onnx").iterdir())


def test_a_folder_of_others_is_left_alone(trained, tmp_path, capsys):
    flags, _ = trained
    (tmp_path / "thesis.txt").write_text("years of work")
    assert "holds other files" in complaint(capsys, export.main, "two_tower", *flags, "--out", str(tmp_path))
    assert "is a file" in complaint(capsys, export.main, "two_tower", *flags, "--out", str(tmp_path / "thesis.txt"))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_damaged_model_is_not_exported(trained, tmp_path, capsys):
    flags, run = trained
    other = (
        tmp_path / "out" / run.parents[3].name / run.parents[2].name / run.parents[1].name / run.parent.name / run.name
    )
    shutil.copytree(run, other)
    weights = other / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\x00\x00\x00\x01")
    said = complaint(capsys, export.main, str(other), *flags, "--out", str(tmp_path / "onnx"))
    assert "two_tower" in said
    assert not (tmp_path / "onnx").exists()
