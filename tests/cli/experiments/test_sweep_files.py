"""Files for `wandb sweep`: they say what the settings say, the stages take their parameters, W&B takes the files."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.cli.experiments.sweep_files import FOLDER, METRIC, OF_STAGE, file_name, main, sweep, text_of
from common.experiments.flags import parse_flags, with_models
from common.experiments.tuning import searchable
from common.models.registry import MODELS, STAGES, stage_of
from common.utils.io import read_json
from common.utils.settings import SearchRange
from tests.cli.experiments.wandb_server import serving
from tests.conftest import ROOT, SMALL
from tests.stages import complaint, stage

SEARCHED = [name for name in MODELS if searchable(MODELS[name].Settings)]


@pytest.mark.parametrize("model", OF_STAGE.values())
def test_the_file_of_a_stage_says_what_the_settings_say(model):
    path = FOLDER / file_name(model)
    assert path.read_text(encoding="utf-8") == text_of(model), "rewrite it: python -m common sweep-files"


def test_every_stage_has_its_file_and_nothing_else_is_there():
    assert list(OF_STAGE) == list(STAGES)
    assert {stage_of(model): model for model in OF_STAGE.values()} == OF_STAGE
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.yaml" for name in STAGES}


def test_a_file_is_written_for_any_model_that_has_something_to_search(tmp_path, capsys):
    main(["--models", "ials", "sasrec", "--protocol", "next", "--folder", str(tmp_path)])
    assert {path.name for path in tmp_path.iterdir()} == {"2_als-ials-next.yaml", "4_sasrec-next.yaml"}
    assert yaml.safe_load((tmp_path / "2_als-ials-next.yaml").read_text()) == sweep("ials", "next")
    assert "2_als-ials-next.yaml" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--models", "popularity"], "--models popularity: it has no settings to search; leave it out"),
        (["--models", "item_nn"], "unknown model 'item_nn': did you mean 'item_knn'"),
        (["--protocol", "nexd"], "unknown protocol 'nexd': did you mean 'next'"),
    ],
)
def test_a_mistake_is_one_sentence(flags, said, tmp_path, capsys):
    assert said in complaint(capsys, main, *flags, "--folder", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def end(wanted: dict[str, Any], place: str) -> Any:
    """The value at one end of what W&B draws a parameter from."""
    return wanted[place] if place in wanted else wanted["values"][0 if place == "min" else -1]


def parsed(model: str, words: list[str]) -> Any:
    """What a stage makes of words on its command line: all of its settings."""
    kinds = {
        name: MODELS[name].Settings for name in STAGES[stage_of(model)] if dataclasses.fields(MODELS[name].Settings)
    }
    module = sys.modules[stage(f"{stage_of(model)}.py").__module__]
    settings: Any = with_models(vars(module)["Settings"], kinds)
    found = parse_flags(settings, words)
    found.check()
    return found


@pytest.mark.parametrize(
    ("model", "place"),
    [(model, place) for model in SEARCHED for place in ("min", "max") if (model, place) != ("ensemble", "min")],
)  # an ensemble whose weights are all 0 is refused
def test_a_stage_takes_the_ends_of_every_range(model, place):
    """As an agent gives them: `--<parameter>=<value>`, after the words of the file."""
    file = sweep(model)
    values = {name: end(wanted, place) for name, wanted in file["parameters"].items()}
    words = [word for word in file["command"] if not word.startswith("$")]
    found = parsed(model, [*words, *(f"--{name}={value}" for name, value in values.items())])
    assert (found.phase, getattr(found, "models", (model,))) == ("select", (model,))
    settings = getattr(found, model)
    assert {f"{model}.{name}" for name in searchable(type(settings))} == set(values)
    for name, tried in searchable(type(settings)).items():
        value, wanted = getattr(settings, name), values[f"{model}.{name}"]
        assert (value, type(value)) == (wanted, type(wanted)), name
        if isinstance(tried, SearchRange):
            assert value == (tried.low if place == "min" else tried.high), name


# The client and the agent themselves


@pytest.fixture
def wandb_command(tmp_path):
    """Runs `wandb` with a key for a server on this machine; skipped where the command is not installed."""
    beside = Path(sys.executable).parent
    program = shutil.which("wandb", path=str(beside)) or shutil.which("wandb")
    if program is None:
        pytest.skip("the wandb command is not here")
    (tmp_path / "home").mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    env |= {"HOME": str(tmp_path / "home"), "WANDB_API_KEY": "k" * 40, "WANDB_DIR": str(tmp_path)}
    env |= {"WANDB_ERROR_REPORTING": "false", "PATH": f"{beside}{os.pathsep}{env['PATH']}"}

    def run(address: str, *words: str) -> str:
        how: dict[str, Any] = {"env": env | {"WANDB_BASE_URL": address}, "cwd": ROOT, "capture_output": True}
        done = subprocess.run([program, *words], **how, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return run


@pytest.mark.thorough
@pytest.mark.parametrize("model", OF_STAGE.values())
def test_wandb_sweep_sends_the_file(model, wandb_command):
    with serving([], {}) as server:
        said = wandb_command(server.address, "sweep", str(FOLDER / file_name(model)))
    assert "wandb agent somebody/encore/sweep123" in said
    assert server.config == sweep(model)


@pytest.mark.thorough
@pytest.mark.parametrize("model", ["item_knn", "sasrec"])
def test_an_agent_runs_the_stage_with_the_parameters_it_is_given(model, wandb_command, small_data_dir, tmp_path):
    """The real client sends the file, the real agent starts the script, and the offline run is read back."""
    file = FOLDER / file_name(model)
    values = {name: end(wanted, "min") for name, wanted in sweep(model)["parameters"].items()}
    data = ["--dataset=synthetic", f"--data-dir={small_data_dir}", f"--output-dir={tmp_path / 'out'}"]
    data += [f"--synthetic.{name}={getattr(SMALL, name)}" for name in ("users", "items", "seed")]
    with serving([*data, "--preset=smoke", "--wandb=offline"], {"run12345": values}) as server:
        wandb_command(server.address, "sweep", str(file))
        wandb_command(server.address, "agent", "somebody/encore/sweep123")
        [tracked] = (tmp_path / "wandb").glob("offline-run-*-run12345")
        shown = json.loads(wandb_command(server.address, "leet", "inspect", "--summary", "--json", str(tracked)))
        records = wandb_command(server.address, "leet", "inspect", "--json", str(tracked)).splitlines()
    assert {"run12345": True} in server.states, "the agent told that it runs"
    [folder] = (tmp_path / "out").rglob("seed0")
    assert shown["exit_code"] == 0
    assert shown["summary"][METRIC] == read_json(folder / "valid" / "metrics.json")["ndcg_10"]
    assert not (folder / "test").exists()
    settings = read_json(folder / "config.json")["settings"]
    for name, value in values.items():
        assert shown["config"][name] == settings[name.split(".")[1]] == value, name
    [run] = [json.loads(record)["run"] for record in records if '"type":"run"' in record.replace(" ", "")]
    assert (run["sweep_id"], run["project"], run["job_type"]) == ("sweep123", "encore", stage_of(model))
