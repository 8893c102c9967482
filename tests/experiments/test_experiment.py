import dataclasses
import json
import logging
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from common.evaluation.evaluator import Evaluator
from common.evaluation.task import Task
from common.experiments import experiment as module
from common.experiments import run as run_module
from common.experiments.experiment import Experiment
from common.experiments.live_run import top_ten
from common.experiments.presets import preset_values
from common.experiments.run import Run, hash_config
from common.experiments.settings import ModelSettings
from common.models.baselines import Popularity
from common.models.ensemble import Ensemble, EnsembleSettings
from common.models.knn.item_knn import ItemKNN, ItemKNNSettings
from common.models.linear.als import ALS, ALSSettings
from common.splits.train_view import load_train_view
from common.utils import environment as machine
from common.utils.errors import UserError
from common.utils.io import read_json
from common.utils.logs import log_file
from common.utils.temporary import MACHINE
from tests.runs import forget, run_through

STAGE = "1_knn_baseline"
PASSING = {"fit_seconds", "fit_cpu_seconds", "recommend_ms_per_user", "peak_rss_mb", "commit", "dirty"}
"""What may differ between two runs of the same command."""
WHO = {"model", "stage", "preset", "dataset", "protocol", "phase", "seed", "split_sha256"}
WHERE = {"commit", "dirty", "device", "machine", "threads", "versions"}
COSTS = {"fit_seconds", "fit_cpu_seconds", "recommend_ms_per_user", "peak_rss_mb", "model_mb"}
PARTS = ("manifest.json", "metrics.json", "per_user.parquet", "recommendations.parquet", "targets.parquet")


def as_preset(model) -> Any:
    """The settings that the tuned preset gives a model on generated data."""
    return preset_values("tuned", "synthetic", "listen", model.name, model.Settings)


def run(settings, model=ItemKNN, model_settings=None, **changed: Any) -> Path:
    """Run one model and give the folder of its results."""
    exp = Experiment(dataclasses.replace(settings, **changed), STAGE)
    exp.settings[model.name] = as_preset(model) if model_settings is None else model_settings
    run_through(exp, model)
    return exp.run_of(model).folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def lasting(folder: Path, part: str) -> dict[str, Any]:
    return {key: value for key, value in read_json(folder / part / "metrics.json").items() if key not in PASSING}


def test_a_run_leaves_the_promised_files_and_nothing_else(small_settings, small_data):
    folder = run(small_settings, seed=3)
    assert folder == small_settings.output_dir / small_data.name / "listen" / "item_knn" / "tuned" / "seed3"
    expected = {f"{part}/{file}" for part in ("valid", "test") for file in PARTS}
    assert set(contents(folder)) == expected | {
        "config.json",
        "log.txt",
        "measures.json",
        "figures/accuracy_by_k.png",
        "model/model.json",
        "model/model.npz",
    }


def test_metrics_say_who_what_where_and_at_what_cost(small_settings, small_data):
    folder = run(small_settings)
    for part, phase in (("valid", "select"), ("test", "final")):
        record = read_json(folder / part / "metrics.json")
        assert set(record) >= WHO | WHERE | COSTS
        assert all(re.fullmatch("[a-z0-9_]+", key) for key in record)
        assert (record["model"], record["stage"], record["preset"]) == ("item_knn", STAGE, "tuned")
        assert (record["dataset"], record["protocol"], record["phase"]) == (small_data.name, "listen", phase)
        assert record["split_sha256"] == load_train_view(small_data, "listen", "select").split_sha256
        assert {"python", "numpy", "pandas"} <= set(record["versions"])
        assert all(record[key] >= 0 for key in COSTS)
        for name in ("hr", "precision", "recall", "f1", "ndcg", "mrr", "map", "novelty", "coverage", "gini"):
            assert {f"{name}_{k}" for k in (5, 10, 20)} <= set(record)
        assert {"hr_5_sampled99", "ndcg_5_sampled99", "ils_tag_10", "serendipity_10"} <= set(record)
        assert 0 < record["ndcg_10"] < 1
    config = read_json(folder / "config.json")
    assert config["settings"] == dataclasses.asdict(as_preset(ItemKNN))
    assert config["data_sha256"] == small_data.sha256


def test_a_machine_is_named_by_its_processors(tmp_path, monkeypatch):
    told = tmp_path / "cpuinfo"
    told.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2.40GHz \n\nprocessor\t: 1\nmodel name\t: Some CPU\n")
    monkeypatch.setattr(machine, "PROCESSORS", told)
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 2)
    assert machine.hardware.__wrapped__().endswith(", 2 x Some CPU @ 2.40GHz")
    monkeypatch.setattr(machine, "PROCESSORS", tmp_path / "absent")
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    assert machine.hardware.__wrapped__().endswith(", 2 x unknown processor")


def test_the_tables_hold_the_lists_and_the_targets(small_settings, small_data):
    folder = run(small_settings)
    for part, phase in (("valid", "select"), ("test", "final")):
        lists = pd.read_parquet(folder / part / "recommendations.parquet")
        targets = pd.read_parquet(folder / part / "targets.parquet")
        per_user = pd.read_parquet(folder / part / "per_user.parquet")
        evaluator = Task(small_data, "listen").valid if phase == "select" else Task(small_data, "listen").test
        asked, train = evaluator.holdout, evaluator.train
        assert lists.groupby("user_id", observed=True)["rank"].apply(list).map(lambda r: r == list(range(1, 101))).all()
        ids = train.users["user_id"].to_numpy()[train.interactions["user"]]
        history = set(zip(ids, train.items["item_id"].to_numpy()[train.interactions["item"]], strict=True))
        assert not history & set(zip(lists["user_id"], lists["item_id"], strict=True))
        assert len(targets) == len(asked.target_items)
        assert {"score", "rank", "rank_sampled99"} <= set(targets)
        merged = targets.astype({"user_id": str, "item_id": str}).merge(
            lists.astype({"user_id": str, "item_id": str}), on=["user_id", "item_id"], suffixes=("", "_listed")
        )
        assert len(merged) == (targets["rank"] <= 100).sum() > 0
        assert merged["rank"].eq(merged["rank_listed"]).all()
        assert per_user["user_id"].tolist() == list(asked.users)
        record = read_json(folder / part / "metrics.json")
        assert per_user["ndcg_10"].mean() == pytest.approx(record["ndcg_10"])


def test_the_same_command_gives_the_same_results(small_settings, tmp_path):
    first, second = (run(small_settings, output_dir=tmp_path / name) for name in ("a", "b"))
    for part in ("valid", "test"):
        assert lasting(first, part) == lasting(second, part)
        for file in PARTS[2:]:
            pd.testing.assert_frame_equal(pd.read_parquet(first / part / file), pd.read_parquet(second / part / file))
    assert (first / "config.json").read_bytes() == (second / "config.json").read_bytes()


def test_select_opens_no_test(small_settings, monkeypatch):
    monkeypatch.setattr(Task, "test", property(lambda _: pytest.fail("test was opened")))
    folder = run(small_settings, phase="select")
    assert (folder / "valid").exists()
    assert not (folder / "test").exists()


def test_select_leaves_an_existing_test_folder_alone(small_settings):
    folder = run(small_settings)
    before = contents(folder / "test")
    run(small_settings, phase="select")
    assert contents(folder / "test") == before


def test_the_saved_model_is_the_one_of_the_last_phase(small_settings, small_data):
    folder = run(small_settings)
    train = load_train_view(small_data, "listen", "final")
    loaded = ItemKNN.load(folder / "model", train)
    assert loaded.histories.lengths.sum() == len(train.interactions)


@pytest.fixture
def fits(monkeypatch) -> list[str]:
    """The phases in which an ItemKNN was fitted."""
    phases: list[str] = []
    fit = ItemKNN._fit

    def noted(self, train, *given):
        phases.append(train.phase)
        return fit(self, train, *given)

    monkeypatch.setattr(ItemKNN, "_fit", noted)
    return phases


def test_resume_skips_what_is_complete(small_settings, fits):
    folder = run(small_settings)
    before = contents(folder)
    assert fits == ["select", "final"]
    run(small_settings, resume=True)
    assert fits == ["select", "final"]
    assert contents(folder) == before
    run(small_settings)
    assert fits == ["select", "final"] * 2, "without --resume everything is done again"


def test_resume_does_what_is_missing(small_settings, fits):
    folder = run(small_settings, phase="select")
    run(small_settings, phase="select", resume=True)
    assert fits == ["select"]
    run(small_settings, resume=True)
    assert fits == ["select", "select", "final"]
    (folder / "test" / "metrics.json").unlink()
    run(small_settings, resume=True)
    assert fits[3:] == ["select", "final"]


def test_resume_does_again_what_was_done_with_other_settings(small_settings, fits, monkeypatch):
    folder = run(small_settings)
    changed = ItemKNNSettings(neighbours=3)
    monkeypatch.setattr(module, "preset_values", lambda *_: changed)  # the preset's file was edited
    run(small_settings, model_settings=changed, resume=True)
    assert fits == ["select", "final"] * 2
    assert read_json(folder / "config.json")["settings"]["neighbours"] == 3


def test_a_run_killed_in_final_keeps_what_was_there(small_settings, monkeypatch):
    folder = run(small_settings)
    before = contents(folder)
    fit = ItemKNN._fit

    def killed(self, train, *given):
        if train.phase == "final":
            raise KeyboardInterrupt
        return fit(self, train, *given)

    monkeypatch.setattr(ItemKNN, "_fit", killed)
    with pytest.raises(KeyboardInterrupt):
        run(small_settings)
    after = contents(folder)
    for name in before:
        if not name.startswith("valid/") and name != "log.txt":
            assert after[name] == before[name], name
    monkeypatch.undo()
    assert Run(folder).is_complete(Run(folder).config(), ("valid", "test"), ItemKNN.files)


def test_a_first_run_killed_in_final_keeps_validation_and_is_not_complete(small_settings, monkeypatch, tmp_path):
    with monkeypatch.context() as patched:
        patched.setattr(Evaluator, "evaluate", fail_in_final(Evaluator.evaluate))
        with pytest.raises(MemoryError):
            run(small_settings)
    [folder] = tmp_path.rglob("seed0")
    assert names(folder) == {"valid", "log.txt", "measures.json", "config.json"}
    assert names(folder / "valid") == set(PARTS)
    assert set(contents(run(small_settings, resume=True))) >= {"test/metrics.json", "config.json"}


def fail_in_final(evaluate):
    def failing(self, *given):
        if self.train.phase == "final":
            raise MemoryError
        return evaluate(self, *given)

    return failing


@pytest.mark.parametrize("broken", ["per_user.parquet", "metrics.json"])
def test_results_are_swapped_whole_or_not_at_all(small_settings, monkeypatch, broken):
    folder = run(small_settings)
    before = contents(folder / "test")
    exp = Experiment(small_settings, STAGE)
    evaluation = exp.test.evaluate(Popularity().fit(exp.train_valid))

    def fails_for(write):
        def writing(path, content):
            if path.name == broken:
                raise KeyboardInterrupt
            write(path, content)

        return writing

    for name in ("write_parquet", "write_json"):
        monkeypatch.setattr(run_module, name, fails_for(getattr(run_module, name)))
    with pytest.raises(KeyboardInterrupt):
        Run(folder).write("test", evaluation, {"a": 1}, {})
    assert contents(folder / "test") == before
    assert names(folder) == {"valid", "test", "model", "figures", "config.json", "log.txt", "measures.json"}


@pytest.mark.parametrize("moved", ["config.json", "test"])
def test_a_swap_that_is_stopped_is_brought_to_its_end(small_settings, monkeypatch, moved):
    folder = run(small_settings)
    exp = Experiment(small_settings, STAGE)
    evaluation = exp.test.evaluate(Popularity().fit(exp.train_valid))
    config, record = Run(folder).config(), Run(folder).results("test").metrics
    replace, stops = Path.replace, [moved]

    def interrupted(self, target):
        if stops and self.name == moved and self.parent.name.startswith(".swap-"):
            stops.pop()
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Run(folder).write("test", evaluation, record | {"ndcg_10": 0.125}, config)
    assert Run(folder).results("test").metrics["ndcg_10"] == 0.125
    assert names(folder) == {"valid", "test", "model", "figures", "config.json", "log.txt", "measures.json"}


def test_the_log_holds_this_runs_messages(small_settings, caplog):
    caplog.set_level("INFO")
    folder = run(small_settings)
    run(small_settings)
    text = (folder / "log.txt").read_text()
    assert text.count("item_knn       select") == text.count("item_knn       final") == 1
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", text)


def test_a_log_file_is_let_go_after_an_error(tmp_path):
    handlers = list(logging.getLogger().handlers)
    with pytest.raises(ValueError, match="x"), log_file(tmp_path / "a" / "log.txt"):
        logging.getLogger("common").warning("one line")
        assert "one line" in (tmp_path / "a" / "log.txt").read_text()
        raise ValueError("x")
    assert logging.getLogger().handlers == handlers


def test_other_seeds_and_splits_have_folders_of_their_own(small_settings, small_data):
    folders = {run(small_settings, Popularity, seed=s, split_seed=k) for s in (0, 1) for k in (0, 1)}
    assert len(folders) == 4
    assert {folder.parents[2].name for folder in folders} == {"listen", "listen-s1"}
    hashes = {read_json(folder / "test" / "metrics.json")["split_sha256"] for folder in folders}
    assert len(hashes) == 2


def test_the_top_ten_bears_names(small_settings, small_data):
    lists = pd.read_parquet(run(small_settings) / "test" / "recommendations.parquet")
    table = top_ten(lists, load_train_view(small_data, "listen", "final"))
    items = small_data.tables.items.set_index("item_id")
    names = items["name"].astype(object) + " - " + items["artist"].astype(object)
    assert len(table) == 30
    assert table["rank"].tolist() == list(range(1, 11)) * 3
    assert (table["name"] == names[table["item_id"]].to_numpy()).all()


def test_the_config_hash_knows_every_setting():
    config = {"settings": {"a": 1}, "seed": 0}
    assert hash_config(config) == hash_config(json.loads(json.dumps(config)))
    assert hash_config(config) != hash_config({"settings": {"a": 2}, "seed": 0})


def test_select_leaves_the_model_of_the_test_results_alone(small_settings):
    folder = run(small_settings)
    before = contents(folder / "model")
    run(small_settings, phase="select")
    assert contents(folder / "model") == before


@pytest.mark.parametrize("lost", ["model/model.npz", "test/targets.parquet", "valid/metrics.json"])
def test_resume_does_again_what_is_incomplete(small_settings, fits, lost):
    folder = run(small_settings)
    (folder / lost).unlink()
    run(small_settings, resume=True)
    assert (folder / lost).exists()
    assert fits == ["select", "final"] * 2


@dataclasses.dataclass(frozen=True)
class TwoModels(ModelSettings):
    models: tuple[str, ...] = ("popularity", "item_knn")


def test_a_model_that_does_not_fit_is_left_out_unless_it_is_named(small_settings, monkeypatch, caplog):
    monkeypatch.setattr(ItemKNN, "needed_memory", lambda self, train: (1e15, "lower --item-knn.neighbours"))
    flags = {field.name: getattr(small_settings, field.name) for field in dataclasses.fields(small_settings)}
    with caplog.at_level(logging.INFO):
        chosen = [model.name for model, _ in Experiment(TwoModels(**flags), STAGE).runs(Popularity, ItemKNN)]
    assert chosen == ["popularity"]
    assert "item_knn is left out: item_knn needs about 1,000 TB of memory" in caplog.text
    named = Experiment(TwoModels(**flags, models=("popularity", "item_knn", "item_knn")), STAGE)
    with pytest.raises(UserError, match=r"lower --item-knn\.neighbours, or allow more with --memory"):
        next(named.runs(Popularity, ItemKNN))


def test_the_memory_that_is_allowed_is_no_part_of_a_configuration(small_settings):
    experiments = [Experiment(dataclasses.replace(small_settings, memory=size), STAGE) for size in ("auto", "1GB")]
    configs = [exp._live_run(ItemKNN, as_preset(ItemKNN)).new_config for exp in experiments]
    assert hash_config(configs[0]) == hash_config(configs[1])


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("test/recommendations.parquet", lambda path: path.write_bytes(path.read_bytes()[:1500])),
        ("config.json", lambda path: path.unlink()),
        ("model/model.npz", lambda path: path.write_bytes(path.read_bytes()[:-1])),
        ("model/model.json", lambda path: path.write_text("[]")),
        ("valid/manifest.json", lambda path: path.write_text("{}")),
    ],
)
def test_resume_makes_a_damaged_run_anew(small_settings, fits, name, damage):
    folder = run(small_settings)
    before = contents(folder)
    damage(folder / name)
    run(small_settings, resume=True)
    assert fits == ["select", "final"] * 2
    if name.startswith("valid") or name == "model/model.json":  # times stand in it
        assert read_json(folder / name)
    else:
        assert (folder / name).read_bytes() == before[name]
    run(small_settings, resume=True)
    assert fits == ["select", "final"] * 2, "it is complete now"


def test_resume_writes_the_core_metrics_that_a_kill_left_behind(small_settings, fits):
    folder = run(small_settings)
    whole = read_json(folder / "measures.json")
    (folder / "measures.json").unlink()
    run(small_settings, resume=True)
    assert read_json(folder / "measures.json") == whole
    assert fits == ["select", "final"], "nothing is fitted for it"


def test_resume_makes_lost_curves_anew(small_settings):
    folder = run(small_settings, ALS, ALS.Settings(factors=2, iterations=2))
    curves = read_json(folder / "curves.json")
    (folder / "curves.json").unlink()
    run(small_settings, ALS, ALS.Settings(factors=2, iterations=2), resume=True)
    assert read_json(folder / "curves.json") == curves


def test_resume_takes_a_run_of_an_earlier_version_over(small_settings, fits):
    folder = run(small_settings)
    forget(folder)
    run(small_settings, resume=True)
    assert fits == ["select", "final"]
    assert Run(folder).is_complete(Run(folder).config(), ("valid", "test"), ItemKNN.files)


@pytest.mark.parametrize("old", [True, False])
def test_resume_fits_a_run_that_is_a_copy_of_another(small_settings, fits, old):
    folder = run(small_settings)
    if old:
        forget(folder)
    copy = folder.with_name("seed7")
    shutil.copytree(folder, copy)
    assert run(small_settings, resume=True, seed=7) == copy
    assert fits == ["select", "final"] * 2
    assert [Run(copy).results(part).metrics["seed"] for part in ("valid", "test")] == [7, 7]
    assert Run(copy).load(ItemKNN).seed == Run(copy).config()["seed"] == 7
    assert Run(copy).is_complete(Run(copy).config(), ("valid", "test"), ItemKNN.files)


def test_the_settings_of_a_model_in_this_command_are_those_that_its_run_keeps(small_settings):
    folder = run(dataclasses.replace(small_settings, phase="select", preset="classic"), Popularity)
    exp = Experiment(dataclasses.replace(small_settings, phase="select", preset="classic"), STAGE)
    assert hash_config(exp.config_of(Popularity)) == hash_config(Run(folder).config())
    other = Experiment(dataclasses.replace(small_settings, phase="select"), STAGE)
    assert hash_config(other.config_of(Popularity)) != hash_config(Run(folder).config())


def test_a_part_is_as_the_preset_of_the_whole_has_it_unless_this_command_changes_it(small_settings, monkeypatch):
    """The whole's preset starts from another one (`base`), so that its part is not as the part's own preset says."""

    @dataclasses.dataclass(frozen=True)
    class Flags(ModelSettings):
        als: ALSSettings = dataclasses.field(default_factory=ALSSettings)
        ensemble: EnsembleSettings = dataclasses.field(default_factory=EnsembleSettings)

    based = EnsembleSettings(als=ALSSettings(factors=7))
    own = {"ensemble": based, "als": ALSSettings()}
    monkeypatch.setattr(module, "preset_values", lambda preset, dataset, protocol, model, kind: own[model])
    given = {field.name: getattr(small_settings, field.name) for field in dataclasses.fields(small_settings)}
    for flags, factors in ((ALSSettings(), 7), (ALSSettings(factors=9), 9)):
        exp = Experiment(Flags(**given, als=flags, ensemble=based), STAGE, models=[ALS, Ensemble])
        assert exp.settings_of(Ensemble).als.factors == factors
    exp.settings["als"] = own["als"] = ALSSettings(factors=5)  # as a search leaves it, which writes it into the preset
    assert exp.settings_of(Ensemble).als.factors == 5


def test_what_a_killed_process_left_is_swept_at_the_next_start(small_settings):
    folder = run(small_settings)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = folder / "test" / f".targets-{ended.pid}@{MACHINE}-abcd_123.parquet"
    left.write_bytes(b"half")
    with Experiment(small_settings, STAGE):
        assert not left.exists()
