"""The workspace names only what runs write, and what goes wrong is one sentence."""

import dataclasses
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.cli import dashboard
from common.experiments import tracking
from common.models import ItemKNN, SASRec
from common.models.base import Recommender
from tests.runs import finish
from tests.stages import complaint

with warnings.catch_warnings():  # the library's own use of what pydantic gives up
    warnings.simplefilter("ignore", DeprecationWarning)
    workspaces = pytest.importorskip("wandb_workspaces.workspaces")

NETWORK: dict[str, Any] = {"epochs": 1, "width": 8, "heads": 2, "layers": 1}


class Recorder(tracking.NullTracker):
    """Keeps what a run writes."""

    is_on = True

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.curves: set[str] = {"epoch"}
        self.media: set[str] = set()
        self.tables: set[str] = set()
        self.artifacts: dict[str, tuple[str, list[Path], dict[str, Any]]] = {}

    def log(self, values: dict[str, float], epoch: int) -> None:
        self.curves |= values.keys()

    def summary(self, values: dict[str, Any]) -> None:
        self.keys |= values.keys()

    def figure(self, name: str, path: Path) -> None:
        self.media.add(f"figures/{name}")

    def table(self, name: str, frame: Any) -> None:
        self.tables.add(f"tables/{name}")
        assert frame["name"].notna().all()

    def artifact(self, name: str, kind: str, files: Any, metadata: dict[str, Any]) -> None:
        self.artifacts[kind] = (name, list(files), metadata)


@pytest.fixture(scope="module")
def written(small_data_dir, tmp_path_factory) -> dict[str, Recorder]:
    """What runs of a plain model and of a network write, on two protocols."""
    from common.data.sources.registry import SYNTHETIC
    from common.experiments.settings import ModelSettings
    from tests.conftest import SMALL

    shared: dict[str, Any] = {"synthetic": SMALL, "data_dir": small_data_dir, "wandb": "disabled"}
    found = {}
    with pytest.MonkeyPatch.context() as patched:
        for protocol in ("listen", "newcomer"):
            folder = tmp_path_factory.mktemp(protocol)
            changes: tuple[tuple[type[Recommender], Any], ...] = ((ItemKNN, {}), (SASRec, NETWORK))
            settings = ModelSettings(dataset=SYNTHETIC, protocol=protocol, output_dir=folder, **shared)
            for model, changed in changes:
                recorder = found[f"{protocol} {model.name}"] = Recorder()
                patched.setattr(tracking, "start", lambda *_, recorder=recorder: recorder)
                finish(settings, [model], **{model.name: changed})
    return found


def panels(protocol: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Kind and settings of every panel, as they are sent."""
    model = dashboard.workspace("me", "music", protocol)._to_model().model_dump(by_alias=True, exclude_none=True)
    for section in model["spec"]["section"]["panelBankConfig"]["sections"]:
        yield from ((panel["viewType"], panel["config"]) for panel in section["panels"])


@pytest.mark.parametrize("protocol", ["listen", "newcomer"])
def test_every_key_is_one_that_runs_write(written, protocol):
    plain, network = written[f"{protocol} item_knn"], written[f"{protocol} sasrec"]
    named = {"bars": set[str](), "curves": set[str]()}
    for kind, config in panels(protocol):
        if kind == "Bar Chart":
            named["bars"] |= set(config["metrics"])
        elif kind == "Scatter Plot":
            named["bars"] |= {config[axis].removeprefix("summary:") for axis in ("xAxis", "yAxis")}
        elif kind == "Run History Line Plot":
            assert config["xAxis"] == "epoch"
            named["curves"] |= set(config["metrics"])
        elif kind == "Media Browser":
            assert set(config["mediaKeys"]) <= plain.media
    assert len(named["bars"]) > 10
    assert len(named["curves"]) == 4
    for recorder in (plain, network):
        assert named["bars"] | set(dashboard.COLUMNS) <= recorder.keys, "every model writes every key"
    assert named["curves"] <= network.curves
    assert plain.tables == network.tables == {"tables/top10"}
    table = str([config for kind, config in panels(protocol) if kind == "Weave"])
    assert "tables/top10" in table


def test_it_has_the_sections_and_only_runs_of_one_split_that_scored_test(monkeypatch):
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    made = dashboard.workspace("me", "music", "next", split_seed=3)
    assert (made.entity, made.project, made.name) == ("me", "mine", "Encore: music, next-s3")
    names = [section.name for section in made.sections]
    assert names[:5] == ["Leaderboard", "Accuracy against diversity", "Curves", "Cost", "Cold start"]
    assert all(section.panels for section in made.sections)
    assert any(type(panel).__name__ == "RunComparer" for panel in made.sections[-1].panels)
    filters = made.runset_settings.filters
    for wanted in ("'music'", "'next'", 'split_seed") == 3', "phase\") == 'final'"):
        assert wanted in filters
    [order] = made.runset_settings.order
    assert not order.ascending


def test_without_a_key_it_says_so_in_one_sentence(small_flags, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    said = complaint(capsys, dashboard.main, *small_flags)
    assert "wandb login" in said
    assert "WANDB_API_KEY" in said


def test_a_protocol_that_is_none_is_named(small_flags, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    assert "did you mean 'listen'" in complaint(capsys, dashboard.main, *small_flags, "--protocol", "lsten")


def test_a_server_that_refuses_is_one_sentence(small_flags, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)

    def refuse() -> str:
        raise OSError("no way to api.wandb.ai\nand more")

    monkeypatch.setattr(dashboard, "default_entity", refuse)
    said = complaint(capsys, dashboard.main, *small_flags)
    assert "no way to api.wandb.ai" in said
    assert "and more" not in said


def test_it_is_saved_as_a_view_of_its_own(small_flags, small_data, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    saved: list[Any] = []

    def save(self: Any) -> Any:
        saved.append(self)
        self._internal_name = "nw-abc-v"
        return self

    monkeypatch.setattr(workspaces.Workspace, "save_as_new_view", save)
    monkeypatch.setattr(workspaces.Workspace, "url", "https://example.org/view")
    monkeypatch.setattr(dashboard, "default_entity", lambda: pytest.fail("an entity was named"))
    dashboard.main([*small_flags, "--entity", "team"])
    [made] = saved
    assert (made.entity, made.name) == ("team", f"Encore: {small_data.name}, listen")
    assert "workspace: https://example.org/view" in capsys.readouterr().out


def test_models_and_lists_are_artifacts_with_names_and_metadata(written, small_data):
    name, files, metadata = written["listen sasrec"].artifacts["model"]
    assert name.startswith(f"{small_data.name}-listen-sasrec-tuned")
    assert {file.name for file in files} == set(SASRec.files)
    assert {"split_sha256", "phase", "seed", "ndcg_10"} <= metadata.keys()
    lists, files, same = written["listen sasrec"].artifacts["recommendations"]
    assert lists == f"{name}-recommendations"
    assert [file.parent.name + "/" + file.name for file in files] == [
        "test/recommendations.parquet",
        "test/targets.parquet",
    ]
    assert same == metadata


def test_what_is_too_large_or_not_the_runs_own_is_no_artifact(small_settings, monkeypatch, caplog):
    caplog.set_level("INFO")

    def run(**changed: Any) -> set[str]:
        recorder = Recorder()
        monkeypatch.setattr(tracking, "start", lambda *_: recorder)
        finish(dataclasses.replace(small_settings, **changed), [ItemKNN])
        return set(recorder.artifacts)

    assert run() == {"model", "recommendations"}
    assert run(phase="select") == {"recommendations"}, "the model there is the one of the final run"
    assert run(artifact_mb=0) == set()
    monkeypatch.setattr("common.experiments.artifacts.LISTS", ())
    monkeypatch.setattr("common.experiments.artifacts.fits", lambda files, most_mb: not list(files))
    assert run() == {"recommendations"}
    assert "larger than --artifact-mb 100: not kept in W&B as model" in caplog.text
