import dataclasses
import json
import re

import pytest

from common.cli.compare import main
from common.data.sources.registry import SYNTHETIC
from common.evaluation.statistics import bootstrap_interval
from common.experiments.outputs import Outputs, read_results
from common.experiments.settings import ModelSettings
from common.models.baselines import Popularity
from common.models.knn.content_knn import TagKNN
from common.models.knn.item_knn import ItemKNN
from common.models.knn.user_knn import UserKNN
from common.reporting.comparison import compare
from common.utils.io import read_json, read_parquet
from tests.conftest import SMALL
from tests.runs import finish, rewrite
from tests.stages import complaint

FEW = ("popularity", "item_knn", "user_knn")


@pytest.fixture(scope="module")
def ran(small_data_dir, small_data, tmp_path_factory):
    """The folder of a protocol with three runs, made once. Tests that change files copy it."""
    out = tmp_path_factory.mktemp("compare")
    settings = ModelSettings(
        dataset=SYNTHETIC, synthetic=SMALL, data_dir=small_data_dir, output_dir=out, wandb="disabled"
    )
    finish(settings, [Popularity, ItemKNN, UserKNN])
    finish(settings, [ItemKNN], item_knn={"neighbours": 7})
    finish(dataclasses.replace(settings, phase="select"), [TagKNN])
    finish(dataclasses.replace(settings, protocol="newcomer"), [Popularity, ItemKNN])
    return out / small_data.name / "listen"


@pytest.fixture
def flags(ran):
    return ["--output-dir", str(ran.parents[1])]


def test_a_table_within_80_columns_tells_what_the_runs_wrote(ran, flags, capsys, tmp_path):
    main(["popularity", "item_knn", "user_knn", *flags, "--json", str(tmp_path / "c.json")])
    said = capsys.readouterr().out
    listed = [line for line in said.splitlines() if str(tmp_path) not in line]
    assert max(map(len, listed)) <= 80
    assert "/ listen, test" in said
    kept = json.loads((tmp_path / "c.json").read_text())
    assert kept["part"] == "test"
    assert kept["reference"] == "popularity"
    for name, row in zip(FEW, kept["metrics"]["ndcg_10"], strict=True):
        folder = ran / name / "tuned" / "seed0" / "test"
        assert row["value"] == read_json(folder / "metrics.json")["ndcg_10"]
        assert f"{row['value']:.4f}" in said
        if name != "popularity":
            mine, base = (
                read_parquet(run / "per_user.parquet")["ndcg_10"]
                for run in (folder, ran / "popularity/tuned/seed0/test")
            )
            low, high = bootstrap_interval((mine - base).to_numpy())
            assert (row["low"], row["high"]) == (low, high)
            assert f"{low:+.4f} to {high:+.4f}" in said
    assert kept["metrics"]["coverage_10"][1]["low"] is None, "a catalogue has no users to draw"
    assert re.search(r"only 2 item_knn: .*asymmetry", said)
    assert re.search(r"neighbours +- +\d+ +\d+", said)
    assert {"fit_seconds", "recommend_ms_per_user", "model_mb"} <= set(kept["runs"][0])


def test_only_settings_that_differ_are_told(ran, flags, capsys, tmp_path):
    other = next(path.name for path in (ran / "item_knn").iterdir() if path.name != "tuned")
    main(["item_knn", f"item_knn/{other}", *flags, "--json", str(tmp_path / "c.json")])
    kept = json.loads((tmp_path / "c.json").read_text())
    assert list(kept["settings_that_differ"]) == ["neighbours"]
    assert kept["settings_that_differ"]["neighbours"][1] == 7
    assert re.search(r"neighbours +\d+ +7\n", capsys.readouterr().out)


def test_a_wider_terminal_gets_more(flags, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    main(["popularity", "item_knn", *flags, "--metrics", "ndcg_10"])
    said = capsys.readouterr().out
    assert "p (Holm)" in said
    assert "users better" in said


def test_a_run_that_has_not_opened_test_puts_all_on_validation(ran, flags, capsys):
    main(["popularity", "tag_knn", *flags, "--metrics", "ndcg_10"])
    said = capsys.readouterr().out
    assert "/ listen, validation" in said
    assert f"{read_json(ran / 'popularity/tuned/seed0/valid/metrics.json')['ndcg_10']:.4f}" in said
    assert "--part valid" in complaint(capsys, main, "popularity", "tag_knn", *flags, "--part", "test")


def test_newcomers_count_once_however_many_items_are_given(ran, flags):
    folder = ran.parent / "newcomer"
    runs = read_results([Outputs(ran).find(str(folder / name)) for name in ("popularity", "item_knn")])
    assert runs[0].by_user.index.is_unique
    row = compare(runs, "ndcg_10").iloc[1]
    assert row["users"] == runs[0].per_user["user_id"].nunique()
    assert row["difference"] == pytest.approx(runs[1].metrics["ndcg_10"] - runs[0].metrics["ndcg_10"])


def test_runs_are_named_by_folder_model_preset_or_seed(ran, flags):
    expected = ran / "item_knn" / "tuned" / "seed0"
    for name in ("item_knn", "item_knn/tuned", "item_knn/tuned/seed0", str(expected), str(expected.parent)):
        assert Outputs(ran.parents[1]).find(name).folder == expected
    assert Outputs(ran.parents[1]).find("item_knn", "synthetic").folder == expected


def test_settings_of_another_command_are_owned_up_to(ran, flags, tmp_path, capsys):
    folder = ran / "user_knn" / "tuned" / "seed0"
    whole = read_json(folder / "config.json")
    try:
        rewrite(folder / "config.json", settings={"neighbours": 1})
        main(["popularity", "user_knn", *flags, "--metrics", "ndcg_10"])
    finally:
        rewrite(folder / "config.json", settings=whole["settings"])
    assert "other settings than these results" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "two or more"),
        (["popularity"], "two or more"),
        (["popularity", "popularity"], "named twice"),
        (["popularity", "nobody"], "'nobody' is no run"),
        (["popularity", "item_knn", "--metrics", "ndcg_11"], "did you mean ndcg_1"),
        (["popularity", "item_knn", "--part", "train"], "--part"),
        (["popularity", "item_knn", "--protocol", "nowhere"], "known are listen, newcomer"),
        (["popularity", "item_knn", "--dataset", "nothing"], "unknown data set"),
        (["popularity", "item_knn", "--part"], "--part"),
        (["popularity", "item_knn", "--metrics"], "--metrics names none"),
    ],
)
def test_mistakes_end_in_one_sentence(flags, capsys, argv, told):
    assert told in complaint(capsys, main, *argv, *flags) or told in complaint(capsys, main, *flags, *argv)


def test_a_folder_that_is_no_run_and_results_that_are_not_there(flags, tmp_path, capsys):
    assert "holds no results of a run" in complaint(capsys, main, "popularity", str(tmp_path), *flags)
    nothing = ["--output-dir", str(tmp_path / "none")]
    assert "no results under" in complaint(capsys, main, "popularity", "item_knn", *nothing)


def test_runs_on_different_splits_are_refused(ran, flags, capsys):
    said = complaint(capsys, main, "popularity", str(ran.parent / "newcomer" / "item_knn"), *flags)
    assert "different splits" in said


def test_a_run_that_nothing_vouches_for_is_not_compared(small_settings, capsys):
    [run, _] = finish(small_settings, [Popularity, ItemKNN])
    (run.folder / "config.json").write_text("{}")
    place = ["--output-dir", str(small_settings.output_dir), "--dataset", small_settings.data_dir.name]
    place[-1] = run.key.dataset
    said = complaint(capsys, main, str(run.folder), "item_knn", *place)
    assert "config.json has 2 bytes" in said
    assert "run its stage again with --resume" in said
