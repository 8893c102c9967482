"""Stages 1 and 2 with --engine spark, from the split to the leaderboard, and what is refused."""

import shutil

import numpy as np
import pytest

from common.cli.experiments import judge
from common.cli.serving import batch_recommend
from common.data.reading.parts import files_of
from common.evaluation.task import split
from common.experiments.run import Run
from common.models import Popularity
from common.splits.store import load_split
from common.utils.io import read_json, read_parquet
from tests.conftest import SMALL
from tests.spark import needs_spark
from tests.stages import complaint, stage

ON_ONE_THREAD = ("--engine", "spark", "--master", "local[1]", "--executor-memory", "600m", "--phase", "select")


def copied(flags, folder):
    """The flags with a data folder of its own, without a split."""
    place = flags.index("--data-dir") + 1
    data = shutil.copytree(flags[place], folder / "data")
    for splits in data.glob("*/splits"):
        shutil.rmtree(splits)
    return [*flags[:place], str(data), *flags[place + 1 :]], data


@pytest.mark.thorough
@needs_spark
def test_popularity_is_the_local_one_and_the_split_has_its_hash(small_flags, small_data, tmp_path, capsys):
    flags, _ = copied(small_flags, tmp_path)
    stage("1_knn_baseline.py")([*flags, *ON_ONE_THREAD])
    run = Run(tmp_path / "out" / small_data.name / "listen" / "popularity" / "tuned-spark" / "seed0")
    record, task = run.results("valid").metrics, split(small_data)
    assert record["split_sha256"] == load_split(small_data, "listen").info["split_sha256"]
    assert (record["engine"].split()[0], record["cores"]) == ("spark", 1)
    own = task.valid.evaluate(Popularity().fit(task.train))
    for name in ("ndcg_10", "recall_20", "coverage_10"):
        assert record[name] == pytest.approx(own.metrics[name])
    columns = ["user_id", "rank", "item_id", "score"]
    theirs, ours = (table[columns].astype(str) for table in (run.results("valid").recommendations, own.recommendations))
    assert theirs.to_numpy().tolist() == ours.to_numpy().tolist()
    said = capsys.readouterr().out
    assert "Engine" in said
    assert "tuned-spark" in said


@pytest.mark.thorough
@needs_spark
def test_als_its_lists_for_everybody_and_the_same_lists_judged(small_flags, small_data, tmp_path):
    own = ("--als.factors", "4", "--als.iterations", "2")
    stage("2_als.py")([*small_flags, *ON_ONE_THREAD, *own])
    [folder] = (tmp_path / "out" / small_data.name / "listen" / "als").glob("tuned-spark-*/seed0")
    record = Run(folder).results("valid").metrics
    assert record["ndcg_10"] > 0
    lists = folder / "spark" / "select" / "lists.parquet"
    judge.main([str(lists), *small_flags, "--part", "valid", "--name", "again"])
    again = read_json(folder.parents[2] / "again" / "outside" / "seed0" / "valid" / "metrics.json")
    assert again["ndcg_10"] == pytest.approx(record["ndcg_10"])

    output = tmp_path / "all" / "lists.parquet"
    batch_recommend.main([*small_flags, *ON_ONE_THREAD[:-2], "--run", str(folder), "--output", str(output), "-k", "5"])
    table = np.concatenate([read_parquet(part).to_numpy() for part in files_of(output)])
    train = split(small_data).train
    assert set(table[:, 0]) == set(train.users["user_id"])
    assert len(table) == 5 * SMALL.users
    best = {(user, item) for user, rank, item, _ in table if rank == 1}
    assert best & {(user, item) for user, rank, item, _ in read_lists(lists) if rank == 1}


def read_lists(folder):
    return np.concatenate([read_parquet(part).to_numpy() for part in files_of(folder)])


@pytest.mark.parametrize(
    ("file", "flags", "said"),
    [
        ("2_als.py", ("--models", "ease"), "--engine spark has no ease: name popularity or als"),
        ("2_als.py", ("--tune", "3"), "--tune searches with the local engine alone"),
        ("1_knn_baseline.py", ("--executor-memory", "lots"), "--executor-memory 'lots': give whole m or g"),
    ],
)
def test_what_a_cluster_cannot_do(file, flags, said, small_flags, capsys):
    assert said in complaint(capsys, stage(file), *small_flags, "--engine", "spark", *flags)


def test_flags_of_a_cluster_without_it(small_flags, capsys):
    said = complaint(capsys, stage("2_als.py"), *small_flags, "--master", "local[1]")
    assert "are for --engine spark" in said
