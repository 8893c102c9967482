"""Questions where a terminal is mute, closed or of another encoding, questions for JSON, and mistakes in them."""

import json
import re

import numpy as np
import pytest

from common.data.sources.registry import SYNTHETIC
from common.serving.service import RecommendationService
from tests.conftest import SMALL
from tests.serving.terminal.conftest import run
from tests.stages import complaint, stage


@pytest.mark.parametrize("flag", ["--like", "--user", "--as", "--song"])
def test_bytes_that_are_no_text_are_a_mistake(model_store, flag):
    done = run(model_store, flag, b"\xffabc")
    assert done.returncode == 2
    assert re.fullmatch(rb"error: .*udcff.* type it anew\n", done.stderr)


def test_input_that_is_closed_or_no_text_ends_nothing(model_store, tmp_path):
    closed = run(model_store, shell="<&-")
    assert (closed.returncode, closed.stderr) == (0, b"")
    (tmp_path / "typed").write_bytes(b"rad\xffio\nm\x00use\n")
    typed = run(model_store, shell=f"<{tmp_path / 'typed'}", PYTHONIOENCODING="utf-8:strict")
    assert (typed.returncode, typed.stderr) == (0, b"")
    assert "likes Muse" in typed.stdout.decode()


def test_output_without_the_letters_is_readable_still(model_store):
    table = run(model_store, "--like", "muse", "-k", "15", PYTHONIOENCODING="ascii")
    assert table.returncode == 0
    assert b" ###### " in table.stdout
    assert b"Bj?rk" in table.stdout
    rows = json.loads(run(model_store, "--like", "muse", "-k", "15", "--json", PYTHONIOENCODING="ascii").stdout)
    assert "Björk" in {row["name"] for row in rows["answers"][0]["items"]}


def test_a_reader_who_has_seen_enough_is_no_error(model_store):
    done = run(model_store, "--like", "muse", "-k", "15", shell="| head -n 1")
    assert b"likes Muse" in done.stdout
    assert done.stderr == b""


def test_nothing_but_json_is_printed_where_json_is_asked_for(small_data_dir, small_data, capfd, tmp_path, monkeypatch):
    monkeypatch.delenv("MUSIC_DATA", raising=False)
    flags = ["--synthetic.users", str(SMALL.users), "--synthetic.items", str(SMALL.items)]
    flags += ["--synthetic.seed", str(SMALL.seed), "--data-dir", str(small_data_dir), "--output-dir", str(tmp_path)]
    heard = small_data.tables.items.dropna(subset=["tempo"]).iloc[0]["name"]
    stage("recommend.py")([*flags, "--song", heard, "--json"])
    said = capfd.readouterr()
    assert json.loads(said.out)["song"]["name"] == heard
    assert said.err.count("NO REAL DATA") == 1
    assert small_data.name.startswith(SYNTHETIC)


def test_what_json_says_of_a_question(ask):
    told = json.loads(ask("--like", "muse", "--like", "MUSE", "--json", "-k", "2"))
    assert list(told) == ["dataset", "protocol", "question", "answers"]
    muse = {"item_id": "a02", "name": "Muse", "artist": "Muse"}
    assert told["question"] == {"user": None, "likes": [muse], "dislikes": [], "kept_for": "tester"}
    row = told["answers"][0]["items"][0]
    assert list(row) == ["rank", "item_id", "name", "artist", "score", "tags", "genres", "why"]
    of_all = json.loads(ask("--similar", "muse", "--json"))
    assert of_all["question"] == {"similar": muse}
    assert of_all["answers"][0]["why"]["basis"].startswith("cosine of the items' factors")


def test_an_interrupted_question_ends_with_what_is_kept(model_store, capsys, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(RecommendationService, "recommend", interrupted)
    with pytest.raises(SystemExit) as stopped:
        stage("recommend.py")([*model_store, "--like", "muse"])
    assert stopped.value.code == 130
    assert "resume" not in (said := capsys.readouterr().err)
    assert "are kept" in said


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--user", ""], "--user '': an empty id"),
        (["--similar", ""], "an empty name is no artist"),
        (["--song", ""], "has no songs"),
        (["--like", "muse", "--model", " , "], "names no model"),
        (["--like", "muse", "--model", "trending"], "trending goes by times, and 'listen' has none here"),
        (["--like", "muse", "--preset", "nope"], "unknown preset 'nope'"),
        (["--like", "muse", "--model", "item_knn"], "train it with `python 1_knn_baseline.py --models item_knn --dat"),
        (["--like", "muse", "--model", "two_tower"], "train it with `python 5_two_tower.py --models two_tower --dat"),
        (["--chat", "--song", "x"], "three questions"),
    ],
)
def test_more_mistakes(model_store, capsys, flags, says):
    assert says in complaint(capsys, stage("recommend.py"), *model_store, *flags)


def test_a_model_that_knows_nothing_of_a_history_says_so(ask, monkeypatch):
    from common.models import EASE

    monkeypatch.setattr(EASE, "fold_in", lambda self, histories: np.zeros((len(histories), len(self.popularity))))
    told = json.loads(ask("--like", "muse", "--model", "ease", "--json"))["answers"][0]
    popular = json.loads(ask("--like", "muse", "--model", "popularity", "--json"))["answers"][0]
    assert [row["name"] for row in told["items"]] == [row["name"] for row in popular["items"]]
    assert told["why"]["basis"] == "the model knows nothing of this history, so the popular list"


def test_a_model_is_asked_once_whatever_case(ask):
    told = json.loads(ask("--like", "muse", "--model", "ALS,als,all", "--json"))
    assert [one["model"] for one in told["answers"]] == ["als", "popularity", "ease"]
