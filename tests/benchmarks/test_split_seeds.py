"""A row against others on several splits: means, differences of users, and what is missing."""

import numpy as np
import pytest

from benchmarks.split_seeds import main
from common.evaluation.statistics import bootstrap_interval
from common.experiments.outputs import Outputs
from common.experiments.run import Run
from tests.runs import moved
from tests.stages import complaint, stage

SEEDS = ("21", "22")


@pytest.fixture
def ran(small_flags, small_data, tmp_path, capsys):
    """Flags of the command, after runs on two split seeds."""
    for seed in SEEDS:
        stage("1_knn_baseline.py")([*small_flags, "--models", "popularity", "item_knn", "--split-seed", seed])
    capsys.readouterr()
    return ["--output-dir", str(tmp_path / "out"), "--dataset", small_data.name]


def test_means_and_differences_over_splits_fill_a_page(ran, small_data, tmp_path, capsys):
    page = tmp_path / "page.md"
    marker = f"<!-- split-seeds {small_data.name} listen item_knn/tuned -->"
    page.write_text(f"before\n{marker}\nold\n<!-- end -->\nafter\n")
    main(["item_knn", "popularity", *ran, "--seeds", *SEEDS, "--metrics", "ndcg_10", "--page", str(page)])
    text = page.read_text()
    assert text.startswith(f"before\n{marker}\n| Metric |")
    assert text.endswith("<!-- end -->\nafter\n")
    assert "old" not in text
    outputs = Outputs(tmp_path / "out")
    found = {
        model: [outputs.find(model, small_data.name, f"listen-s{seed}").results("test") for seed in SEEDS]
        for model in ("item_knn", "popularity")
    }
    means = {model: [one.metrics["ndcg_10"] for one in results] for model, results in found.items()}
    for model, of_splits in means.items():
        cells = " | ".join(f"{value:.4f}" for value in (*of_splits, np.mean(of_splits)))
        assert f"| NDCG@10 | {model} | tuned | {cells} |" in text
    gains = np.subtract(means["item_knn"], means["popularity"])
    [row] = [line for line in text.splitlines() if "popularity, tuned" in line]
    assert f"| {gains.mean():+.4f} | {100 * gains.mean() / np.mean(means['popularity']):+.1f}% |" in row
    assert f"| {gains.min():+.4f} (" in row
    assert f", seed {SEEDS[int(gains.argmin())]} |" in row
    assert text.split("-->\n")[1].split("<!--")[0].strip() in capsys.readouterr().out


def test_of_several_seeds_of_the_models_the_mean_counts(small_flags, small_data, tmp_path, capsys):
    for seed in ("0", "1"):
        run = stage("1_knn_baseline.py")
        run([*small_flags, "--models", "random", "popularity", "--split-seed", "21", "--seed", seed])
    flags = ["random", "popularity", "--output-dir", str(tmp_path / "out"), "--dataset", small_data.name]
    flags += ["--seeds", "21", "--metrics", "ndcg_10"]
    main([*flags, "--model-seeds", "0", "1"])
    folder = tmp_path / "out" / small_data.name / "listen-s21"
    of_random, of_popularity = (
        [Run(folder / model / "tuned" / f"seed{seed}").results("test") for seed in (0, 1)]
        for model in ("random", "popularity")
    )
    numbers = [one.metrics["ndcg_10"] for one in of_random]
    assert numbers[0] != numbers[1]
    said = capsys.readouterr().out
    assert f"| NDCG@10 | random | tuned | {np.mean(numbers):.4f} |" in said
    of_users = sum(one.by_user["ndcg_10"] for one in of_random) / 2 - of_popularity[0].by_user["ndcg_10"]
    assert f"| NDCG@10 | popularity, tuned | {of_users.mean():+.4f} |" in said
    low, high = bootstrap_interval(of_users.to_numpy())
    assert f"| {low:+.4f} to {high:+.4f} |" in said
    assert "seed2" in complaint(capsys, main, *flags, "--model-seeds", "0", "2")
    assert "--model-seeds" in complaint(capsys, main, *flags, "--model-seeds", "1", "1")


def test_what_is_missing_is_named(ran, capsys):
    assert "at least one other" in complaint(capsys, main, "item_knn", *ran, "--seeds", *SEEDS)
    assert "twice" in complaint(capsys, main, "item_knn", "item_knn", *ran, "--seeds", *SEEDS)
    assert "--seeds" in complaint(capsys, main, "item_knn", "popularity", *ran, "--seeds", "21", "21")
    assert "--part" in complaint(capsys, main, "item_knn", "popularity", *ran, "--seeds", "21", "--part", "tset")
    said = complaint(capsys, main, "item_knn", "popularity", *ran, "--seeds", *SEEDS, "23")
    assert "listen-s23" in said
    said = complaint(capsys, main, "item_knn", "popularity", *ran, "--seeds", *SEEDS, "--metrics", "coverage_10")
    assert "'coverage_10'" in said


def test_a_row_on_another_drawing_of_a_split_and_a_file_cut_off_are_refused(ran, small_data, tmp_path, capsys):
    folder = tmp_path / "out" / small_data.name / "listen-s22" / "popularity" / "tuned" / "seed0"
    moved(folder, split_sha256="0" * 64)
    assert "different splits" in complaint(capsys, main, "item_knn", "popularity", *ran, "--seeds", *SEEDS)
    path = folder / "test" / "per_user.parquet"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "per_user.parquet" in complaint(capsys, main, "item_knn", "popularity", *ran, "--seeds", *SEEDS)
