"""The model of docs/adding-a-model.md works as it stands there: contract tests, a stage, tuning, the leaderboard."""

import re
import sys
from types import ModuleType
from typing import Any

import pytest

from common.experiments.experiment import Experiment
from common.models import registry
from common.reporting.leaderboard import leaderboard
from common.splits.store import load_split
from tests.conftest import ROOT
from tests.models.contract_tests import ContractTests
from tests.stages import stage

PAGE = (ROOT / "docs" / "adding-a-model.md").read_text(encoding="utf-8")
MODEL, TEST = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
ENTRY = registry.Entry(*re.findall(r'"(\w+)"', re.findall(r"^    Entry\((.*)\),$", PAGE, flags=re.MULTILINE)[0]))
NAME = "common.models.bigram"


def module_of(code: str, name: str) -> ModuleType:
    """A module made from the code on the page."""
    module = ModuleType(name)
    sys.modules[name] = module
    exec(compile(code, name, "exec"), module.__dict__)
    return module


bigram = module_of(MODEL, NAME)
TestBigram: type[ContractTests] = module_of(TEST, "tests.models.test_bigram").TestBigram


@pytest.fixture
def stage_1(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stage 1 as it starts once the page's line stands in the registry."""
    main = stage("1_knn_baseline.py")
    monkeypatch.setitem(sys.modules, main.__module__, sys.modules[main.__module__])  # the script is run anew below
    monkeypatch.setitem(registry.MODELS.data, "bigram", ENTRY)
    monkeypatch.setitem(registry.STAGES, ENTRY.stage, (*registry.STAGES[ENTRY.stage], "bigram"))
    return stage.__wrapped__("1_knn_baseline.py")


def test_the_class_is_about_forty_lines():
    code = MODEL.split("@dataclass")[1]
    assert len([line for line in code.splitlines() if line.strip()]) <= 45


def test_a_stage_trains_it_and_the_leaderboard_shows_it(stage_1, small_settings, small_flags, small_data):
    stage_1(["--models", "popularity", "bigram", "--protocol", "next", "--bigram.window", "3", *small_flags])
    folder = small_settings.output_dir / small_data.name / "next"
    rows = leaderboard(folder, load_split(small_data, "next").info["split_sha256"])
    ndcg = rows.groupby("model")["ndcg_10"].first()
    assert set(ndcg.index) == {"popularity", "bigram"}
    assert registry.MODELS["bigram"] is bigram.Bigram
    assert ndcg["bigram"] > 0


def test_it_can_be_tuned(stage_1, small_settings, small_flags, small_data, tmp_path, monkeypatch):
    monkeypatch.setattr(Experiment.tune, "__defaults__", (tmp_path,))  # where the best settings are written
    stage_1(["--models", "bigram", "--tune", "2", "--phase", "select", "--protocol", "next", *small_flags])
    study = small_settings.output_dir / small_data.name / "next" / "bigram" / "study.jsonl"
    assert {"window", "decay"} <= set(re.findall(r"window|decay", study.read_text(encoding="utf-8")))
    assert "[tuned.bigram.next]" in (tmp_path / f"{small_data.presets}.toml").read_text(encoding="utf-8")
