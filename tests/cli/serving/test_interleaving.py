import numpy as np
import pytest

from benchmarks.interleaving import NOISES, session
from common.cli.serving.interleaving import main
from common.serving.store.postgres import PostgresServer
from common.serving.store.store import Store
from common.utils.io import read_json
from tests.stages import complaint


@pytest.fixture
def flags(tmp_path):
    return ["--dataset", "synthetic", "--output-dir", str(tmp_path)]


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "synthetic" / "library.sqlite") as made:
        yield made


def serve(store, lists: int) -> None:
    """Simulated listeners, of whom more prefer als, each with a list of their own."""
    rng = np.random.default_rng(0)
    names = {"A": "als", "B": "random", "": ""}
    for number in range(lists):
        picks, clicked = session(NOISES["clear"], rng)
        rows = [(str(pick.item), names[pick.team]) for pick in picks]
        store.impressions.add_impression(f"r{number}", "listen", ("als", "random"), rows, session=f"s{number}")
        for item in clicked:
            store.impressions.add_click(str(item), "click", f"r{number}", f"s{number}")


def test_nothing_served_is_said(flags, tmp_path, capsys):
    main(flags)
    assert "no interleaved list was served; `python -m common serve" in capsys.readouterr().out
    assert not (tmp_path / "synthetic").exists(), "a question writes nothing"
    Store(tmp_path / "synthetic" / "library.sqlite").close()
    main([*flags, "--json", str(tmp_path / "found.json")])
    assert read_json(tmp_path / "found.json") == []


def test_lists_without_a_click_decide_nothing(flags, store, capsys):
    store.impressions.add_impression("r", "listen", ("als", "ease"), [("1", "als"), ("2", "ease")])
    main(flags)
    said = capsys.readouterr().out
    assert "1 lists, 0 with a click or like, in 1 sessions" in said
    assert "Nothing was won or lost" in said


def test_the_better_model_is_found(flags, store, capsys, tmp_path):
    serve(store, 90)
    main([*flags, "--json", str(tmp_path / "found.json")])
    said = capsys.readouterr().out
    assert "als is preferred to random." in said
    assert "90 lists, 88 with a click or like, in 90 sessions" in said
    assert all(len(line) <= 80 for line in said.splitlines()[:-1])
    (pair,) = read_json(tmp_path / "found.json")
    assert pair["wins"] + pair["losses"] + pair["ties"] + pair["silent"] == 90
    assert pair["p"] == pair["p_holm"] < 0.05
    main([*flags, "--unit", "list", "--experiment", "random, als"])
    assert "won or lost: each list" in capsys.readouterr().out


def test_several_models_are_compared_by_pairs(flags, store, capsys):
    store.impressions.add_impression("r", "listen", ("als", "ease", "random"), [("1", "als"), ("2", "ease")])
    store.impressions.add_click("1", "like", "r")
    main(flags)
    said = capsys.readouterr().out
    assert "Holm-corrected for the pairs" in said
    assert "No pair differs beyond chance" in said


def test_mistakes_are_named(flags, store, capsys):
    store.impressions.add_impression("r", "listen", ("als", "ease"), [("1", "als"), ("2", "ease")])
    assert "served were: als,ease" in complaint(capsys, main, *flags, "--experiment", "als,sasrec")
    assert "--unit" in complaint(capsys, main, *flags, "--unit", "user")
    assert "--store takes no other database" in complaint(capsys, main, *flags, "--store", "mysql://host/likes")


def test_lists_on_a_server_are_counted(flags, capsys, postgres_server):
    with Store(PostgresServer.parse(postgres_server.url(), "synthetic")) as store:
        serve(store, 20)
    main([*flags, "--store", postgres_server.url()])
    assert "20 lists, 20 with a click or like, in 20 sessions" in capsys.readouterr().out
