"""Every trial of a search on a split of its own: what choosing on test would have claimed."""

import shutil

import pandas as pd
import pytest

from common.cli.experiments import search
from common.cli.experiments.selection_on_test import main
from common.evaluation.task import evaluate, split
from common.models.knn.item_knn import ItemKNN
from common.models.linear.ease import EASE
from common.utils.io import read_parquet
from tests.stages import complaint

N_TRIALS = 3


@pytest.fixture
def flags(small_flags, tmp_path, monkeypatch):
    """Flags of the command; trials of two models are there."""
    monkeypatch.setattr("common.experiments.tuning.Budget.is_spent", lambda _, study: len(study.trials) >= N_TRIALS)
    results = ["--results", str(tmp_path / "trials")]
    searched = [*small_flags, *results, "--models", "item_knn", "ease", "--presets", str(tmp_path / "presets")]
    search.main(searched)
    shutil.rmtree(tmp_path / "out")
    return [*small_flags, *results]


def kept(tmp_path, model):
    return sorted((tmp_path / "out").glob(f"*/listen-s90/selection_on_test/{model}/*.parquet"))


def test_every_trial_is_evaluated_on_both_parts_of_the_other_split(flags, tmp_path, small_data, capsys):
    main([*flags, "--models", "item_knn", "ease"])
    assert len(kept(tmp_path, "item_knn")) == len(kept(tmp_path, "ease")) == N_TRIALS
    [written] = (tmp_path / "trials").glob("*-ease.tsv")
    tried = pd.read_csv(written, sep="\t").astype(object)
    names = tried.columns[3:]
    task, expected = split(small_data, "listen", 90), []
    for _, row in tried.iterrows():
        model = EASE(**{str(name): row[name] for name in names}).fit(task.train)
        valid = evaluate(model, task.valid).metrics["ndcg_10"]
        expected.append((valid, evaluate(model.refit(task.train_valid), task.test).metrics["ndcg_10"]))
    tables = [read_parquet(path).groupby("part")["ndcg_10"].mean() for path in kept(tmp_path, "ease")]
    found = [(table["valid"], table["test"]) for table in tables]
    assert sorted(found) == [pytest.approx(pair) for pair in sorted(expected)]
    said = capsys.readouterr().out
    assert f"{max(test for _, test in expected):.4f}" in said
    assert "choosing on test" in said
    assert list((tmp_path / "out").glob("*/listen-s90/figures/selection_on_test.png"))


def test_a_stopped_command_goes_on_and_fits_no_trial_twice(flags, tmp_path, monkeypatch, capsys):
    fit, fits = EASE._fit, [0]

    def counted(self, *given):
        fits[0] += 1
        if fits[0] == 5:  # the first of the two fits of the third trial
            raise KeyboardInterrupt
        fit(self, *given)

    monkeypatch.setattr(EASE, "_fit", counted)
    with pytest.raises(SystemExit):
        main([*flags, "--models", "ease"])
    first = kept(tmp_path, "ease")
    assert len(first) == 2
    first[0].write_bytes(b"damaged")
    main([*flags, "--models", "ease"])
    assert fits[0] == 5 + 2 + 2, "the damaged one and the stopped one, twice each"
    assert len(kept(tmp_path, "ease")) == N_TRIALS
    capsys.readouterr()
    main([*flags, "--models", "ease", "--trials", "2"])
    assert fits[0] == 9, "nothing is left to fit"
    [row] = [line.split() for line in capsys.readouterr().out.splitlines() if line.split()[:2] == ["ease", "2"]]
    assert len(row) == 9, "correlations and expected excess of two trials"


def test_the_page_and_its_figure_are_written(flags, tmp_path, small_data):
    page = tmp_path / "pages" / "README.md"
    page.parent.mkdir()
    marker = f"<!-- selection-on-test {small_data.name} listen-s90 -->"
    page.write_text(f"# Trials\n{marker}\nold\n<!-- end -->\nafter\n")
    before = {path.name for path in (tmp_path / "trials").iterdir()}
    main([*flags, "--models", "item_knn", "--page", str(page)])
    text = page.read_text()
    assert "old" not in text
    assert "| item_knn | test |" in text
    assert text.endswith("<!-- end -->\nafter\n")
    assert (page.parent / f"{small_data.name}-listen-s90-selection-on-test.png").exists()
    assert {path.name for path in (tmp_path / "trials").iterdir()} == before


def test_it_changes_no_preset_and_leaves_no_run(flags, tmp_path):
    before = {path: path.read_bytes() for path in (tmp_path / "presets").iterdir()}
    main([*flags, "--models", "ease"])
    assert before == {path: path.read_bytes() for path in (tmp_path / "presets").iterdir()}
    assert not list((tmp_path / "out").rglob("metrics.json"))


def test_mistakes_end_in_one_sentence_before_anything_is_fitted(flags, tmp_path, monkeypatch, capsys):
    for model in (EASE, ItemKNN):
        monkeypatch.setattr(model, "_fit", lambda *_: pytest.fail("fitted"))
    page = tmp_path / "page.md"
    page.write_text("# Nothing to fill\n")
    assert "serve" in complaint(capsys, main, *flags, "--models", "ease", "--split-seed", "0")
    assert "each once" in complaint(capsys, main, *flags, "--models", "ease", "ease")
    assert "holds no trials" in complaint(capsys, main, *flags, "--models", "ease", "als")
    assert "holds no trials" in complaint(capsys, main, *flags, "--models", "ease", "--search-seed", "3")
    assert "has no line <!-- selection-on-test" in complaint(capsys, main, *flags, "--page", str(page))
    assert "is of another search" in complaint(capsys, main, *flags, "--models", "ease", "--seed", "4")
    [written] = (tmp_path / "trials").glob("*-ease.tsv")
    text = written.read_text()
    written.write_text(text.replace("regularisation", "lambda"))
    assert "cannot be read as trials" in complaint(capsys, main, *flags, "--models", "ease")
    written.write_text(text.replace("binary", "squared").replace("log", "squared"))
    assert "trial 1: weighting" in complaint(capsys, main, *flags, "--models", "ease")
    [note] = (tmp_path / "trials").glob("*.json")
    note.unlink()
    assert "is of another search" in complaint(capsys, main, *flags, "--models", "ease")


def test_trials_of_other_data_are_refused(flags, tmp_path, small_data, capsys):
    """The same names, as if a data set of this name had been changed since."""
    [note] = (tmp_path / "trials").glob("*.json")
    note.write_text(note.read_text().replace("ease-", "ease-0"))
    said = complaint(capsys, main, *flags, "--models", "ease")
    assert "other data" in said
    assert "--results" in said
