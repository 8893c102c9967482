"""The command that prints the core metrics of runs and writes their files."""

import pytest

from common.cli import core_metrics
from common.data.sources.registry import SYNTHETIC
from common.evaluation.registry import CORE
from common.experiments.settings import ModelSettings
from common.models.baselines import Popularity
from common.models.knn.item_knn import ItemKNN
from common.models.linear.ease import EASE
from common.utils.io import read_json
from tests.conftest import ROOT, SMALL
from tests.runs import finish, rewrite
from tests.stages import complaint


@pytest.fixture
def ran(small_data_dir, small_data, tmp_path):
    """The folder of a protocol with two finished runs, and one that has not opened test."""
    flags = {"dataset": SYNTHETIC, "synthetic": SMALL, "data_dir": small_data_dir, "wandb": "disabled"}
    finish(ModelSettings(**flags, output_dir=tmp_path), [Popularity, ItemKNN])
    finish(ModelSettings(**flags, output_dir=tmp_path, phase="select"), [EASE])
    return tmp_path / small_data.name / "listen"


def test_a_run_leaves_its_core_metrics_and_the_command_prints_them(ran, capsys):
    record = read_json(ran / "item_knn" / "tuned" / "seed0" / "test" / "metrics.json")
    left = read_json(ran / "item_knn" / "tuned" / "seed0" / "measures.json")
    assert left["test"]["ndcg"] == record["ndcg_10"]
    assert set(left["valid"]) == set(CORE)
    (ran / "item_knn" / "tuned" / "seed0" / "measures.json").unlink()
    core_metrics.main(["popularity", "item_knn", "--output-dir", str(ran.parents[1])])
    said = capsys.readouterr().out
    assert read_json(ran / "item_knn" / "tuned" / "seed0" / "measures.json") == left
    assert f"{100 * record['ndcg_10']:.2f}" in said
    assert "test, first 10 places" in said
    assert max(map(len, said.splitlines()[:5])) <= 80


def test_without_names_it_is_all_runs_on_the_part_that_all_have(ran, capsys):
    core_metrics.main(["--output-dir", str(ran.parents[1])])
    said = capsys.readouterr().out
    assert "validation, first 10 places" in said
    assert all(name in said for name in ("popularity", "item_knn", "ease"))


def test_what_is_odd_is_found_beside_all_runs_of_the_split(ran, capsys):
    path = ran / "item_knn" / "tuned" / "seed0" / "test" / "metrics.json"
    rewrite(path, ndcg_10=0.9, serendipity_10=0.0)
    core_metrics.main(["item_knn", "--output-dir", str(ran.parents[1])])
    said = capsys.readouterr().out
    assert "item_knn: ndcg: more than twice" in said
    assert "item_knn: serendipity: no hit" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["item_knm"], "'item_knm' is no run"),
        (["--protocol", "lisen"], "no results under"),
        (["--part", "tset"], "tset"),
        (["ease", "--part", "test"], "has no results on test"),
    ],
)
def test_mistakes_are_said_in_a_sentence(ran, capsys, words, message):
    assert message in complaint(capsys, core_metrics.main, *words, "--output-dir", str(ran.parents[1]))


def test_the_page_explains_each_core_metric():
    page = (ROOT / "docs" / "core-metrics.md").read_text(encoding="utf-8")
    for name in CORE:
        [_, section] = page.lower().split(f"\n### {name.replace('_', ' ')}\n")
        section = section.split("\n##")[0]
        for mark in ("**good**", "**suspicious**", "**trades against**"):
            assert mark in section, f"{name}: {mark}"
