import json
import re
import shutil

import pytest

from common.cli.sensitivity import main
from common.data.sources.registry import SYNTHETIC
from common.experiments.run import Run
from common.experiments.settings import ModelSettings
from common.models import ItemKNN, Popularity
from common.reporting.sensitivity_page import BLOCKS
from common.utils.io import read_json, read_parquet, write_parquet
from tests.conftest import SMALL
from tests.runs import finish, rewrite
from tests.stages import complaint

MODELS = ["--models", "popularity", "item_knn"]


@pytest.fixture(scope="module")
def trained(small_data_dir, tmp_path_factory):
    """An `--output-dir` with two models on `listen` and `next`."""
    folder = tmp_path_factory.mktemp("out")
    for protocol in ("listen", "next"):
        settings = ModelSettings(
            dataset=SYNTHETIC,
            synthetic=SMALL,
            data_dir=small_data_dir,
            output_dir=folder,
            wandb="disabled",
            protocol=protocol,
        )
        finish(settings, [Popularity, ItemKNN])
    return folder


@pytest.fixture
def ran(trained, small_data, tmp_path):
    """The results of these runs, in the test's own folder."""
    shutil.copytree(trained, tmp_path / "out")
    return tmp_path / "out" / small_data.name


@pytest.mark.rendered
def test_every_variant_is_printed_drawn_and_written(ran, small_flags, capsys):
    main([*small_flags, *MODELS])
    said = capsys.readouterr().out
    assert (ran / "figures" / "xray.png").stat().st_size > 10_000
    content = read_json(ran / "xray.json")
    rows = {(v["protocol"], v["model"], v["hidden"], v["candidates"], v["ties"]): v for v in content["values"]}
    for model in ("popularity", "item_knn"):
        record = read_json(ran / "listen" / model / "tuned" / "seed0" / "test" / "metrics.json")
        own = rows["listen", model, "every", "all", "hash"]
        assert own["ndcg_10"] == pytest.approx(record["ndcg_10"])
        assert rows["listen", model, "every", "uniform", "hash"]["hr_10"] == pytest.approx(record["hr_10_sampled99"])
        assert re.search(rf"{model} +{record['ndcg_10']:.4f}", said)
    assert ("listen", "item_knn", "one", "popular", "hash") in rows
    assert ("next", "item_knn", "one", "all", "hash") not in rows, "there, one is left out anyway"
    assert rows["next", "(constant)", "every", "all", "favour"]["ndcg_10"] == 1
    assert "one and the same trained" in said
    assert "A constant score, which knows nothing, has" in said
    flags = f"--dataset synthetic --synthetic.users {SMALL.users} --synthetic.items {SMALL.items}"
    missing = "popularity, item_knn were not run on next-shuffled; this runs it: python 1_knn_baseline.py"
    assert f"{missing} {flags}" in " ".join(said.split())
    assert all(len(line) <= 80 or "/" in line for line in said.splitlines()), "a terminal is 80 columns wide"


def test_the_page_is_filled_between_its_markers_and_names_no_folder(ran, small_data, small_flags, tmp_path, capsys):
    page = tmp_path / "docs" / "xray.md"
    page.parent.mkdir()
    page.write_text(
        "# Title\n" + "".join(f"<!-- xray-{kind} {small_data.name} -->old<!-- end -->\n" for kind in BLOCKS)
    )
    written = []
    for _ in range(2):  # writing it again changes nothing
        main([*small_flags, *MODELS, "--page", str(page)])
        text = page.read_text()
        written.append((text, (ran / "xray.json").read_text()))
        assert text.startswith("# Title\n")
        assert "old" not in text
        assert text.count("<!-- end -->") == len(BLOCKS)
    assert written[0] == written[1], "the same command gives the same figures"
    assert str(tmp_path) not in text
    assert "| Model | all items | 99 uniform | 99 popular | one left out, all items |" in text
    assert "popularity, item_knn were not run on next-shuffled" in text
    assert (page.parent / "figures" / "xray.png").exists()
    assert "written anew" in capsys.readouterr().out


@pytest.fixture
def undrawn(monkeypatch):
    """For tests that do not look at the figure."""
    monkeypatch.setattr("common.cli.sensitivity.draw", lambda panels, dataset, path: path)


@pytest.mark.usefixtures("undrawn")
def test_a_model_that_cannot_be_evaluated_is_left_out_and_said_to_be(ran, small_flags, capsys):
    popularity, item_knn = (ran / "listen" / model / "tuned" / "seed0" for model in ("popularity", "item_knn"))
    (item_knn / "model" / "model.npz").write_bytes(b"broken")
    main([*small_flags, *MODELS, "--protocols", "listen"])
    assert "item_knn on listen is left out" in capsys.readouterr().out
    rewrite(popularity / "test" / "metrics.json", split_sha256="0" * 64)
    main([*small_flags, *MODELS])
    assert "popularity on listen is left out: its results are of another drawing" in capsys.readouterr().out


@pytest.mark.usefixtures("undrawn")
def test_a_saved_model_has_to_give_the_ranks_that_its_run_wrote(ran, small_flags, capsys):
    path = ran / "listen" / "popularity" / "tuned" / "seed0" / "test" / "targets.parquet"
    targets = read_parquet(path)
    write_parquet(path, targets.assign(rank=targets["rank"] + 1))
    run = Run(path.parents[1])
    run.vouch(["test/targets.parquet"], run.config())
    main([*small_flags, *MODELS, "--protocols", "listen"])
    assert "does not give the ranks that its run wrote" in " ".join(capsys.readouterr().out.split())
    assert "popularity" not in {row["model"] for row in json.loads((ran / "xray.json").read_text())["values"]}


def test_mistakes_end_in_one_sentence(ran, small_flags, tmp_path, capsys):
    said = complaint(capsys, main, *small_flags, "--protocols", "newcomer")
    assert "protocol of the sensitivity analysis 'newcomer'" in said
    assert "unknown model 'alz'" in complaint(capsys, main, *small_flags, "--models", "alz")
    missing = str(tmp_path / "missing.md")
    assert missing in complaint(capsys, main, *small_flags, "--page", missing)
    bare = tmp_path / "bare.md"
    bare.write_text("no markers\n")
    assert "has no line <!-- xray-judges" in complaint(capsys, main, *small_flags, "--page", str(bare))
    assert bare.read_text() == "no markers\n"


def test_with_no_model_at_all_the_command_says_what_to_run(small_flags, capsys):
    said = complaint(capsys, main, *small_flags)
    assert "there is no trained model" in said
    assert "python 1_knn_baseline.py --dataset synthetic" in said
