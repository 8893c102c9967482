"""Lists of any other program on our leaderboard: checked, counted, and measured as our own."""

import math
from typing import Any

import pandas as pd
import pytest

from common.cli.experiments.judge import main
from common.data.sources.registry import SYNTHETIC
from common.experiments.run import OUTSIDE, Run
from common.experiments.settings import ModelSettings
from common.models.baselines import Popularity
from common.models.knn.item_knn import ItemKNN
from common.splits.train_view import load_train_view
from common.utils.io import read_json, read_parquet
from tests.conftest import SMALL
from tests.evaluation.outside.worlds import small_split, written
from tests.runs import finish
from tests.stages import complaint

COSTS = ("_seconds", "ms_per_user", "_mb", "sampled99")


@pytest.fixture
def small(tmp_path):
    """Flags of a split of two users: d and e of anna are held out, f of ben."""
    small_split(tmp_path / "mine")
    flags = ["--dataset", str(tmp_path / "mine"), "--data-dir", str(tmp_path / "data")]
    return [*flags, "--output-dir", str(tmp_path / "out"), "--wandb", "disabled"]


def run_of(tmp_path, name):
    [run] = (tmp_path / "out").glob(f"*/listen/{name}/{OUTSIDE}/seed0")
    return run


def test_the_metrics_are_those_computed_by_hand(small, tmp_path, capsys):
    lists = written(tmp_path / "theirs.csv", "user_id,item_id,rank anna,f,1 anna,d,2 anna,e,3 ben,e,1 ben,f,2")
    main([str(lists), *small])
    record = read_json(run_of(tmp_path, "theirs") / "test" / "metrics.json")
    second, third = 1 / math.log2(3), 1 / math.log2(4)
    anna, ben = (second + third) / (1 + second), second  # ideal: d and e first; f first
    assert record["ndcg_10"] == pytest.approx((anna + ben) / 2)
    assert record["recall_20"] == 1
    assert record["precision_5"] == pytest.approx((2 / 5 + 1 / 5) / 2)
    assert record["mrr_10"] == pytest.approx(1 / 2)
    assert not [key for key in record if "sampled99" in key], "lists do not tell of negatives"
    said = capsys.readouterr().out
    assert "2 lists of fewer than 20 items" in said
    assert "theirs" in said.split("leaderboard")[-1]


def test_a_user_without_a_list_counts_as_a_miss(small, tmp_path, capsys):
    main([str(written(tmp_path / "half.csv", "user_id,item_id,score anna,d,2 anna,e,1")), *small])
    record = read_json(run_of(tmp_path, "half") / "test" / "metrics.json")
    assert record["ndcg_10"] == pytest.approx(0.5)
    assert "1 evaluated users without a list, who count as misses (first: user 'ben')" in capsys.readouterr().out
    config = read_json(run_of(tmp_path, "half") / "config.json")
    assert config["settings"]["found"] == {"missing": 1, "short": 1}


@pytest.fixture(scope="module")
def ran(small_data_dir, tmp_path_factory):
    """Runs of item kNN on listen and of popularity on newcomer, made once."""
    out = tmp_path_factory.mktemp("judge") / "out"
    flags = {"dataset": SYNTHETIC, "synthetic": SMALL, "data_dir": small_data_dir, "output_dir": out}
    finish(ModelSettings(**flags, wandb="disabled"), [ItemKNN])
    finish(ModelSettings(**flags, wandb="disabled", protocol="newcomer"), [Popularity])
    return out


@pytest.mark.parametrize(("protocol", "model"), [("listen", "item_knn"), ("newcomer", "popularity")])
def test_our_own_lists_get_our_own_figures(ran, small_flags, small_data, tmp_path, protocol, model):
    own = ran / small_data.name / protocol / model / "tuned" / "seed0"
    for part in ("valid", "test"):
        lists = str(own / part / "recommendations.parquet")
        flags = [*small_flags, "--protocol", protocol, "--part", part, "--name", "again"]
        main([lists, *flags])
        run = Run(tmp_path / "out" / small_data.name / protocol / "again" / OUTSIDE / "seed0")
        record, expected = run.results(part).metrics, read_json(own / part / "metrics.json")
        assert record["model"], record["stage"] == ("again", OUTSIDE)
        for key, value in expected.items():
            if isinstance(value, float) and not any(mark in key for mark in COSTS):
                assert record[key] == pytest.approx(value, abs=1e-12), key
        mine, other = (read_parquet(of / part / "recommendations.parquet") for of in (own, run.folder))
        assert mine["item_id"].astype(str).tolist() == other["item_id"].astype(str).tolist()
    board = pd.read_csv(run.split_folder / "leaderboard.csv")
    assert board[["model", "preset", "stage"]].to_numpy().tolist() == [["again", OUTSIDE, OUTSIDE]]


def test_a_row_stands_beside_our_models_and_says_that_it_is_from_outside(ran, small_flags, small_data, tmp_path):
    own = ran / small_data.name / "listen" / "item_knn" / "tuned" / "seed0" / "test" / "recommendations.parquet"
    flags = [*small_flags, "--output-dir", str(ran)]
    main([str(own), *flags, "--name", "theirs"])
    board: Any = pd.read_csv(ran / small_data.name / "listen" / "leaderboard.csv").set_index("model")
    assert board.loc["theirs", "ndcg_10"] == board.loc["item_knn", "ndcg_10"]
    assert pd.isna(board.loc["theirs", "valid_ndcg_10"])
    page = (ran / small_data.name / "listen" / "leaderboard.md").read_text()
    assert "outside: lists that another program has made" in page
    assert any("| theirs | outside | - |" in line for line in page.splitlines())


def test_faults_end_the_command_with_all_counts_and_are_left_out_where_that_is_asked(small, tmp_path, capsys):
    text = "user_id,item_id,rank anna,d,1 anna,a,2 anna,d,3 nobody,e,1 anna,e,4 ben,qqq,1 ben,f,2"
    lists = str(written(tmp_path / "odd.csv", text))
    said = complaint(capsys, main, lists, *small)
    for words in (
        "1 rows of users whom",
        "1 rows of items outside",
        "1 rows that repeat",
        "1 rows of items that the user had",
    ):
        assert words in said
    assert "--faulty drop" in said
    assert not (tmp_path / "out").exists(), "nothing is written"
    main([lists, *small, "--faulty", "drop"])
    record = read_json(run_of(tmp_path, "odd") / "test" / "metrics.json")
    assert record["ndcg_10"] == 1, "what is left moves up: d, e of anna and f of ben"
    out = capsys.readouterr().out
    assert out.count("left out: ") == 4
    found = read_json(run_of(tmp_path, "odd") / "config.json")["settings"]["found"]
    assert {key: found[key] for key in ("strangers", "unknown_items", "repeats", "seen")} == dict.fromkeys(
        ("strangers", "unknown_items", "repeats", "seen"), 1
    )


def test_mistakes_end_in_one_sentence(small, small_flags, small_data, tmp_path, capsys):
    train = load_train_view(small_data, "listen", "final")
    rows = [f"{user},{train.items['item_id'].iloc[0]},1" for user in train.users["user_id"]]
    other = str(written(tmp_path / "other.csv", " ".join(["user_id,item_id,rank", *rows])))
    assert "are of another catalogue" in complaint(capsys, main, other, *small)
    assert "no column given" in complaint(capsys, main, other, *small_flags, "--protocol", "newcomer")
    assert "is missing" in complaint(capsys, main, str(tmp_path / "none.parquet"), *small)
    assert "give a file that ends in" in complaint(capsys, main, "lists.xlsx", *small)
    assert "--name '../x'" in complaint(capsys, main, other, *small, "--name", "../x")
    assert "unknown protocol" in complaint(capsys, main, other, *small, "--protocol", "lissten")
    nan = str(written(tmp_path / "nan.csv", "user_id,item_id,score anna,d,NaN anna,e,1"))
    assert "1 rows without a score" in complaint(capsys, main, nan, *small)
