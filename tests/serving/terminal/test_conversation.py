"""recommend.py where a terminal is narrow, mute, closed, or speaks another encoding, and where somebody interrupts."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from wcwidth import wcswidth

from common.data.sources.registry import SYNTHETIC
from common.serving.service import Answer, RecommendationService
from common.serving.store.catalogue import Catalogue
from common.serving.terminal.answers import overlaps
from common.utils.terminal import END, ISOLATE, bar, cell, fitting, lines
from tests.conftest import ROOT, SMALL
from tests.serving.saved_models import save_models, write_own_folder
from tests.stages import complaint, stage


@pytest.fixture(scope="module")
def model_store(tmp_path_factory):
    """Flags of a data set with trained models."""
    folder = tmp_path_factory.mktemp("terminal")
    own = write_own_folder(folder / "own")
    save_models(own, folder / "data", folder / "out", ("popularity", "als", "ease"))
    flags = ["--dataset", str(own), "--data-dir", str(folder / "data"), "--output-dir", str(folder / "out")]
    return [*flags, "--as", "tester", "--model", "als"]


@pytest.fixture
def ask(model_store, capsys):
    """Ask, and get what is printed."""

    def asked(*more: str) -> str:
        stage("recommend.py")([*model_store, *more])
        return capsys.readouterr().out

    return asked


@pytest.fixture
def talk(ask, monkeypatch):
    """Say lines, forget what was said, and get what is printed."""

    def talked(*said: str) -> str:
        waiting = iter(["forget", *said, "forget", "q"])
        monkeypatch.setattr("builtins.input", lambda _="": next(waiting))
        return ask("-k", "5")

    return talked


def run(model_store, *more: str | bytes, shell: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The program as a process of its own, `shell` behind its command line."""
    words = [sys.executable, "recommend.py", *model_store, *more]
    command: list[str | bytes] = ["sh", "-c", f'exec "$@" {shell}', "sh", *words] if shell else words
    environ = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, timeout=120, check=False)


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


# Interrupting


def test_an_interrupted_question_ends_with_what_is_kept(model_store, capsys, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(RecommendationService, "recommend", interrupted)
    with pytest.raises(SystemExit) as stopped:
        stage("recommend.py")([*model_store, "--like", "muse"])
    assert stopped.value.code == 130
    assert "resume" not in (said := capsys.readouterr().err)
    assert "are kept" in said


def test_an_interrupted_answer_does_not_end_a_conversation(talk, monkeypatch):
    whole, calls = RecommendationService.recommend, []

    def first_interrupted(self: RecommendationService, *more: object, **told: object) -> Answer:
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return whole(self, *more, **told)  # type: ignore[arg-type]

    monkeypatch.setattr(RecommendationService, "recommend", first_interrupted)
    text = talk("muse", "likes")
    assert "stopped; likes shows the list again" in text
    assert "likes Muse\n 1  " in text, "what was said is kept"


# What is typed


def test_a_bare_why_explains_the_list_and_likes_nobody(talk):
    text = talk("why", "muse", "why")
    assert "there is no list yet" in text
    assert text.count("     Muse +") == 5
    assert "1 likes and dislikes" in text


def test_suggestions_are_chosen_by_number(talk):
    text = talk("sigur", "1", "-daft", "1")
    assert "Which one? Type its number." in text
    assert "likes Sigur Rós; dislikes Daft Punk" in text


def test_a_bare_number_is_told_how_the_list_is_meant(talk):
    assert "to like number 2 of the list type +2" in talk("muse", "2")


def test_the_basis_of_the_reasons_is_told_once(talk):
    assert talk("muse", "+1", "+1").count("why: ") == 1


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("daftpunk", "Daft Punk"), ("acdc", "AC/DC"), ("bjrok", "Björk"), ("cold play", "Coldplay"), ("musse", "Muse")],
)
def test_slips_are_forgiven(ask, typed, meant):
    assert json.loads(ask("--similar", typed, "--json"))["question"]["similar"]["name"] == meant


def test_a_slip_does_not_hide_whom_the_word_begins(tmp_path):
    """`avril` is a letter from Avail, and what everybody calls Avril Lavigne."""
    from common.serving.name_search import NameSearch, NotFoundError
    from common.serving.store.catalogue import Sources
    from common.serving.store.store import Store

    with Store(tmp_path / "l.sqlite") as store:
        names = ("Avail", "Avril Lavigne", "Averi")
        rows = [(n, f"i{n}", name, name, "", "", f"w{n}") for n, name in enumerate(names)]
        fans = [(user, 0, 1 if user else 0, 1.0, None) for user in range(5)]
        store.data.build("listen", Sources("d", "s"), {"items": rows, "interactions": fans})
        with pytest.raises(NotFoundError, match="did you mean 'Avril Lavigne' or 'Avail'") as unclear:
            NameSearch(store.data, "listen", store.data.catalogue("listen")).find("avril")
    assert unclear.value.items[0] == 1


# Mistakes


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
        (["--like", "muse", "--model", "two_tower"], "train it with `python 5_two_tower.py --dataset"),
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


# Widths


@pytest.mark.parametrize("columns", [24, 40, 50, 80, 300])
def test_no_line_is_wider_than_the_terminal(ask, talk, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    questions = [["--like", "فيروز"], ["--like", "muse", "--why"], ["--similar", "muse"]]
    texts = [ask(*question, "-k", "15", "--as", "x") for question in questions]
    texts += [ask("--like", "muse", "--model", "all", "-k", "12"), talk("muse", "-🔥 fire 🔥", "help", "why", "sigur")]
    for line in "\n".join(texts).splitlines():
        assert wcswidth(line) <= min(columns, 100), line
    assert all(" 1  " in text for text in texts[:3])


def test_overlaps_of_all_models_keep_to_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for k in (10, 1000):
        table = overlaps([Answer(f"hybrid_model_{n}", list(range(k)), [], []) for n in range(16)])
        assert max(map(len, table.splitlines())) <= 80
        rows = [line.split()[2:] for line in table.splitlines() if "hybrid" in line]
        assert sum(row.count(str(k)) for row in rows) == 256


def test_right_to_left_names_are_kept_apart_wherever_they_stand():
    assert lines("likes عمر دياب, Muse", 40) == [f"likes {ISOLATE}عمر دياب{END}, Muse"]
    assert cell("عمر", 5) == f"{ISOLATE}عمر{END}  "


def test_words_longer_than_a_line_are_broken():
    assert lines("ab " + "x" * 25 + " 椎名林檎椎名林檎", 10, " ") == [
        " ab",
        " " + "x" * 9,
        " " + "x" * 9,
        " " + "x" * 7,
        " 椎名林檎",
        " 椎名林檎",
    ]


def test_short_reasons_are_not_cut_inside_a_name():
    assert fitting(["Three Days Grace", "Lostprophets"], 24) == "Three Days Grace"


def test_a_bar_stays_in_its_cells():
    assert [wcswidth(bar(share)) for share in (-1, 0, 0.01, 0.5, 1, 2)] == [6] * 6


def test_a_heading_names_the_newest(tmp_path):
    from common.serving.terminal.answers import heading
    from common.serving.user_profile import UserProfile
    from common.splits.histories import Histories

    words = np.array([f"n{n}" for n in range(9)], object)
    catalogue = Catalogue(words, words, words, words, words, words, np.zeros(9, int))
    profile = UserProfile(-1, Histories.from_lists([[]], 9), liked=list(range(7)))
    assert heading(profile, catalogue, "") == "likes n2, n3, n4, n5, n6 and 2 earlier"
    assert heading(profile, catalogue, "12").startswith("user 12, who has no artist; likes ")
