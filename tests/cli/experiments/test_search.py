"""Searches of several models with the same CPU seconds each."""

import shutil
import tomllib
from types import SimpleNamespace

import pandas as pd
import pytest

from common.cli.experiments import search
from common.cli.experiments.search import main
from common.evaluation.task import Task
from common.experiments import tuning
from common.utils.environment import Seconds
from common.utils.errors import DivergedError
from tests.stages import complaint


@pytest.fixture
def flags(small_flags, tmp_path, monkeypatch):
    """Flags of searches whose every trial takes one second, and that never open test."""
    clock = iter(range(10**6))
    monkeypatch.setattr(tuning, "Seconds", SimpleNamespace(now=lambda: Seconds(0.0, float(next(clock)))))
    monkeypatch.setattr(Task, "test", property(lambda _: pytest.fail("test was opened")))
    return [*small_flags, "--presets", str(tmp_path / "presets"), "--results", str(tmp_path / "trials")]


def trials(tmp_path, model):
    [path] = (tmp_path / "trials").glob(f"*-listen-{model}.tsv")
    return pd.read_csv(path, sep="\t")


def test_each_model_has_the_same_seconds_and_every_trial_is_written(flags, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tuning.Budget, "_keeps_up", lambda *_: True)
    main([*flags, "--models", "item_knn", "ease", "--cpu-seconds", "4"])
    for model in ("item_knn", "ease"):
        table = trials(tmp_path, model)
        assert table["cpu_seconds"].tolist() == [1.0] * 4
        assert table["trial"].tolist() == [1, 2, 3, 4]
    [preset] = (tmp_path / "presets").glob("*.toml")
    written = tomllib.loads(preset.read_text())["tuned"]["ease"]["listen"]
    assert written["validation"]["ndcg_10"] == pytest.approx(trials(tmp_path, "ease")["ndcg_10"].max(), abs=1e-5)
    assert (written["validation"]["trials"], written["validation"]["cpu_seconds"]) == (4, 4)
    assert "listen: searches" in capsys.readouterr().out


def test_more_seconds_go_on_with_the_same_trials(flags, tmp_path):
    (tmp_path / "trials").mkdir()
    page = tmp_path / "trials" / "README.md"
    main([*flags, "--models", "ease", "--cpu-seconds", "2", "--preset", "searched"])
    before = trials(tmp_path, "ease")
    [figure] = (tmp_path / "trials").glob("*.png")
    page.write_text(f"# Trials\n<!-- trials {figure.stem.removesuffix('-listen')} listen -->\nold\n<!-- end -->\n")
    main([*flags, "--models", "ease", "--cpu-seconds", "5", "--preset", "searched"])
    after = trials(tmp_path, "ease")
    assert len(after) == 5
    pd.testing.assert_frame_equal(after.iloc[:2], before)
    assert "| ease | 5 | 5 | 0 |" in page.read_text()
    main([*flags, "--models", "ease", "--cpu-seconds", "0"])
    pd.testing.assert_frame_equal(trials(tmp_path, "ease"), after)


def test_a_search_goes_on_from_what_was_written_down_where_its_study_is_gone(flags, tmp_path):
    main([*flags, "--models", "ease", "--cpu-seconds", "12"])
    whole = trials(tmp_path, "ease")
    [written] = (tmp_path / "trials").glob("*-ease.tsv")
    written.write_text("".join(written.read_text().splitlines(keepends=True)[:12]))
    shutil.rmtree(tmp_path / "out")
    main([*flags, "--models", "ease", "--cpu-seconds", "0"])
    pd.testing.assert_frame_equal(trials(tmp_path, "ease"), whole.iloc[:11])
    main([*flags, "--models", "ease", "--cpu-seconds", "12"])
    pd.testing.assert_frame_equal(trials(tmp_path, "ease"), whole, rtol=0.02, obj="four digits of a setting are kept")


def test_trials_that_were_cut_short_are_gone_on_with_as_such(flags, tmp_path, monkeypatch):
    found = iter([0.1, 0.2])

    def diverges(*_):
        if (value := next(found, None)) is None:
            raise DivergedError("lost")
        return value

    monkeypatch.setattr("common.evaluation.evaluator.Evaluator.__call__", diverges)
    main([*flags, "--models", "ease", "--cpu-seconds", "3"])
    before = trials(tmp_path, "ease")
    assert before["ndcg_10"].isna().tolist() == [False, False, True]
    shutil.rmtree(tmp_path / "out")
    main([*flags, "--models", "ease", "--cpu-seconds", "0"])
    pd.testing.assert_frame_equal(trials(tmp_path, "ease"), before)


def test_written_trials_of_another_search_are_neither_gone_on_with_nor_overwritten(flags, tmp_path, capsys):
    main([*flags, "--models", "ease", "--cpu-seconds", "3"])
    [written] = (tmp_path / "trials").glob("*-ease.tsv")
    before = written.read_bytes()
    assert "is of another search" in complaint(capsys, main, *flags, "--models", "ease", "--seed", "5")
    study = written.read_text().splitlines(keepends=True)
    written.write_text("".join([*study, study[-1]]))
    assert "has fewer trials than" in complaint(capsys, main, *flags, "--models", "ease", "--cpu-seconds", "5")
    shutil.rmtree(tmp_path / "out")
    written.write_bytes(before.replace(b"binary", b"squared").replace(b"log", b"squared"))
    assert "restore it" in complaint(capsys, main, *flags, "--models", "ease", "--cpu-seconds", "5")
    written.write_bytes(before[:-3])  # still a number, but not the one that was tried
    assert "its last line is cut off" in complaint(capsys, main, *flags, "--models", "ease", "--cpu-seconds", "5")
    written.write_bytes(before)
    main([*flags, "--models", "ease", "--cpu-seconds", "0"])
    assert written.read_bytes() == before, "nothing was begun with half of them"


def test_a_model_below_the_reference_stops_after_a_third(flags, tmp_path, monkeypatch, capsys):
    found = iter([0.5] * 6 + [0.4] * 6)
    monkeypatch.setattr("common.evaluation.evaluator.Evaluator.__call__", lambda *_: next(found))
    main([*flags, "--models", "item_knn", "ease", "--cpu-seconds", "6"])
    assert len(trials(tmp_path, "item_knn")) == 6
    assert len(trials(tmp_path, "ease")) == 2
    assert "ease: below the reference after a third of its seconds, stopped there" in capsys.readouterr().out


def test_the_first_trial_may_be_what_was_chosen_on_another_protocol(flags, tmp_path, monkeypatch):
    asked: list[str] = []
    own = search.preset_values

    def noted(preset, dataset, protocol, model, kind):
        asked.append(protocol)
        return own(preset, dataset, protocol, model, kind)

    monkeypatch.setattr(search, "preset_values", noted)
    main([*flags, "--models", "ease", "--cpu-seconds", "1", "--start-protocol", "next"])
    assert asked == ["next"]
    assert len(trials(tmp_path, "ease")) == 1


def test_another_split_seed_writes_no_preset(flags, tmp_path, capsys):
    main([*flags, "--models", "ease", "--cpu-seconds", "1", "--split-seed", "3"])
    assert not (tmp_path / "presets").exists()
    assert "not written to presets/" in capsys.readouterr().out


def test_mistakes_end_in_one_sentence(flags, capsys):
    assert "it has no settings to search" in complaint(capsys, main, *flags, "--models", "popularity")
    assert "each once" in complaint(capsys, main, *flags, "--models", "ease", "ease")
    assert "unknown model 'alz'" in complaint(capsys, main, *flags, "--models", "alz")
    assert "no trials of ease" in complaint(capsys, main, *flags, "--models", "ease", "--cpu-seconds", "0")
