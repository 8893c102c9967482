"""Stage 6 from its flags to its files: lists, plays, studies, and mistakes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.data.tables import AUDIO_FEATURES
from common.experiments import presets as command_line
from common.experiments.analysis import ablation as hybrid_study
from common.experiments.experiment import Experiment
from common.models.neural.listnet.inputs import make_inputs
from common.models.neural.listnet.model import HybridListNet, HybridListNetSettings
from common.splits.train_view import TrainView, load_train_view
from common.training import trainer as loop
from common.training.context import FitContext
from common.utils.io import read_json, read_parquet
from tests.stages import PROTOCOL_CASES, WITH_PLAYS, complaint, stage

QUICK = (
    *("--preset", "smoke", "--hybrid-listnet.epochs", "3", "--hybrid-listnet.batch", "32"),
    *("--hybrid-listnet.validate-every", "1"),
)


@pytest.mark.parametrize("protocol", PROTOCOL_CASES)
def test_stage_6_goes_from_flags_to_lists_and_figures(small_flags, small_data, tmp_path, capsys, protocol):
    stage("6_hybrid_listnet.py")([*small_flags, *QUICK, "--protocol", protocol])
    said = capsys.readouterr().out
    folder = tmp_path / "out" / small_data.name / protocol
    [run] = folder.glob("hybrid_listnet/*/seed0")
    for name in ("training", "preprocessing", "correlations", "calibration", "scores"):
        assert (folder / "figures" / f"hybrid_{name}.png").is_file()
    assert (folder / "figures" / "hybrid_predicted_plays.png").is_file() == (protocol in WITH_PLAYS)
    assert said.count("for user") == 3
    assert "calibration on test" in said
    measured = read_json(run / "test" / "metrics.json")
    assert ("plays_r2" in measured) == (protocol in WITH_PLAYS)
    model: Any = HybridListNet.load(run / "model")
    train = load_train_view(small_data, protocol, "final")
    assert model.score(np.array([0])).shape == (1, train.n_items)
    assert {"age_group", "country", "gender"} <= set(model.ranker.users.categories)
    assert {"artist", "year"} <= set(model.ranker.items.categories)


@pytest.mark.thorough
@pytest.mark.rendered
def test_the_studies_write_tables_and_draw(small_flags, small_data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(hybrid_study, "WEIGHTS", (0.0, 5.0))
    stage("2_als.py")([*small_flags, "--preset", "smoke", "--models", "als"])
    changed = ["--preset", "smoke", "--hybrid-listnet.ils-weight", "0.1"]
    asked = ["--ablation", "--trade-off", "--plays", "--phase", "select"]
    stage("6_hybrid_listnet.py")([*small_flags, *changed, *asked])
    said = capsys.readouterr().out
    folder = tmp_path / "out" / small_data.name / "listen"
    [run] = folder.glob("hybrid_listnet/*/seed0")
    table = read_parquet(run / "ablation.parquet")
    everything = [name for name in hybrid_study.PARTS if name != "with all ids"]
    assert table["name"].tolist() == ["all", *everything], "all ids are there"
    assert (table["low"] <= table["loss"]).all()
    assert (table["loss"] <= table["high"]).all()
    assert table.set_index("name")["plays_r2"].isna().sum() == 1, "order alone predicts no plays"
    curve = read_parquet(run / "trade_off.parquet")
    assert curve["ils_weight"].tolist() == [0.0, 5.0]
    assert {"ils_tag_10", "ils_tag_share_10", "ndcg_10", "low", "high"} <= set(curve)
    plays = read_parquet(run / "plays.parquet").set_index("group")
    assert {"all", "warm users", "new users", "new items"} <= set(plays.index)
    assert "of the variance that the generator's noise leaves" in said
    for name in ("ablation", "trade_off", "plays"):
        assert (folder / "figures" / f"hybrid_{name}.png").stat().st_size > 10_000


def test_without_sound_nobody_is_told_where_it_is_missing(small_data):
    train = load_train_view(small_data, "listen", "select")
    told = make_inputs(train, (), "robust", 4, 4).items.blocks
    deaf = make_inputs(train, ("audio",), "robust", 4, 4).items.blocks
    assert "music" in told
    assert "music" not in deaf
    sounds = sum(name.removesuffix("_missing") in AUDIO_FEATURES for name in missing_flags(train))
    assert sounds > 0
    assert deaf["binary"].shape[1] == told["binary"].shape[1] - sounds


def missing_flags(train: TrainView) -> list[str]:
    """Flags of missing values among the binary columns of items."""
    binary = make_inputs(train, (), "robust", 4, 4).preprocessor.binary["items"]
    return [name for name in binary if name.endswith("_missing")]


@pytest.mark.thorough
def test_data_of_nothing_but_interactions_go_through_every_study(small_data, small_flags, tmp_path, capsys):
    """Nothing to weigh is said before anything is fitted for it; no stratum is too small for the plays."""
    folder = tmp_path / "own"
    folder.mkdir()
    shown = small_data.tables.interactions[["user_id", "item_id", "weight"]]
    shown.to_csv(folder / "interactions.csv", index=False)
    place = [*small_flags[small_flags.index("--output-dir") :], "--data-dir", str(tmp_path / "data")]
    asked = ["--dataset", str(folder), "--preset", "smoke", "--phase", "select", "--trade-off", "--plays"]
    stage("6_hybrid_listnet.py")([*place, *asked, "--hybrid-listnet.epochs", "2"])
    said = capsys.readouterr().out
    assert "nothing to weigh" in said
    assert "log(1 + plays) of held-out visible pairs" in said
    assert not list((tmp_path / "out").rglob("trade_off.parquet"))


@pytest.mark.thorough
def test_the_study_of_plays_goes_through_the_epochs_that_were_chosen(small_flags, monkeypatch):
    schedules, train = [], loop.Trainer

    def noting(*given: Any, **named: Any) -> Any:
        schedules.append(named["schedule"] and named["schedule"].epochs)
        return train(*given, **named)

    monkeypatch.setattr(loop, "Trainer", noting)
    stage("6_hybrid_listnet.py")([*small_flags, *QUICK, "--plays", "--phase", "select"])
    chosen = read_json(next(Path(small_flags[small_flags.index("--output-dir") + 1]).rglob("best.json")))["epoch"]
    assert schedules == [None, chosen]


@pytest.mark.thorough
def test_users_who_were_unknown_in_all_training_data_are_unknown(small_data):
    """Among newcomers all training users are unknown: the rows of known users were never learned."""
    train = load_train_view(small_data, "newcomer", "select")
    model: Any = HybridListNet(HybridListNetSettings(top=20, width=4, hidden=(8,), epochs=1)).fit(train)
    before = model.score(np.array([3]))
    model.ranker.network.train()  # forgets what it has made of all rows
    for table in model.ranker.network.users.tables.values():
        table.weight.data[1:] += 5.0
    np.testing.assert_array_equal(model.score(np.array([3])), before)
    taught = load_train_view(small_data, "listen", "select")
    assert HybridListNet(HybridListNetSettings(top=20, width=4, hidden=(8,), epochs=1)).fit(taught).ranker.knows_users


# Stop and go on; mistakes


def test_a_training_that_was_stopped_ends_where_it_would_have(small_data, tmp_path):
    """Running figures of batch normalisation come back with the weights."""
    train = load_train_view(small_data, "listen", "select")

    def trained(stop_at: int, resume: bool, folder: Path) -> Any:
        model = HybridListNet(HybridListNetSettings(top=20, width=4, hidden=(8, 8), epochs=4, batch=16))
        looked = iter(range(1, 9))

        def validation(model: Any) -> float:
            if next(looked) == stop_at:
                raise KeyboardInterrupt
            return float(model.score(np.array([3]))[0, :5].sum())

        return model.fit(train, validation, FitContext(folder, resume))

    whole = trained(9, False, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(3, False, tmp_path / "stopped")
    resumed = trained(9, True, tmp_path / "stopped")
    for name, array in whole.ranker.weights().items():
        np.testing.assert_array_equal(array, resumed.ranker.weights()[name], err_msg=name)


@pytest.mark.thorough
def test_stage_6_tunes_on_validation_alone(small_flags, tmp_path, monkeypatch):
    monkeypatch.setattr(Experiment.tune, "__defaults__", (tmp_path / "presets",))
    stage("6_hybrid_listnet.py")([*small_flags, *QUICK, "--tune", "2", "--phase", "select"])
    [preset] = (tmp_path / "presets").glob("*.toml")
    written = preset.read_text()
    assert "[tuned.hybrid_listnet.listen]" in written
    assert "hidden = [16]" in written
    assert not list((tmp_path / "out").rglob("test"))
    again = ["--preset", "tuned", "--hybrid-listnet.epochs", "1"]
    monkeypatch.setattr(command_line, "PRESETS", tmp_path / "presets")
    monkeypatch.setattr(command_line.preset_values, "__defaults__", (tmp_path / "presets",))
    stage("6_hybrid_listnet.py")([*small_flags, *again, "--phase", "select"])


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--hybrid-listnet.hidden", "0"), "--hybrid-listnet.hidden 0: give 1 to 16,384"),
        (("--hybrid-listnet.without", "sound"), "sound: choose among audio, tags, ids"),
        (("--hybrid-listnet.outliers", "clip"), "--hybrid-listnet.outliers"),
        (("--hybrid-listnet.temperature", "0"), "--hybrid-listnet.temperature 0.0: give 0.01 to 1e+06"),
        (("--hybrid-listnet.ils-weight", "-1"), "--hybrid-listnet.ils-weight -1.0: give 0 to 1e+06"),
        (("--probes", "nobody"), "nobody"),
    ],
)
def test_mistakes_are_told_in_a_sentence(small_flags, capsys, flags, words):
    assert words in complaint(capsys, stage("6_hybrid_listnet.py"), *small_flags, *QUICK, *flags)


def test_negative_plays_are_refused(tmp_path, capsys):
    own = tmp_path / "own"
    own.mkdir()
    rows = [f"u{u},i{i},{-3 if (u, i) == (2, 1) else 4}" for u in range(8) for i in range(8)]
    (own / "interactions.csv").write_text("\n".join(["user_id,item_id,weight", *rows]) + "\n")
    places = ["--data-dir", str(tmp_path / "data"), "--output-dir", str(tmp_path / "out"), "--wandb", "disabled"]
    said = complaint(capsys, stage("6_hybrid_listnet.py"), "--dataset", str(own), *places, *QUICK)
    assert "weight" in said
    assert "-3" in said
