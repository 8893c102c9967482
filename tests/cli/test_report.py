import json
import re

import numpy as np
import pandas as pd
import pytest

from common.cli.report import main
from common.utils.io import read_json, write_json
from tests.runs import moved
from tests.stages import complaint, stage


@pytest.fixture
def ran(small_flags, small_data, tmp_path, capsys):
    """The folder of a leaderboard, after a run."""
    stage("1_knn_baseline.py")([*small_flags, "--models", "popularity", "item_knn"])
    capsys.readouterr()
    return tmp_path / "out" / small_data.name / "listen"


def test_leaderboards_are_written_and_printed(ran, small_flags, capsys):
    compared = [ran / "figures" / f"{name}.png" for name in ("metrics_by_k", "precision_recall", "popularity")]
    for path in (*ran.glob("leaderboard.*"), *compared):
        path.unlink()
    main(small_flags)
    assert all(path.exists() for path in compared), "what a stage draws of all rows, the report draws anew"
    assert {path.name for path in ran.glob("leaderboard.*")} == {
        f"leaderboard.{kind}" for kind in ("csv", "json", "md")
    }
    table = pd.read_csv(ran / "leaderboard.csv").set_index("model")
    content = json.loads((ran / "leaderboard.json").read_text())
    assert [row["model"] for row in content["rows"]] == list(table.index) == ["popularity", "item_knn"]
    for model in table.index:
        folder = ran / model / "tuned" / "seed0"
        assert table.loc[model, "ndcg_10"] == read_json(folder / "test" / "metrics.json")["ndcg_10"]
        assert table.loc[model, "valid_ndcg_10"] == read_json(folder / "valid" / "metrics.json")["ndcg_10"]
    said = capsys.readouterr().out
    assert ran.parent.name in said
    assert "item_knn" in said


def test_the_block_of_a_page_is_filled_and_the_rest_left_alone(ran, small_data, small_flags, tmp_path):
    page = tmp_path / "README.md"
    head = f"# Title\n<!-- leaderboard {small_data.name} listen -->\n"
    tail = "<!-- end -->\nbetween\n<!-- leaderboard lastfm-2k listen -->of other data<!-- end -->\n"
    page.write_text(f"{head}old\n{tail}")
    for _ in range(2):  # writing it again changes nothing
        main([*small_flags, "--readme", str(page)])
        text = page.read_text()
        assert text.startswith(head)
        assert text.endswith(tail)
        assert "old" not in text
        assert text.count("| item_knn | tuned |") == 1
    best = f"{read_json(ran / 'item_knn' / 'tuned' / 'seed0' / 'test' / 'metrics.json')['ndcg_10']:.4f}"
    assert f"**{best}**" in page.read_text()


def test_items_apart_and_the_ladder_fill_their_blocks(ran, small_data, small_flags, tmp_path):
    stage("1_knn_baseline.py")([*small_flags, "--models", "popularity", "--protocol", "newcomer"])
    page, name = tmp_path / "README.md", small_data.name
    blocks = [f"leaderboard {name} listen", f"unseen {name} listen", f"ladder {name} listen", f"ladder {name} newcomer"]
    page.write_text("\n".join(f"<!-- {block} -->old<!-- end -->" for block in blocks))
    main([*small_flags, "--readme", str(page)])
    _, unseen, other, cold_start_rows = page.read_text().split("<!-- end -->\n")
    metrics = read_json(ran / "item_knn" / "tuned" / "seed0" / "test" / "metrics.json")
    [row] = [line for line in unseen.splitlines() if line.startswith("| item_knn")]
    assert f"| {metrics['recall_100']:.4f} |" in row
    assert f"| {metrics['hr_5_sampled99_seen']:.4f} |" in row
    assert "old" in other, "only newcomers climb a ladder"
    given = read_json(ran.parent / "newcomer" / "popularity" / "tuned" / "seed0" / "test" / "metrics.json")
    steps = " | ".join(f"{given[f'ndcg_10_given{rung}']:.4f}" for rung in (0, 1, 2, 5, 10, 20))
    assert f"| popularity | {steps} |" in cold_start_rows


def test_no_results_and_no_page_are_the_users_to_mend(small_flags, tmp_path, capsys):
    assert "no results under" in complaint(capsys, main, *small_flags)
    missing = str(tmp_path / "missing.md")
    assert missing in complaint(capsys, main, *small_flags, "--readme", missing)


def test_runs_on_another_split_are_left_out_and_said_to_be(ran, small_flags, capsys):
    path = ran / "popularity" / "tuned" / "seed0"
    for part in ("valid", "test"):
        record = read_json(path / part / "metrics.json")
        (path / part / "metrics.json").write_text(json.dumps(record | {"split_sha256": "0" * 64}))
    main(small_flags)
    assert capsys.readouterr().out.count("left out") == 2, "once for validation, once for test"
    assert "popularity" not in (ran / "leaderboard.md").read_text()


def test_a_page_without_a_place_for_these_tables_is_refused(ran, small_flags, tmp_path, capsys):
    page = tmp_path / "README.md"
    page.write_text("no markers\n")
    assert "has no line <!-- leaderboard" in complaint(capsys, main, *small_flags, "--readme", str(page))
    assert page.read_text() == "no markers\n"


@pytest.mark.thorough
def test_tables_beside_the_leaderboard_are_filled_from_what_runs_wrote(small_flags, small_data, tmp_path, capsys):
    quick = ["--als.factors", "8", "--als.iterations", "5"]
    for seed in ("0", "1", "2"):
        stage("2_als.py")([*small_flags, *quick, "--models", "als", "ease", "--split-seed", seed])
    folder = tmp_path / "out" / small_data.name
    for run in folder.glob("listen*/als/tuned-*"):
        run.rename(run.parent / "tuned")
        moved(run.parent / "tuned" / "seed0", preset="tuned")
    flags = [*small_flags, "--models", "forest", "--phase", "final", "--no-importance", "--ablation"]
    stage("3_random_forest_rank.py")([*flags, "--forest.trees", "5"])
    [run] = (folder / "listen" / "forest").glob("tuned-*")
    run.rename(run.parent / "tuned")
    moved(run.parent / "tuned" / "seed0", preset="tuned")
    for seed in ("0", "1"):
        stage("1_knn_baseline.py")([*small_flags, "--models", "random", "--seed", seed])
    kinds = ("splits", "seeds", "ablation", "plays", "leaderboard")
    page = tmp_path / "README.md"
    page.write_text("".join(f"<!-- {kind} {small_data.name} listen -->{kind} old<!-- end -->\n" for kind in kinds))
    main([*small_flags, "--readme", str(page)])
    text = page.read_text()
    assert "old" not in text
    values = [read_json(folder / f"listen-s{s}" / "ease/tuned/seed0/test/metrics.json")["ndcg_10"] for s in (1, 2)]
    assert f"| ease | tuned | {values[0]:.4f} | {values[1]:.4f} | {sum(values) / 2:.4f} |" in text
    assert re.search(r"\| als \| tuned \|.* \+0.0% \|", text)
    assert "forest" not in text.split("<!-- end -->")[0], "only rows that all of these splits have"
    assert "| without tags |" in text
    record = read_json(folder / "listen/forest/tuned/seed0/test/metrics.json")
    assert f"| {record['plays_rmse']:.4f} |" in text
    assert f"| means of user and item |  | {record['plays_reference_rmse']:.4f} |" in text
    found = [read_json(folder / f"listen/random/tuned/seed{seed}/test/metrics.json")["hr_10"] for seed in (0, 1)]
    mean, spread = np.mean(found), np.std(found, ddof=1)
    assert re.search(rf"\| random \| tuned \| 2 \| .*\| {mean:.4f} ± {spread:.4f} \|", text)
    assert "| ease | tuned | 1 |" not in text, "one seed has no spread"


@pytest.mark.parametrize("content", [[], {"ndcg_10": "much", "split_sha256": "x"}])
def test_a_damaged_run_is_named_and_blocks_no_other(ran, small_flags, capsys, content):
    """One run's record is JSON of another shape: the report and the stage of a sound model go on."""
    write_json(ran / "item_knn/tuned/seed0/test/metrics.json", content)
    main(small_flags)
    ndcg = pd.read_csv(ran / "leaderboard.csv").set_index("model")["ndcg_10"]
    assert ndcg["popularity"] > 0
    assert np.isnan(ndcg["item_knn"])
    said = capsys.readouterr().out
    assert said.count("item_knn/tuned/seed0/test/metrics.json has") == 1
    assert "run its stage again with --resume, which makes this run anew" in said
    stage("1_knn_baseline.py")([*small_flags, "--models", "popularity"])
    stage("1_knn_baseline.py")([*small_flags, "--models", "item_knn", "--resume"])
    assert read_json(ran / "item_knn/tuned/seed0/test/metrics.json")["ndcg_10"] > 0
    assert pd.read_csv(ran / "leaderboard.csv")["ndcg_10"].notna().all()
