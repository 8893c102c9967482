"""A study is a file that is gone on with, by one process at a time."""

import json
from typing import Any

import pytest

from common.experiments.study_store import complete, finished, held, importances, open_study, prepare, take_up
from common.utils.errors import UserError
from common.utils.manifests import sealed


def tried(study, value: float, seed: int = 0) -> dict[str, float]:
    """One more trial of a setting, with this value; its parameters."""
    prepare(study, seed, warmup=0)
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    trial.suggest_float("y", 0, 1)
    study.tell(trial, value)
    return trial.params


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "study.jsonl"


@pytest.fixture
def study(path):
    with held(path):
        study = open_study(path, "als")
        take_up(study, {"x": 0.5, "y": 0.25})
    return study


def test_the_first_trial_tries_what_it_is_told_and_a_later_process_sees_all(study, path):
    assert tried(study, 0.1) == {"x": 0.5, "y": 0.25}
    tried(study, 0.2)
    again = open_study(path, "als", create=False)
    assert [trial.value for trial in complete(again)] == [0.1, 0.2]
    assert len(finished(again)) == 2
    assert open_study(path, "ease", create=False) is None
    assert open_study(path.with_name("none.jsonl"), "als", create=False) is None


def test_a_stopped_search_goes_on_with_the_same_trial(study, path):
    tried(study, 0.1)
    expected = tried(study, 0.2)
    other = path.with_name("other.jsonl")
    with held(other):
        again: Any = open_study(other, "als")
        take_up(again, {"x": 0.5, "y": 0.25})
        tried(again, 0.1)
        prepare(again, 0, warmup=0)
        again.ask()  # and the process dies
    with held(other):
        take_up(again := open_study(other, "als"), {"x": 0.5, "y": 0.25})
    assert tried(again, 0.2) == expected
    assert len(finished(again)) == 2, "the trial that died does not count"


def test_a_second_process_is_refused(path):
    with held(path), pytest.raises(UserError, match="being searched by another process"), held(path):
        pass


def test_half_a_record_is_taken_away_and_what_is_no_study_is_refused(study, path):
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_co')
    with held(path):
        pass
    assert path.read_bytes() == whole
    for content in (b"hello\n", b"[1]\n", b"hello"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="line 1, is no record of a study"), held(path):
            pass
        assert path.read_bytes() == content


def flip(content: bytes) -> bytes:
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


@pytest.mark.parametrize("damage", [flip, lambda content: content[:-40], lambda content: b"", bytes.upper])
def test_a_study_that_is_not_as_it_was_written_is_refused_and_left_as_it_is(study, path, damage):
    with held(path):
        tried(study, 0.1)
    path.write_bytes(damaged := damage(path.read_bytes()))
    for read in (lambda: held(path).__enter__(), lambda: open_study(path, "als", create=False)):
        with pytest.raises(
            UserError, match=r"study\.jsonl.* is (not as it was written|no record).*; move the file away"
        ):
            read()
    assert path.read_bytes() == damaged
    path.rename(path.with_name("away.jsonl"))
    with held(path):
        assert complete(open_study(path, "als")) == []


def test_lines_that_came_after_a_study_was_held_are_welcome(study, path):
    """Those of a search that was killed."""
    tried(study, 0.1)
    assert [trial.value for trial in complete(open_study(path, "als", create=False))] == [0.1]
    with held(path):
        tried(study, 0.2)
    assert [trial.value for trial in complete(open_study(path, "als", create=False))] == [0.1, 0.2]


@pytest.mark.parametrize("content", ["", "[]", '{"size": 1}', json.dumps(sealed({"files": {}}))])
def test_a_damaged_manifest_of_a_study_is_named(study, path, content):
    path.with_suffix(".json").write_text(content)
    with pytest.raises(UserError, match=r"study\.json.*; (delete it|move the file away)"):
        open_study(path, "als", create=False)


def test_the_setting_that_decides_has_the_largest_importance(study):
    for _ in range(12):
        prepare(study, 0, warmup=0)
        trial = study.ask()
        x = trial.suggest_float("x", 0, 1)
        trial.suggest_float("y", 0, 1)
        study.tell(trial, x)
    found = importances(study)
    assert list(found) == ["x", "y"]
    assert sum(found.values()) == pytest.approx(1.0)
