"""Stage 5 from its flags to its files: lists, index, map, the cold-start ladder, and mistakes."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from common import split
from common.evaluation.segments import by_item_coldness, by_n_given
from common.experiments.experiment import Experiment
from common.features.user_attributes import user_attributes
from common.models.neural.two_tower.model import TwoTower
from common.models.vector_index import Index
from common.reporting.extra_tables import COLDNESS
from common.reporting.stages.two_tower import cold_start_text
from common.splits.protocols import N_GIVEN
from common.splits.train_view import load_train_view
from common.utils.io import read_json, read_parquet
from tests.stages import PROTOCOL_CASES, complaint, stage

QUICK = (
    *("--preset", "classic", "--two-tower.width", "16", "--two-tower.hidden", "16", "--two-tower.epochs", "4"),
    *("--two-tower.batch", "32", "--two-tower.negatives", "128", "--two-tower.learning-rate", "0.01"),
)


@pytest.mark.parametrize("protocol", PROTOCOL_CASES)
def test_stage_5_goes_from_flags_to_lists_an_index_and_figures(small_flags, small_data, tmp_path, capsys, protocol):
    stage("5_two_tower.py")([*small_flags, *QUICK, "--protocol", protocol])
    said = capsys.readouterr().out
    folder = tmp_path / "out" / small_data.name / protocol
    [run] = folder.glob("two_tower/*/seed0")
    assert (run / "test" / "metrics.json").exists()
    for name in ("two_tower_training", "two_tower_map", "two_tower_scores", "precision_recall"):
        assert (folder / "figures" / f"{name}.png").is_file()
    assert "recall@100 1.0000" in said
    assert "like " in said
    assert said.count("for user") == 3
    assert "by what is known of the held-out item" in said
    model = TwoTower.load(run / "model")
    index = Index.load(run / "index", model.item_vectors())
    assert index.n == len(model.items)
    newcomers = protocol == "newcomer"
    assert ("two_tower, friends known" in said) == newcomers
    assert (folder / "figures" / "ladder.png").exists() == newcomers
    assert (run / "test" / "introduced.parquet").exists() == newcomers


def test_towers_learn_more_than_popularity(small_flags, small_data, tmp_path):
    stage("1_knn_baseline.py")([*small_flags, "--models", "popularity"])
    more = ("--two-tower.epochs", "30", "--two-tower.patience", "30")
    stage("5_two_tower.py")([*small_flags, *QUICK, *more])
    table: Any = pd.read_csv(tmp_path / "out" / small_data.name / "listen" / "leaderboard.csv").set_index("model")
    assert table.loc["two_tower", "ndcg_10"] > 1.2 * table.loc["popularity", "ndcg_10"]


def test_the_ladder_holds_the_models_that_have_run_and_names_those_that_have_not(
    small_flags, small_data, tmp_path, capsys
):
    flags = [*small_flags, "--protocol", "newcomer"]
    stage("1_knn_baseline.py")([*flags, "--models", "popularity", "tag_knn", "user_knn"])
    capsys.readouterr()
    stage("5_two_tower.py")([*flags, *QUICK])
    said = capsys.readouterr().out
    start = said.index("known items")
    lines = said[start:].splitlines()[2:]
    assert [line.split("  ")[0] for line in lines[:2]] == ["popularity", "tag_knn"]
    assert "not been run on newcomer: content_knn, als, ease, ensemble, sasrec" in said
    folder = tmp_path / "out" / small_data.name / "newcomer"
    metrics = read_json(folder / "popularity" / "tuned" / "seed0" / "test" / "metrics.json")
    shown = [float(cell) for cell in lines[0].split()[1:]]
    assert shown == pytest.approx([metrics[f"ndcg_10_given{rung}"] for rung in N_GIVEN], abs=5e-5)


def test_knowing_friends_changes_the_lists_of_people_without_a_history_alone(small_flags, small_data, tmp_path):
    """Friends count where the history is empty, and nowhere else."""
    stage("5_two_tower.py")([*small_flags, *QUICK, "--protocol", "newcomer"])
    [run] = (tmp_path / "out" / small_data.name / "newcomer").glob("two_tower/*/seed0")
    told, own = (read_parquet(run / "test" / f"{name}.parquet") for name in ("introduced", "per_user"))
    assert (told["user_id"].astype(str) == own["user_id"].astype(str)).all()
    empty = (own["given"] == 0).to_numpy()
    differ = (told["ndcg_10"] != own["ndcg_10"]).to_numpy()
    assert differ[empty].any()
    assert not differ[~empty].any()


def test_what_is_known_of_newcomers(small_data):
    train = load_train_view(small_data, "newcomer", "final")
    asked = np.array([*train.users["user_id"].head(2), "nobody"], object)
    known = user_attributes(small_data, train, asked)
    ties = small_data.tables.social
    for row, user in enumerate(asked[:2]):
        ids = set(ties[ties["user_id"] == user]["friend_id"])
        assert set(train.users["user_id"].iloc[known.friends[row]]) == ids & set(train.users["user_id"])
        assert known.users["country"].iloc[row] == train.users["country"].iloc[row]
    assert not len(known.friends[2])
    assert known.users.iloc[2].isna().all()
    assert known.take(np.array([2, 0])).users.iloc[1].equals(known.users.iloc[0])


def test_pairs_apart_are_those_of_the_metrics(small_flags, small_data, tmp_path):
    stage("5_two_tower.py")([*small_flags, *QUICK])
    [run] = (tmp_path / "out" / small_data.name / "listen").glob("two_tower/*/seed0")
    metrics = read_json(run / "test" / "metrics.json")
    found = by_item_coldness(
        read_parquet(run / "test" / "targets.parquet"), load_train_view(small_data, "listen", "final")
    )
    assert found["recall_100"] == pytest.approx(metrics["recall_100"])
    for key in COLDNESS:
        if key in found and key not in ("recall_100", "hr_5_sampled99"):
            assert found[key] == pytest.approx(metrics[key])
    targets = read_parquet(run / "test" / "targets.parquet")
    assert found["hr_5_sampled99"] == pytest.approx((targets["rank_sampled99"] <= 5).mean())


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_the_kind_of_index_is_chosen_by_a_flag(small_flags, small_data, tmp_path, capsys, kind):
    stage("5_two_tower.py")([*small_flags, *QUICK, "--phase", "select", "--index", kind])
    said = capsys.readouterr().out
    assert f"{kind}, " in said
    assert "visited | recall@100" in said


def test_after_select_a_final_model_is_not_shown(small_flags, capsys):
    stage("5_two_tower.py")([*small_flags, *QUICK])
    stage("5_two_tower.py")([*small_flags, *QUICK, "--phase", "select"])
    assert "knows validation; not shown" in capsys.readouterr().out


@pytest.mark.thorough
def test_stage_5_tunes_on_validation_alone(small_flags, tmp_path, monkeypatch):
    monkeypatch.setattr(Experiment.tune, "__defaults__", (tmp_path / "presets",))
    stage("5_two_tower.py")([*small_flags, *QUICK, "--tune", "2", "--phase", "select"])
    [preset] = (tmp_path / "presets").glob("*.toml")
    written = preset.read_text()
    assert "[tuned.two_tower.listen]" in written
    assert 'task = "complete"' in written
    assert not list((tmp_path / "out").rglob("test"))


def test_stage_5_tells_mistakes_in_a_sentence(small_flags, capsys):
    main, flags = stage("5_two_tower.py"), [*small_flags, "--preset", "classic"]
    assert "--index" in complaint(capsys, main, *flags, "--index", "lsh")
    assert "give a share below 1" in complaint(capsys, main, *flags, "--two-tower.least", "1.0")
    assert "--two-tower.width 1: give" in complaint(capsys, main, *flags, "--two-tower.width", "1")
    assert "--two-tower.temperature 0" in complaint(capsys, main, *flags, "--two-tower.temperature", "0")
    assert "did you mean 'u03'" in complaint(capsys, main, *flags, "--probes", "u03x")
    assert "--show 'Nobody at all': no item" in complaint(capsys, main, *flags, "--show", "Nobody at all")
    assert "use --device cpu or auto" in complaint(capsys, main, *flags, "--device", "cuda")


def test_from_python_towers_recommend(small_data):
    task = split(small_data)
    quick = TwoTower(width=16, hidden=16, epochs=4, batch=32, negatives=64)
    model = quick.fit(task.train, validation=task.valid)
    assert len(model.recommend(task.train.users["user_id"].tolist()[:1], k=5)) == 5


# Figures and tables


def test_means_of_a_ladder_by_hand():
    per_user = pd.DataFrame({"given": [0, 0, 5, 5], "ndcg_10": [0.2, 0.4, 1.0, 1.0]})
    table = by_n_given(per_user)
    mean, low, high = (table[column].to_numpy(float) for column in ("mean", "low", "high"))
    assert mean.tolist() == pytest.approx([0.3, 1.0])
    assert low[1] == high[1] == 1.0
    assert 0.2 <= low[0] < 0.3 < high[0] <= 0.4
    said = cold_start_text({"als": table}).splitlines()
    assert said[2].split() == ["als", "0.3000", "-", "-", "1.0000", "-", "-"]
