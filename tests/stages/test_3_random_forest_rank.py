"""Stage 3 from its flags to its files, and the study of candidates and features."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common import split
from common.evaluation.play_counts import plays_metrics
from common.evaluation.statistics import bootstrap_interval
from common.experiments.experiment import Experiment
from common.models import Forest, HistGradient
from common.models.linear.als import ALSSettings
from common.models.two_stage.forest import ForestSettings
from common.splits.train_view import load_train_view
from common.utils.io import read_json, write_parquet
from tests.data.worlds import rich_tables
from tests.stages import PROTOCOL_CASES, WITH_PLAYS, complaint, stage

QUICK = ("--forest.trees", "10", "--forest.top", "20", "--hist-gradient.iterations", "10", "--hist-gradient.top", "20")
SETTINGS = ForestSettings(top=20, trees=10, als=ALSSettings(factors=8, iterations=4, regularisation=1.0))


@pytest.fixture
def experiment(small_settings) -> Experiment:
    return Experiment(dataclasses.replace(small_settings, phase="select"), "3_random_forest_rank")


@pytest.fixture
def model(experiment) -> Forest:
    return Forest(SETTINGS, seed=0).fit(experiment.train, context=experiment.context())


@pytest.mark.parametrize("protocol", PROTOCOL_CASES)
def test_stage_3_goes_from_flags_to_a_leaderboard(small_flags, small_data, tmp_path, capsys, protocol):
    stage("3_random_forest_rank.py")([*small_flags, "--protocol", protocol, *QUICK, "--probes", "u03"])
    said = capsys.readouterr()
    folder = tmp_path / "out" / small_data.name / protocol
    table: Any = pd.read_csv(folder / "leaderboard.csv").set_index("model")
    assert set(table.index) == {"forest", "hist_gradient"}
    assert (table["ndcg_10"] > 0).all()
    figures = {path.name for path in (folder / "figures").iterdir()}
    wanted = {"forest_candidates.png", "forest_importance.png", "forest_dependence.png", "forest_scores.png"}
    assert wanted | ({"forest_plays.png"} if protocol in WITH_PLAYS else set()) <= figures
    assert ("nothing to predict" in said.out) == (protocol not in WITH_PLAYS)
    assert "for user u03, who has" in said.out
    names = load_train_view(small_data, protocol, "final").labels.str[:40]
    assert sum(line[2:42].rstrip() in set(names.str.rstrip()) for line in said.out.splitlines()) >= 10
    assert "average" not in said.out
    [log] = folder.glob("forest/*/seed0/log.txt")
    by_protocol = dict.fromkeys(WITH_PLAYS, "order") | {"newcomer": "friends, order, people"}
    assert f"has nothing for them: {by_protocol.get(protocol, 'plays')}\n" in log.read_text()
    [model] = folder.glob("forest/*/seed0/model")
    assert {path.name for path in model.iterdir()} == set(Forest.files)
    if protocol in WITH_PLAYS:
        [record] = folder.glob("forest/*/seed0/test/metrics.json")
        measured = read_json(record)
        assert measured["plays_r2"] > 0
        assert measured["plays_reference_r2"] > 0
        assert 0 < measured["plays_spearman"] < 1


@pytest.mark.thorough
@pytest.mark.rendered
def test_the_ablation_names_every_group(small_flags, small_data, tmp_path, capsys):
    flags = [*small_flags, *QUICK, "--models", "forest", "--phase", "select", "--ablation", "--no-importance"]
    stage("3_random_forest_rank.py")(flags)
    folder = tmp_path / "out" / small_data.name / "listen"
    [path] = folder.glob("forest/*/seed0/ablation.parquet")
    table: Any = pd.read_parquet(path)
    groups = ["user", "item", "plays", "sources", "content", "tags", "friends", "time", "people"]
    assert table["name"].tolist() == ["all features", *(f"without {group}" for group in groups), "sources alone"]
    assert (table["low"] <= table["loss"]).all()
    assert (table["loss"] <= table["high"]).all()
    [record] = folder.glob("forest/*/seed0/valid/metrics.json")
    assert table["ndcg_10"][0] == pytest.approx(read_json(record)["ndcg_10"])
    assert (folder / "figures" / "forest_ablation.png").stat().st_size > 10_000
    assert "without tags" in capsys.readouterr().out
    assert not list((tmp_path / "out").rglob("test"))


@pytest.mark.thorough
def test_stage_3_tunes_on_validation_alone(small_flags, tmp_path, monkeypatch):
    monkeypatch.setattr(Experiment.tune, "__defaults__", (tmp_path / "presets",))
    flags = [*small_flags, "--models", "hist_gradient", "--tune", "2", "--phase", "select"]
    stage("3_random_forest_rank.py")([*flags, "--hist-gradient.top", "20", "--hist-gradient.iterations", "50"])
    [preset] = (tmp_path / "presets").glob("*.toml")
    written = preset.read_text()
    assert "[tuned.hist_gradient.listen]" in written
    assert "top = 20" in written
    assert not list((tmp_path / "out").rglob("test"))


def test_stage_3_tells_mistakes_in_a_sentence(small_flags, capsys):
    main = stage("3_random_forest_rank.py")
    assert "did you mean 'forest'" in complaint(capsys, main, *small_flags, "--models", "forrest")
    assert "did you mean 'u03'" in complaint(capsys, main, *small_flags, "--probes", "u03x")
    assert "give 1 to 10,000" in complaint(capsys, main, *small_flags, "--forest.top", "0")
    assert "--forest.features 0.0: give" in complaint(capsys, main, *small_flags, "--forest.features", "0")
    assert "run on cpu" in complaint(capsys, main, *small_flags, "--device", "cuda")


@pytest.mark.thorough
def test_data_without_tags_audio_and_friends_run_and_the_log_says_what_is_left_out(tmp_path, capsys):
    folder = tmp_path / "mine"
    folder.mkdir()
    rich_tables().interactions[["user_id", "item_id"]].to_csv(folder / "interactions.csv", index=False)
    flags = ["--dataset", str(folder), "--data-dir", str(tmp_path / "data"), "--output-dir", str(tmp_path / "out")]
    stage("3_random_forest_rank.py")([*flags, "--wandb", "disabled", *QUICK])
    said = capsys.readouterr().out
    for name in ("content", "content_knn", "friends", "people", "plays", "tag_knn", "tags", "time"):
        assert f" {name}" in next(line for line in said.splitlines() if line.startswith("left out")), name


def test_an_interval_holds_the_mean_and_shrinks_with_the_users():
    rng = np.random.default_rng(0)
    few, many = (rng.normal(1.0, 1.0, n) for n in (50, 5000))
    for values in (few, many):
        low, high = bootstrap_interval(values)
        assert low < values.mean() < high
        assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(len(values)), rel=0.1)
    assert bootstrap_interval(few) == bootstrap_interval(few)


def test_from_python_a_forest_recommends_and_explains(small_data):
    train = split(small_data).train
    forest = Forest(SETTINGS).fit(train)
    table = forest.recommend([train.users["user_id"].iloc[3]], k=5)
    explained = forest.explain_list(
        train.histories.take(np.array([3])), [train.item_code(i) for i in table["item_id"]], 3
    )
    np.testing.assert_allclose([why.score for why in explained], table["score"], rtol=1e-4)
    assert all(len(why.strongest_parts(3)) == 3 for why in explained)
    assert len(forest.recommend(histories=[[train.names.iloc[0]]], k=5)) == 5


def test_boosting_runs_beside_the_forest_on_the_same_features(experiment, model):
    beside = HistGradient(HistGradient.Settings(top=20, iterations=10, als=SETTINGS.als), seed=0)
    beside.fit(experiment.train, context=experiment.context())
    assert beside.training_data is model.training_data
    assert beside.shared_seconds.cpu > 0


def test_targets_keep_what_plays_are_measured_from(experiment, model, tmp_path):
    evaluator = experiment.valid
    evaluation = evaluator.evaluate(model)
    write_parquet(tmp_path / "targets.parquet", evaluation.targets)
    targets = pd.read_parquet(tmp_path / "targets.parquet")
    true, predicted = (targets[name].to_numpy(float) for name in ("log_plays", "predicted_log_plays"))
    assert plays_metrics(true, predicted)["r2"] == pytest.approx(evaluation.metrics["plays_r2"], rel=1e-6)
    hidden = experiment.data.tables.interactions.astype({"user_id": str, "item_id": str})
    merged = targets.astype({"user_id": str, "item_id": str}).merge(hidden, on=["user_id", "item_id"])
    np.testing.assert_allclose(merged["log_plays"], np.log1p(merged["weight"]), rtol=1e-5)
