"""What makes answers quick: only what a model needs is loaded, once, and short ways give what the long ones give."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse
from sklearn.preprocessing import normalize

from benchmarks import ask_speed
from common.data.artist_names import _ASCII, _spaced
from common.features.content_vectors import of_unit_length
from common.models.top_items import tie_places, top_items
from common.serving.model_store import ModelStore
from common.serving.service import RecommendationService
from common.serving.store.store import open_store
from common.serving.terminal.conversation import Conversation
from common.splits.histories import Histories
from common.utils.arrays import sums_of_rows
from recommend import Settings
from tests.conftest import ROOT
from tests.serving.saved_models import save_models, write_own_folder

SELDOM = {"torch", "sklearn", "implicit", "faiss", "skops", "matplotlib", "wandb", "optuna", "polars"}
LOADED = """
import contextlib, io, json, sys
import recommend
with contextlib.redirect_stdout(io.StringIO()):
    recommend.main(sys.argv[1:])
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    """Where some tiny models lie, to be re-ranked."""
    folder = tmp_path_factory.mktemp("quick")
    own = write_own_folder(folder / "own")
    save_models(own, folder / "data", folder / "out", ("als", "forest", "hist_gradient", "sasrec"))
    found = Settings(dataset=str(own), data_dir=folder / "data", output_dir=folder / "out")
    return dataclasses.replace(found, rerank=dataclasses.replace(found.rerank, diversity=0.3))


@pytest.mark.parametrize("model", ["als", "forest", "hist_gradient", "sasrec"])
def test_nothing_large_is_imported_for_an_answer(settings, model):
    asked = ["--model", model, "--like", "Radiohead", "--as", "nobody", *ask_speed.RERANK]
    command = [sys.executable, "-c", LOADED, *ask_speed.flags_of(settings), *asked]
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    assert not set(json.loads(told)) & SELDOM


def test_a_conversation_opens_its_model_once(settings, monkeypatch, capsys):
    opened, open_model = [], ModelStore.open

    def noted(*asked):
        opened.append(asked[1])
        return open_model(*asked)

    monkeypatch.setattr(ModelStore, "open", noted)
    with ask_speed.copied_store(settings) as store:
        talk = Conversation(RecommendationService(store, ask_speed.model_store(settings)), "als", "", "me", 5)
        for name in ("Radiohead", "Moby", "+2"):
            talk.respond(name)
    assert opened == ["als"]
    assert capsys.readouterr().out.count("likes Radiohead") == 3


def test_the_benchmark_times_every_list_but_the_first_and_leaves_no_likes(settings):
    spent = ask_speed.lists(settings, "als", talks=2, likes=3)
    assert len(spent) == 5
    assert all(one.wall > 0 for one in spent)
    with open_store(settings.dataset, settings.protocol, settings.data_dir, settings.output_dir) as store:
        assert store.feedback.of(ask_speed.LISTENER) == ([], [])


@pytest.fixture
def rows() -> sparse.csr_array:
    """Sparse rows, some of them empty."""
    rng = np.random.default_rng(0)
    return sparse.csr_array(rng.random((60, 40)) * (rng.random((60, 40)) < 0.2))


def test_unit_vectors_are_those_of_scikit_learn_bit_for_bit(rows):
    rows.data[rows.indptr[3] : rows.indptr[4]] = 0
    np.testing.assert_array_equal(of_unit_length(rows).toarray(), normalize(rows).toarray())


def test_a_row_alone_adds_up_as_among_others_bit_for_bit(rows):
    weights = sparse.csr_array(rows[:40].T.tocsr())
    together = sums_of_rows(weights, rows[:40])
    for row in range(weights.shape[0]):
        alone = sums_of_rows(weights[[row]], rows[:40])
        assert alone.dtype == np.float64
        np.testing.assert_array_equal(alone[0], together[row])


def test_plain_names_are_keyed_as_all_names_are():
    names = [f"{chr(one)}a{chr(other)}b {chr(one)}" for one in range(128) for other in range(128)]
    assert [name.translate(_ASCII).split() for name in names] == [_spaced(name).split() for name in names]


def test_the_top_of_a_list_is_the_same_however_deep_it_is_asked_for():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 30, (4, 200)).astype(np.float32)
    history = Histories.from_lists([rng.permutation(200)[:n].tolist() for n in (0, 3, 150, 195)], 200)
    places = tie_places(np.arange(200).astype(str))
    items, values = top_items(scores, history, places, 200)
    short, of_short = top_items(scores, history, places, 20)
    np.testing.assert_array_equal(short, items[:, :20])
    np.testing.assert_array_equal(of_short, values[:, :20])


@pytest.mark.parametrize(("before", "threads"), [({}, 1), ({"OPENBLAS_NUM_THREADS": "2"}, 2)])
def test_who_asks_for_one_thread_gets_it_unless_the_environment_says_otherwise(before, threads):
    told = "max(pool['num_threads'] for pool in threadpool_info() if pool['user_api'] == 'blas')"
    lines = [
        "import numpy",
        "from threadpoolctl import threadpool_info",
        "from common.utils.environment import use_one_thread",
    ]
    code = "; ".join([*lines, "use_one_thread()", f"print({told})"])
    chosen = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")} | before
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env=chosen).stdout
    assert int(found) == min(threads, os.cpu_count() or 1)
