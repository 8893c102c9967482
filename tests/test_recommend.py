import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from wcwidth import wcswidth

from common import load_dataset, split
from common.data.sources.registry import SYNTHETIC
from common.models import ALS
from common.serving.store.postgres import PostgresServer
from common.serving.store.store import Store
from common.utils.terminal import cell
from tests.conftest import SMALL
from tests.serving.saved_models import NAMES, save_models, write_own_folder
from tests.stages import complaint, stage

ROOT = Path(__file__).resolve().parents[1]
TRAINED = ("popularity", "item_knn", "als", "ensemble", "forest", "sasrec", "two_tower", "hybrid_listnet")


@pytest.fixture(scope="module")
def model_store(tmp_path_factory):
    """Flags of a data set with trained models, and the folder of its results."""
    folder = tmp_path_factory.mktemp("asked")
    own = write_own_folder(folder / "own")
    data, _ = save_models(own, folder / "data", folder / "out", TRAINED)
    flags = ["--dataset", str(own), "--data-dir", str(folder / "data"), "--output-dir", str(folder / "out")]
    return flags, folder / "out" / data.name


@pytest.fixture
def ask(model_store, capsys):
    """Ask, and get what is printed. Nobody's likes are left behind."""
    flags, folder = model_store

    def asked(*more: str) -> str:
        stage("recommend.py")([*flags, *more])
        return capsys.readouterr().out

    yield asked
    if (folder / "library.sqlite").is_file():
        with sqlite3.connect(folder / "library.sqlite") as connection:
            connection.execute("DELETE FROM feedback")
        connection.close()


@pytest.fixture
def refused(model_store, capsys):
    """Ask what cannot be answered, and get the sentence that says why."""

    def asked(*more: str) -> str:
        said = complaint(capsys, stage("recommend.py"), *model_store[0], *more)
        assert said.startswith("error: ")
        assert said.strip().count("\n") == 0
        assert "\x1b" not in said
        return said

    return asked


def answer(text: str) -> list[str]:
    """The names of the only list in a JSON answer."""
    return [row["name"] for row in json.loads(text)["answers"][0]["items"]]


# Questions


def test_data_without_times_know_no_time_of_day(refused):
    said = refused("--like", "Radiohead", "--model", "forest", "--when", "2024-05-03T22:00")
    assert said.startswith("error: --when: 'listen' of own-")
    assert "has no time of each interaction, so no list depends on one; leave it out" in said


@pytest.mark.parametrize("model", TRAINED)
def test_every_model_answers_somebody_new(ask, model):
    content = json.loads(ask("--like", "Radiohead", "--like", "bjork", "--model", model, "-k", "5", "--json"))
    rows = content["answers"][0]["items"]
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    assert not {"Radiohead", "Björk"} & {row["name"] for row in rows}
    assert {row["item_id"] for row in rows} <= {f"a{n:02d}" for n in range(20)}
    text = ask("--like", "Radiohead", "--model", model, "--why", "-k", "3")
    assert "why: " in text


def test_a_newcomer_gets_what_ones_circle_listens_to(ask):
    first = answer(ask("--like", "Radiohead", "--like", "Muse", "--model", "item_knn", "-k", "4", "--json"))
    assert set(first) <= set(NAMES[:10])
    assert set(answer(ask("--like", "Moby", "--like", "Placebo", "--model", "als", "-k", "4", "--json"))) <= set(
        NAMES[10:]
    )


def test_a_user_of_the_data_gets_new_items_only(ask, model_store):
    found = json.loads(ask("--user", "u03", "--model", "als", "-k", "10", "--json"))["answers"][0]["items"]
    with sqlite3.connect(model_store[1] / "library.sqlite") as connection:
        tables = "interactions JOIN users USING (protocol, user) JOIN items USING (protocol, item)"
        query = f"SELECT item_id FROM {tables} WHERE user_id = ?"
        own = {row[0] for row in connection.execute(query, ("u03",))}
    connection.close()
    assert own
    assert not own & {row["item_id"] for row in found}


def test_the_answers_are_the_models_own(ask, model_store):
    flags, folder = model_store
    train = split(load_dataset(flags[1], flags[3])).train_valid
    als = ALS.load(folder / "listen/als/tuned/seed0/model", train)
    assert answer(ask("--user", "u03", "--model", "als", "--json")) == als.recommend(["u03"])["name"].tolist()
    of_muse = als.recommend(histories=[["Muse"]])["name"].tolist()
    assert answer(ask("--like", "Muse", "--model", "als", "--json")) == of_muse
    assert answer(ask("--similar", "Muse", "--model", "als", "--json")) == als.similar_items("Muse")["name"].tolist()


def test_all_models_stand_side_by_side_with_what_they_have_in_common(ask):
    text = ask("--like", "Muse", "--model", "all", "-k", "4")
    for name in TRAINED:
        assert len(re.findall(rf"\b{name}\b", text)) == 2
    table = text.split("items in common")[1].strip().splitlines()[1:]
    counts = [[int(value) for value in row.split()[2:]] for row in table]
    assert all(counts[n][n] == 4 for n in range(len(TRAINED)))
    assert all(counts[a][b] == counts[b][a] <= 4 for a in range(len(TRAINED)) for b in range(len(TRAINED)))
    several = json.loads(ask("--like", "Muse", "--model", "als,item_knn", "--json"))["answers"]
    assert [one["model"] for one in several] == ["als", "item_knn"]


def test_songs_that_sound_alike(small_data_dir, small_data, capsys, tmp_path):
    flags = ["--dataset", SYNTHETIC, "--synthetic.users", str(SMALL.users), "--synthetic.items", str(SMALL.items)]
    flags += ["--synthetic.seed", str(SMALL.seed), "--data-dir", str(small_data_dir), "--output-dir", str(tmp_path)]
    heard = small_data.tables.items.dropna(subset=["tempo"]).iloc[0]
    stage("recommend.py")([*flags, "--song", heard["name"].upper(), "--json", "-k", "3"])
    content = json.loads(capsys.readouterr().out)
    assert content["song"]["track_id"] == heard["item_id"]
    cosines = [row["cosine"] for row in content["sounds_like"]]
    assert len(cosines) == 3
    assert cosines == sorted(cosines, reverse=True)
    assert "no song is called" in complaint(capsys, stage("recommend.py"), *flags, "--song", "§§§§§§")


# Names


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("RADIOHEAD", "Radiohead"),
        ("radiohed", "Radiohead"),
        ("bjork", "Björk"),
        ("sigur ros", "Sigur Rós"),
        ("beatles", "The Beatles"),
        ("ac dc", "AC/DC"),
        ("guns n roses", "Guns N' Roses"),
        ("!!!", "!!!"),
        ("椎名林檎", "椎名林檎"),
        ("فيروز", "فيروز"),
        ("🔥 fire 🔥", "🔥 Fire 🔥"),
        ("id:a03", "Sigur Rós"),
    ],
)
def test_names_are_found_as_people_type_them(ask, typed, meant):
    found = json.loads(ask("--similar", typed, "--model", "als", "--json"))
    assert found["question"]["similar"]["name"] == meant


def test_an_ambiguous_name_lists_what_it_may_be(refused):
    said = refused("--like", "nirvana")
    assert "'Nirvana' (id:a16)" in said
    assert "'Nirvana' (id:a17)" in said


AWAY = "postgresql://me:s3cret@127.0.0.1:1/likes"
NASTY = "Robert'); DROP TABLE items;--"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--like", "Radioheat Orchestra"], "no artist is called 'Radioheat Orchestra'"),
        (["--like", "radio"], "did you mean 'Radiohead'?"),
        (["--like", NASTY], f'no artist is called "{NASTY}"'.replace('"', "'")),
        (["--like", ""], "an empty name is no artist"),
        (["--like", "   "], "an empty name is no artist"),
        (["--like", "🦄🦄🦄🦄🦄🦄"], "check the spelling"),
        (["--like", "אבגדהוזח"], "check the spelling"),
        (["--like", "a\x1b[2Jb\nc"], "no artist is called"),
        (["--like", "x" * 5000], "..."),
        (["--like", "id:zz"], "no artist has the id 'zz'"),
        (["--similar", "§§§§§§"], "no artist is called"),
        (["--user", "u3"], "did you mean 'u30' or"),
        (["--user", NASTY], "no user"),
        (["--like", "Muse", "--model", "alz"], "did you mean 'als'"),
        (["--like", "Muse", "--model", "ease"], "train it with `python 2_als.py --models ease --dataset"),
        (["--like", "Muse", "--preset", "classic"], "--preset classic`"),
        (["--like", "Muse", "-k", "0"], "-k 0: give 1 to 1,000"),
        (["--like", "Muse", "-k", "100000000"], "give 1 to 1,000"),
        (["--like", "Muse", "--protocol", "lisen"], "did you mean 'listen'"),
        (["--like", "Muse", "--similar", "Muse"], "three questions"),
        (["--json"], "need a question"),
        (["--song", "Creep"], "has no songs"),
        (["--like", "Muse", "--rerank.diversity", "7"], "--rerank.diversity"),
        (["--like", "Muse", "--rerank.no-explicit"], "no column explicit"),
        (["--like", "Muse", "--store", "likes.db"], "--store is no address of a database; give postgresql+psycopg://"),
        (["--like", "Muse", "--store", f"{AWAY}?connect_timeout=2"], "is away ("),
        (["--like", "Muse", "--stor", AWAY], "postgresql://me:***@127.0.0.1:1/likes"),
    ],
)
def test_bad_input_is_answered_in_one_sentence(refused, flags, says):
    said = refused(*flags)
    assert says in said
    assert "s3cret" not in said


def test_likes_are_kept_on_a_server(ask, model_store, postgres_server):
    def ids(*flags: str) -> list[str]:
        asked = json.loads(ask("--user", "u03", "--model", "als", "--as", "ann", "--json", *flags))
        return [row["item_id"] for row in asked["answers"][0]["items"]]

    on_server = ("--store", postgres_server.url())
    before = ids(*on_server)
    with Store(PostgresServer.parse(postgres_server.url(), model_store[1].name)) as store:
        store.feedback.add("ann", before[0], True)
    assert before == ids()
    assert before[0] not in ids(*on_server)


def test_a_nasty_name_drops_no_table(refused, model_store):
    refused("--like", NASTY)
    with sqlite3.connect(model_store[1] / "library.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM items").fetchone()[0] == len(NAMES)
    connection.close()


@pytest.mark.parametrize("content", [b"no database at all" * 100])
def test_a_damaged_library_is_named(refused, model_store, content):
    refused("--like", "nobody at all")  # makes it, if no test before has
    path = model_store[1] / "library.sqlite"
    whole = path.read_bytes()
    for extra in ("-wal", "-shm"):
        Path(f"{path}{extra}").unlink(missing_ok=True)
    path.write_bytes(content)
    try:
        assert "library.sqlite is damaged" in refused("--like", "Muse")
    finally:
        path.write_bytes(whole)


def test_a_damaged_model_is_named(refused, model_store):
    path = model_store[1] / "listen/als/tuned/seed0/model/model.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    try:
        assert "model.npz has 100 bytes, not the" in refused("--like", "Muse", "--model", "als")
    finally:
        path.write_bytes(whole)


# Lists on a screen


@pytest.mark.parametrize("columns", [80, 100, 62])
def test_columns_stay_aligned_whatever_the_script(ask, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    text = ask("--like", "Radiohead", "--model", "item_knn", "-k", "18")
    rows = [line for line in text.splitlines() if re.match(r" +\d+  ", line)]
    assert len(rows) == 18
    bars = {wcswidth(re.split("[▏▎▍▌▋▊▉█]", row)[0]) for row in rows if re.search("[▏▎▍▌▋▊▉█]", row)}
    assert len(bars) == 1
    tags = {wcswidth(re.split("live, rock|night, pop", row)[0]) for row in rows}
    assert len(tags) == 1
    assert max(map(wcswidth, text.splitlines())) <= columns


def test_control_characters_of_a_name_do_not_reach_the_terminal():
    assert cell("a\x1b[31mb\x07\u202e", 8) == "a[31mb  "


def test_reranking_changes_the_list(ask):
    flags = ("--like", "Radiohead", "--model", "item_knn", "--json", "-k", "6")
    plain, mixed = answer(ask(*flags)), answer(ask(*flags, "--rerank.diversity", "0.9"))
    assert plain[0] == mixed[0]
    assert set(plain) <= set(NAMES[:10])
    assert set(mixed) & set(NAMES[10:]), "tagged otherwise"


# Likes and dislikes


def talk(monkeypatch, ask, *lines: str, flags: tuple[str, ...] = ("--model", "als", "-k", "5")) -> str:
    said = iter(lines)

    def read(_: str = "") -> str:
        try:
            return next(said)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", read)
    return ask("--as", "tester", *flags)


def lists(text: str) -> list[list[str]]:
    """The names of each list of a conversation."""
    found: list[list[str]] = []
    for line in text.splitlines():
        if match := re.match(r" +(\d+)  (.+?)  ", line):
            if match[1] == "1":
                found.append([])
            found[-1].append(match[2].strip())
    return found


def test_what_is_typed_changes_the_list_at_once(monkeypatch, ask):
    text = talk(monkeypatch, ask, "radiohead", "-1", "+2", "undo", "q")
    first, second, third, fourth = lists(text)
    assert "Radiohead" not in first
    assert first[0] not in second, "disliked"
    assert second[1] not in third, "liked, so known"
    assert fourth == second, "taken back"


def test_likes_count_the_next_time_and_for_the_listener_alone(monkeypatch, ask):
    before = lists(talk(monkeypatch, ask, "radiohead", "-1"))[0]
    flags = ("--like", "Muse", "--model", "item_knn", "--json", "-k", "15")
    mine, others = answer(ask(*flags, "--as", "tester")), answer(ask(*flags, "--as", "another"))
    assert before[0] not in mine
    assert "Radiohead" not in mine
    assert "Radiohead" in others
    assert "(2 of it kept for 'tester')" in ask("--like", "Muse", "--model", "als", "--as", "tester")
    assert lists(talk(monkeypatch, ask, "forget"))
    assert answer(ask(*flags, "--as", "tester")) == others


def test_dislikes_push_away_what_is_like_them(monkeypatch, ask):
    """Two circles: whoever dislikes one of the other's artists meets the rest of them later."""
    flags = ("--like", "Radiohead", "--like", "Moby", "--model", "item_knn", "--json", "-k", "12")
    before = answer(ask(*flags, "--as", "tester"))
    talk(monkeypatch, ask, "-Placebo")
    after = answer(ask(*flags, "--as", "tester"))
    assert sum(name in NAMES[10:] for name in after[:6]) < sum(name in NAMES[10:] for name in before[:6]) or (
        not any(name in NAMES[10:] for name in after[:6])
    )
    assert "Placebo" not in after


def test_mistakes_in_a_conversation_end_nothing(monkeypatch, ask):
    said = (
        "+1",
        "-99",
        "§§§§§§",
        "nirvana",
        "2",
        "why 1",
        "why 77",
        "+",
        "undo",
        "undo",
        "help",
        "+0",
        "forget",
        "forget",
    )
    text = talk(monkeypatch, ask, *said)
    assert "there is no number 1; the list has 0" in text
    assert "no artist is called '§§§§§§'" in text
    assert "Which one?" in text
    assert text.count("Nirvana") >= 2
    assert "why: what each item of the history adds" in text
    assert "there is nothing to take back" in text
    assert "dislike number 3" in text
    assert "0 likes and dislikes" in text


def spawn(model_store, *flags: str) -> pexpect.spawn:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80", "PYTHONPATH": str(ROOT)}
    arguments = ["recommend.py", *model_store[0], "--as", "pty", *flags]
    return pexpect.spawn(
        sys.executable, arguments, cwd=str(ROOT), env=environment, encoding="utf-8", timeout=60, dimensions=(40, 80)
    )


def test_in_a_real_terminal(model_store, ask):
    terminal = spawn(model_store, "--model", "als", "-k", "5")
    terminal.expect("q quits")
    terminal.expect("> ")
    terminal.sendline("björk")
    terminal.expect(r"likes Björk")
    terminal.expect(r" 5  ")
    terminal.expect("> ")
    terminal.sendline("-1")
    terminal.expect("dislikes ")
    terminal.expect("> ")
    terminal.kill(9)  # what was said is on disk
    terminal.wait()
    again = spawn(model_store, "--model", "als", "-k", "5")
    again.expect("likes Björk; dislikes")
    again.expect("> ")
    again.sendeof()
    again.expect(pexpect.EOF)
    again.wait()
    assert again.exitstatus == 0
    assert "Traceback" not in (again.before or "")


def test_no_model_needs_torch_scikit_learn_or_faiss_to_answer(model_store):
    """Importing them takes longer than the rest of a first answer."""
    code = (
        "import runpy, sys; sys.argv = ['recommend.py', *sys.argv[1:]]\n"
        "try: runpy.run_path('recommend.py', run_name='__main__')\n"
        "finally: print('loaded', sorted({'torch', 'sklearn', 'faiss', 'implicit', 'wandb'} & set(sys.modules)))"
    )
    flags = [*model_store[0], "--like", "Muse", "--model", ",".join(TRAINED), "--as", "pty"]
    command = [sys.executable, "-c", code, *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip().endswith("loaded []")


def shape(screen: str) -> list[str]:
    """What was typed, and what kinds of lines answer it, with the column of their bars: a format without its names."""
    kinds = {"likes": "heading", "  why:": "basis", "Name": "hello"}
    found = []
    for line in screen.splitlines():
        if row := re.match(r" (\d+)  .*?([▏▎▍▌▋▊▉█])", line):
            found.append(f"row {row[1]}, bar at {wcswidth(line[: row.start(2)])}")
        elif line.startswith("> "):
            found.append(line)
        else:
            found += [kind for start, kind in kinds.items() if line.startswith(start)]
    return found


def test_the_screen_in_the_docs_is_what_the_program_prints_today(model_store, ask):
    from examples.transcript import SCENES, Settings, played

    flags, folder = model_store
    _, question, typed = SCENES[0]
    first = typed[:4]  # the names that follow are those of the real data
    settings = Settings(dataset=flags[1], data_dir=Path(flags[3]), output_dir=folder.parent)
    screen = played(settings, question, [*first, "q"])
    shown = (ROOT / "docs" / "recommend.md").read_text("utf-8").split("```text\n")[1].split("\n> britney")[0]
    assert f"$ python recommend.py {question}\n" in shown
    assert [*shape(shown), "> q"] == shape(screen)
    assert [line for line in shape(screen) if line.startswith(">")] == [f"> {line}" for line in (*first, "q")]
    assert max(map(wcswidth, screen.splitlines())) <= 80


def test_an_answer_waits_for_no_library_that_it_does_not_need():
    """What is imported before a question is read: neither readers of raw data, nor what trains, draws or migrates."""
    heavy = ["torch", "sklearn", "matplotlib", "polars", "implicit", "alembic", "sqlalchemy.dialects.postgresql"]
    ours = [
        "common.data.preparation.pipeline",
        "common.data.reading.table",
        "common.data.sources.lastfm_2k",
        "common.models.linear",
    ]
    code = f"import sys, recommend; print([name for name in {heavy + ours!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
