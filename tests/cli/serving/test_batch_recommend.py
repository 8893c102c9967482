"""Lists for many people at once: those of the model, in batches, into one file that is whole."""

import numpy as np
import pandas as pd
import pytest

from common.cli.serving import batch_recommend
from common.models.neural.two_tower.model import TwoTower
from common.splits.train_view import load_train_view
from common.utils.io import read_json, read_parquet
from tests.conftest import SMALL
from tests.runs import rewrite
from tests.stages import complaint, stage
from tests.stages.test_5_two_tower import QUICK


@pytest.fixture(scope="module")
def trained(tmp_path_factory, small_data, small_data_dir):
    """Flags and run folder of a small model, trained once."""
    out = tmp_path_factory.mktemp("out")
    flags = ["--dataset", "synthetic", "--synthetic.users", str(SMALL.users), "--synthetic.items", str(SMALL.items)]
    flags += ["--synthetic.seed", str(SMALL.seed)]
    flags += ["--data-dir", str(small_data_dir), "--output-dir", str(out), "--wandb", "disabled"]
    stage("5_two_tower.py")([*flags, *QUICK])
    [run] = (out / small_data.name / "listen").glob("two_tower/*/seed0")
    return [*flags, "--run", str(run)], run


def test_everybody_gets_the_list_that_the_stage_has_written(trained, tmp_path, capsys):
    flags, run = trained
    output = tmp_path / "lists.parquet"
    batch_recommend.main([*flags, "-k", "20", "--batch", "7", "--output", str(output)])
    assert "1,200 rows" in capsys.readouterr().out
    found, wanted = pd.read_parquet(output), read_parquet(run / "test" / "recommendations.parquet")
    assert found["user_id"].nunique() == 60
    wanted = wanted[wanted["rank"] <= 20]
    joined = found.merge(wanted.astype({"user_id": "str", "item_id": "str"}), on=["user_id", "rank"])
    assert len(joined) == len(wanted)
    np.testing.assert_allclose(joined["score_x"], joined["score_y"], rtol=1e-4, atol=1e-5)
    assert (joined["item_id_x"] == joined["item_id_y"]).mean() > 0.99


def test_people_from_a_file_get_lists_of_new_items(trained, small_data, tmp_path, capsys):
    flags, run = trained
    train = load_train_view(small_data, "listen", "final")
    ids = train.items["item_id"].tolist()
    table = pd.DataFrame({"user_id": ["b", "a", "b", "b", "c"], "item_id": [ids[4], ids[9], ids[4], ids[2], "nothing"]})
    table.to_csv(tmp_path / "people.csv", index=False)
    output = tmp_path / "lists.parquet"
    asked = ["--histories", str(tmp_path / "people.csv"), "-k", str(10**6), "--output", str(output)]
    batch_recommend.main([*flags, *asked])
    assert "1 of 5 rows name items outside the catalogue" in capsys.readouterr().out
    found = pd.read_parquet(output)
    model = TwoTower.load(run / "model")
    for user, history in (("a", [9]), ("b", [4, 2]), ("c", [])):
        own = found[found["user_id"] == user]
        scores = model.fold_in([history])[0]
        scores[history] = -np.inf
        assert len(own) == len(ids) - len(history)
        assert own["item_id"].iloc[0] == ids[int(scores.argmax())]
        assert set(own["item_id"]) == set(ids) - {ids[item] for item in history}


def test_a_run_that_stopped_before_test_serves_what_it_was_fitted_on(trained, tmp_path, capsys):
    flags, run = trained
    flags, output = flags[:-2], tmp_path / "lists.parquet"
    flags[flags.index("--output-dir") + 1] = str(tmp_path / "out")
    flags += ["--protocol", "newcomer"]
    stage("5_two_tower.py")([*flags, *QUICK, "--phase", "select"])
    [run] = (tmp_path / "out").glob("*/newcomer/two_tower/*/seed0")
    own = [*flags[:-2], "--run", str(run), "--output", str(output), "-k", "3"]
    batch_recommend.main(own)
    shown = read_json(run / "valid" / "metrics.json")
    assert shown["phase"] == "select"
    assert pd.read_parquet(output)["user_id"].nunique() == 48


def test_a_run_on_other_data_or_another_split_is_refused(trained, tmp_path, capsys):
    """The catalogue is the same and so is the number of people, but codes may stand for others."""
    flags, run = trained
    config = read_json(run / "config.json")
    for name in ("data_sha256", "split_sha256"):
        rewrite(run / "config.json", **{name: "other"})
        said = complaint(capsys, batch_recommend.main, *flags, "--output", str(tmp_path / "lists.parquet"))
        assert "was fitted on other data" in said
        assert "run 5_two_tower.py again" in said
        rewrite(run / "config.json", **{name: config[name]})


def test_mistakes_are_told_in_a_sentence_and_the_former_file_stays(trained, small_data, tmp_path, capsys):
    flags, run = trained
    output = tmp_path / "lists.parquet"
    output.write_text("former")
    people = tmp_path / "people.csv"
    people.write_text("user_id,item_id\nx,nothing\n")
    flags, main = [*flags, "--output", str(output)], batch_recommend.main
    assert "-k 0: give 1 to 1,000,000" in complaint(capsys, main, *flags, "-k", "0")
    assert "--batch 0: give 1 to 1,000,000" in complaint(capsys, main, *flags, "--batch", "0")
    assert "not one item_id" in complaint(capsys, main, *flags, "--histories", str(people))
    assert "give a file that ends in" in complaint(capsys, main, *flags, "--histories", str(tmp_path / "x.txt"))
    assert "written as parquet" in complaint(capsys, main, *flags[:-2], "--output", str(tmp_path / "lists.csv"))
    nowhere = [flag if flag != str(run) else str(tmp_path / "nowhere") for flag in flags]
    assert "cannot read" in complaint(capsys, main, *nowhere)
    (run / "index" / "index.json").rename(run / "index" / "away.json")
    assert "index.json is missing; run its stage again" in complaint(capsys, main, *flags)
    (run / "index" / "away.json").rename(run / "index" / "index.json")
    people.write_text("user_id,item_id\nx,\n")
    assert "column item_id: nothing is no id" in complaint(capsys, main, *flags, "--histories", str(people))
    assert output.read_text() == "former"
