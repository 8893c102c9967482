import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest

from common.cli.rerank import main
from common.data.sources.registry import SYNTHETIC
from common.experiments.live_run import draw_accuracy
from common.experiments.run import Run, hash_config
from common.experiments.settings import ModelSettings
from common.experiments.stored.run_files import RESULTS
from common.models.knn.item_knn import ItemKNN
from common.models.linear.als import ALS
from common.plots import model_comparison as plots
from common.plots.model_comparison import trade_offs
from common.reranking import stored_lists
from common.reranking.by_history import segments_of
from common.reranking.item_facts import Reranking
from common.reranking.strength_search import METHODS
from common.utils.io import read_json, read_parquet, write_json
from tests.conftest import SMALL
from tests.runs import finish, forget
from tests.stages import complaint


@pytest.fixture(scope="module")
def ran(small_data_dir, small_data, tmp_path_factory):
    """Folder of the outputs of two models, one of them without test results. Tests work on copies."""
    out = tmp_path_factory.mktemp("rerank") / "out"
    settings = ModelSettings(
        dataset=SYNTHETIC, synthetic=SMALL, data_dir=small_data_dir, output_dir=out, wandb="disabled"
    )
    finish(settings, [ALS], "2_als")
    finish(dataclasses.replace(settings, phase="select"), [ItemKNN])
    return out


@pytest.fixture
def flags(small_flags, ran, tmp_path, monkeypatch):
    shutil.copytree(ran, tmp_path / "out")
    monkeypatch.setattr(stored_lists, "draw_accuracy", lambda *_: None)
    monkeypatch.setattr(plots, "trade_offs", lambda *args: args[-1])
    return small_flags


@pytest.fixture
def folder(tmp_path, small_data):
    return tmp_path / "out" / small_data.name / "listen"


def test_a_method_becomes_a_run_and_a_row(flags, folder, capsys):
    main([*flags, "--run", "als", "--methods", "mmr", "balanced"])
    board = pd.read_csv(folder / "leaderboard.csv")
    assert {"als", "als+mmr", "als+balanced"} <= set(board["model"])
    assert set(board.loc[board["model"].str.startswith("als"), "stage"]) == {"2_als"}
    run, base = folder / "als+mmr" / "tuned" / "seed0", folder / "als" / "tuned" / "seed0"
    assert (run / "log.txt").exists()
    config = read_json(run / "config.json")
    for part in ("valid", "test"):
        assert {path.name for path in (run / part).iterdir()} == {*RESULTS, "manifest.json"}
        record, before = (read_json(of / part / "metrics.json") for of in (run, base))
        assert set(before) <= set(record)
        assert record["config_sha256"] == hash_config(config)
        assert record["fit_seconds"] == before["fit_seconds"]
        assert record["recommend_ms_per_user"] == before["recommend_ms_per_user"] + record["rerank_ms_per_user"]
        lists, own = (read_parquet(of / part / "recommendations.parquet") for of in (run, base))
        assert not lists["item_id"].equals(own["item_id"])
        by_user = [table.groupby("user_id", observed=True)["item_id"].agg(set) for table in (lists, own)]
        assert by_user[0].equals(by_user[1]), "the same candidates"
        targets = read_parquet(run / part / "targets.parquet").merge(lists, on=["user_id", "item_id"])
        assert len(targets) > 0
        assert (targets["rank_x"] == targets["rank_y"]).all()
    said = capsys.readouterr().out
    assert "* is the strength that the run has" in said
    assert "als+mmr" in said


def test_the_strength_is_chosen_on_validation(flags, folder):
    main([*flags, "--run", "als", "--methods", "mmr", "--loss", "0.1"])
    tried = read_json(folder / "reranking_als.json")
    rows = pd.DataFrame(tried["validation"])
    assert rows["strength"].tolist() == list(METHODS["mmr"].strengths)
    kept = rows[rows["ndcg_10"] >= 0.9 * tried["run"]["ndcg_10"]]
    assert rows["chosen"].sum() == 1
    assert kept["strength"].max() == rows.loc[rows["chosen"], "strength"].item()
    (run,) = (folder / "als+mmr").glob("tuned-*/seed0")
    used = read_json(run / "config.json")["settings"]["reranking"]
    assert used["diversity"] == kept["strength"].max()
    own = read_json(folder / "als" / "tuned" / "seed0" / "valid" / "metrics.json")
    assert tried["run"]["ndcg_10"] == pytest.approx(own["ndcg_10"]), "the run itself, evaluated from its files"


def test_test_results_decide_nothing(flags, folder):
    main([*flags, "--run", "als", "--methods", "mmr"])
    before = read_json(folder / "reranking_als.json")
    path = folder / "als" / "tuned" / "seed0" / "test"
    record = read_json(path / "metrics.json")
    write_json(path / "metrics.json", record | {"ndcg_10": 0.0})
    table = read_parquet(path / "recommendations.parquet")
    table["score"] = -table["score"]
    table.to_parquet(path / "recommendations.parquet")
    main([*flags, "--run", "als", "--methods", "mmr"])
    assert read_json(folder / "reranking_als.json") == before


def test_other_settings_lie_apart(flags, folder):
    main([*flags, "--run", "als", "--methods", "mmr", "calibrated", "--preset", "classic"])
    for method, name, textbook in (("mmr", "diversity", 0.3), ("calibrated", "calibration", 0.5)):
        config = read_json(folder / f"als+{method}" / "classic" / "seed0" / "config.json")
        assert config["settings"].pop("reranking") == {"places": 20, name: textbook}
        own = read_json(folder / "als" / "tuned" / "seed0" / "config.json")
        assert config["settings"] == own["settings"]
        assert config["lists_of"] == hash_config(own)
    main([*flags, "--run", "als", "--methods", "mmr", "--strength", "0.25"])
    assert not (folder / "als+mmr" / "tuned").exists()
    assert len(list((folder / "als+mmr").glob("tuned-*"))) == 1


def test_flags_make_a_pipeline(flags, folder):
    wishes = ["--pipeline.per-artist", "1", "--pipeline.no-explicit", "--pipeline.one-version"]
    main([*flags, "--run", "als", "--methods", "pipeline", *wishes])
    (run,) = (folder / "als+pipeline").glob("tuned-*/seed0")
    lists = read_parquet(run / "test" / "recommendations.parquet")
    own = read_parquet(folder / "als" / "tuned" / "seed0" / "test" / "recommendations.parquet")
    assert len(lists) < len(own)
    assert not lists.duplicated(["user_id", "rank"]).any()
    targets = read_parquet(run / "test" / "targets.parquet")
    gone = own.merge(lists, on=["user_id", "item_id"], how="left", indicator=True).query("_merge == 'left_only'")
    hidden = targets.merge(gone[["user_id", "item_id"]], on=["user_id", "item_id"])
    assert len(hidden) > 0
    assert (hidden["rank"] > 100).all(), "what is left out is found nowhere in the list"


def test_a_run_without_test_results_gets_none(flags, folder):
    main([*flags, "--run", "item_knn", "--methods", "novelty"])
    run = folder / "item_knn+novelty" / "tuned" / "seed0"
    assert (run / "valid" / "metrics.json").exists()
    assert not (run / "test").exists()


@pytest.mark.rendered
def test_the_figures_are_drawn(flags, folder, monkeypatch):
    monkeypatch.setattr(stored_lists, "draw_accuracy", draw_accuracy)
    monkeypatch.setattr(plots, "trade_offs", trade_offs)
    main([*flags, "--run", "als", "--methods", "mmr"])
    for path in (folder / "figures" / "reranking_als.png", folder / "als+mmr/tuned/seed0/figures/accuracy_by_k.png"):
        assert path.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--methods", "mrm"], "unknown method 'mrm': did you mean 'mmr'?"),
        (["--methods"], "--methods names none"),
        (["--methods", "pipeline"], "say with --pipeline flags what is to be done"),
        (["--methods", "novelty", "--preset", "classic"], "--methods novelty has no classic strength"),
        (["--preset", "tunde"], "unknown preset 'tunde'"),
        (["--methods", "mmr", "--strength", "2"], "--strength 2: mmr takes a number, 0 to 1"),
        (
            ["--methods", "per_genre", "--strength", "2.5"],
            "--strength 2.5: per_genre takes a whole number, 0 to 1,000,000",
        ),
        (["--strength", "1", "--methods", "balanced"], "--strength 1: balanced has no strength"),
        (["--methods", "mmr", "--strength", "0.9", "--pipeline.calibration", "0.2"], "give two that sum to 1 or less"),
        (["--methods", "balanced", "--pipeline.diversity", "-1"], "--pipeline.diversity -1.0: give 0 to 1"),
        (["--loss", "7"], "--loss 7.0: give 0 to 1"),
        (["--run", "asl"], "'asl' is no run"),
        (["--protocol", "next"], "unknown protocol 'next'"),
    ],
)
def test_a_mistake_is_one_sentence(more, said, flags, folder, capsys):
    before = sorted(path for path in folder.rglob("*"))
    assert said in complaint(capsys, main, *flags, *more)
    assert sorted(path for path in folder.rglob("*")) == before


def test_a_run_that_does_not_fit_is_refused(flags, folder, capsys):
    run = folder / "als" / "tuned" / "seed0"
    config, record = read_json(run / "config.json"), read_json(run / "test" / "metrics.json")
    forget(run)  # what vouches for these files
    reranked = shutil.copytree(run, folder / "als+mmr" / "tuned" / "seed0")
    write_json(reranked / "config.json", config | {"model": "als+mmr"})
    write_json(reranked / "test" / "metrics.json", record | {"model": "als+mmr"})
    assert "is re-ranked already; name the run of als" in complaint(capsys, main, *flags, "--run", "als+mmr")
    shutil.rmtree(folder / "als+mmr")
    write_json(run / "config.json", config | {"data_sha256": "0"})
    assert "is on other data than" in complaint(capsys, main, *flags, "--run", "als")
    write_json(run / "config.json", config)
    write_json(run / "test" / "metrics.json", record | {"config_sha256": "0"})
    assert "are not of the same settings" in complaint(capsys, main, *flags, "--run", "als")


def test_a_strength_for_each_third_of_the_users_by_their_history(flags, folder, small_data, capsys):
    main([*flags, "--run", "als", "--methods", "mmr", "--by-history", "--loss", "0.02"])
    [run] = (folder / "als+mmr").iterdir()
    assert run.name.startswith("tuned-by-history-")
    chosen = read_json(run / "seed0" / "config.json")["settings"]["reranking"]
    lists = stored_lists.StoredLists(Run(folder / "als" / "tuned" / "seed0"), small_data)
    lengths = lists.evaluators["valid"].given.lengths
    assert chosen["least"][0] == 0
    assert len(chosen["least"]) == len(chosen["by_history"]) == 3
    plain, now = lists.evaluated(Reranking()).per_user, read_parquet(run / "seed0" / "valid" / "per_user.parquet")
    for rows, own in zip(segments_of(lengths, tuple(chosen["least"])), chosen["by_history"], strict=True):
        as_everybody = lists.evaluated(Reranking(**own)).per_user
        np.testing.assert_allclose(now["ndcg_10"].to_numpy()[rows], as_everybody["ndcg_10"].to_numpy()[rows])
        before = plain["ndcg_10"].to_numpy()[rows].mean()
        stronger = next((s for s in METHODS["mmr"].strengths if s > own["diversity"]), None)
        if now["ndcg_10"].to_numpy()[rows].mean() >= 0.98 * before and stronger is not None:
            beyond = lists.evaluated(Reranking(diversity=stronger)).per_user["ndcg_10"].to_numpy()[rows].mean()
            assert beyond < 0.98 * before
    assert capsys.readouterr().out.count("histories") == 3


def test_by_history_goes_with_no_strength_of_ones_own(flags, capsys):
    said = complaint(capsys, main, *flags, "--methods", "mmr", "--by-history", "--strength", "0.3")
    assert "leave out --strength" in said
