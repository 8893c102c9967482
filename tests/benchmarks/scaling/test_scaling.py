"""The scaling benchmark in small: every model at two sizes, the classic table, estimates and refusals."""

import importlib
import json
import math
import time

import numpy as np
import pytest

from benchmarks.notebook import Notebook
from benchmarks.scale.child import MODULES, OverTimeError
from benchmarks.scaling import __main__ as scaling
from benchmarks.scaling import classic, data, fits, tables
from benchmarks.scaling.estimates import estimated_seconds, exponent
from common.models.linear.ease import EASE
from common.utils import memory

SIZES = (60, 240)


@pytest.fixture(autouse=True)
def in_process(monkeypatch):
    """Pieces of work are done in this process; their names."""
    done = []

    def run(function, **arguments):
        done.append(function)
        module, name = function.split(".")
        given = json.loads(json.dumps(arguments, default=str))
        return {"cpu_seconds": 1.0, "seconds": 1.0} | getattr(importlib.import_module(MODULES[module]), name)(**given)

    monkeypatch.setattr(scaling, "measured", run)
    yield done
    memory.use("auto")


@pytest.fixture
def notebook(tmp_path) -> Notebook:
    return Notebook(tmp_path / "findings.jsonl")


def run(tmp_path, *more: str) -> None:
    """The command at the two sizes."""
    sizes = [str(users) for users in SIZES]
    scaling.main(["--users", *sizes, "--classic", "80", "200", "--lists", "3", "--folder", str(tmp_path), *more])


def test_every_model_is_measured_at_every_size_once(tmp_path, in_process, capsys, monkeypatch):
    page = tmp_path / "page.md"
    blocks = ("data", "fits", "exponents", "classic")
    page.write_text("".join(f"<!-- scaling {name} -->\n<!-- end -->\n" for name in blocks))
    monkeypatch.setattr(scaling, "FIGURE", tmp_path / "scaling.png")
    run(tmp_path, "--page", str(page))
    rows = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    assert len(rows) == len(SIZES) * len(fits.FITS) + len(fits.FITS) + len(classic.MODELS_SHOWN)
    assert (tmp_path / "scaling.png").exists()
    found = Notebook(tmp_path / "findings.jsonl")
    for row in found.of("fit"):
        assert row["fit_cpu_seconds"] >= 0
        assert row["model_bytes"] > 0
        assert row["list_ms"] > 0
    precision = {row["model"]: row["metrics"]["precision_10"] for row in found.of("classic")}
    assert precision["als"] > 0
    assert precision["ensemble"] > 0
    done = len(in_process)
    run(tmp_path)
    assert len(in_process) == done, "nothing is measured twice"
    assert "| `als` | 240 |" in capsys.readouterr().out


def test_users_have_20_to_40_tracks_oldest_first(tmp_path):
    found = data.generate(str(tmp_path / "some"), 500)
    train = data.view(tmp_path / "some")
    lengths = train.histories.lengths
    assert found == {"users": 500, "items": train.n_items, "pairs": lengths.sum()}
    assert train.n_items == data.tracks_for(500)
    assert lengths.min() >= 15
    assert lengths.max() == 40
    times = train.histories.timestamps
    assert times is not None
    for user in range(20):
        own = slice(*train.histories.indptr[user : user + 2])
        assert len(set(train.histories.items[own].tolist())) == lengths[user]
        assert (np.diff(times[own]) >= 0).all()
    assert train.item_tags is not None
    assert train.item_tags["item"].between(0, train.n_items - 1).all()


def test_a_model_that_says_that_it_needs_too_much_is_refused(tmp_path, monkeypatch):
    data.generate(str(tmp_path / "some"), 60)
    monkeypatch.setattr(EASE, "needed_memory", lambda self, train: (1e8 * (train.n_users - 10), ""))
    assert fits.fit(str(tmp_path / "some"), "ease", "4GB", 3) == {"refused": pytest.approx(5e9), "allowed": 4 * 10**9}


def test_a_refusal_is_in_the_table_and_asked_again_with_more_memory(notebook):
    notebook.note("fit", "240 ease", users=240, model="ease", refused=5e9, allowed=4e9)
    assert "| `ease` | 240 | refused: needs 5 GB, may take 4 GB | - |" in tables.blocks(notebook)["scaling fits"]
    memory.use("4GB")
    assert scaling.is_noted(notebook, "240 ease", 900)
    memory.use("6GB")
    assert not scaling.is_noted(notebook, "240 ease", 900)


def measured(notebook: Notebook, users: int, seconds: float) -> None:
    """A finding of ALS."""
    cost = {"fit_cpu_seconds": seconds, "opened_mb": 100.0, "peak_mb": 100 + users / 10, "list_ms": 1.0}
    notebook.note("fit", f"{users} als", users=users, model="als", model_bytes=1000 * users, **cost)


def test_what_would_take_too_long_is_an_estimate_and_says_so(notebook, tmp_path, in_process):
    measured(notebook, 1_000, 1.0)
    assert estimated_seconds(notebook, "als", 100_000) == 0, "one size tells nothing"
    measured(notebook, 10_000, 20.0)
    assert estimated_seconds(notebook, "als", 100_000) == pytest.approx(400.0)
    settings = scaling.Settings(users=(100_000,), models=("als",), most=300, folder=tmp_path)
    scaling.measure_size(settings, notebook, 100_000, time.monotonic() + 100)
    assert in_process == []
    assert "| `als` | 100,000 | not run: about 7 minutes (estimate) | - |" in tables.blocks(notebook)["scaling fits"]
    assert scaling.is_noted(notebook, "100000 als", 300)
    assert not scaling.is_noted(notebook, "100000 als", 500), "with more time it is run"
    notebook.note("fit", "50000 als", users=50_000, model="als", refused=5e9, allowed=4e9)
    assert estimated_seconds(notebook, "als", 100_000) == 0, "what is refused at less is asked again, and not estimated"
    assert "| `als` | 2 | 1.30 | 1.30 | 1.00 | 1.00 | 0.00 |" in tables.blocks(notebook)["scaling exponents"]


def test_after_the_time_is_over_nothing_is_begun(notebook, tmp_path, in_process):
    settings = scaling.Settings(users=(60,), models=("als",), folder=tmp_path)
    with pytest.raises(OverTimeError):
        scaling.measure_size(settings, notebook, 60, time.monotonic() - 1)
    with pytest.raises(OverTimeError):
        scaling.measure_classic(settings, notebook, time.monotonic() - 1)
    assert in_process == []


def test_figures_too_small_to_tell_have_no_exponent():
    assert math.isnan(exponent([(10, 0.001), (100, 0.002)], least=0.01))
    assert exponent([(10, 0.001), (100, 1.0), (1000, 10.0)], least=0.01) == 1.0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--users", "3"], "--users = 3"),
        (["--models", "alss"], "unknown model 'alss'"),
        (["--parts", "size"], "unknown part 'size'"),
        (["--memory", "lots"], "--memory 'lots'"),
    ],
)
def test_flags_that_make_no_sense_are_refused(flags, said, capsys):
    with pytest.raises(SystemExit):
        scaling.main(flags)
    assert said in capsys.readouterr().err
