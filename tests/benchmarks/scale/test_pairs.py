"""Pairs straight from the generator are those that the ledger counts; both sides of ALS are measured on them."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.notebook import Notebook
from benchmarks.scale import __main__ as scale
from benchmarks.scale import pairs, tables
from benchmarks.scale.child import OverTimeError
from benchmarks.scale.sizes import Size
from common.data.matrix_files import open_matrix
from common.data.synthetic.raw.draws import events_of, plays_of
from common.data.synthetic.raw.ledger import count
from common.data.synthetic.raw.world import ORIGIN, PERSON, SPAN, RawLogSettings, build_world

LOG: dict[str, Any] = {"events": 10_000}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "pairs"


def test_the_matrix_holds_the_pairs_that_the_ledger_counts(folder):
    world = build_world(RawLogSettings(**LOG))
    ledger = count(world, (ORIGIN + SPAN // 2, ORIGIN + SPAN))["aggregate_interactions"].values()
    made = pairs.make_pairs(str(folder), LOG)
    matrix = open_matrix(folder / pairs.MATRIX)
    assert made["pairs"] == matrix.n_pairs == sum(part["new_pairs"] for part in ledger)
    assert matrix.data.sum() == sum(part["plays"] for part in ledger)
    assert made["users"] == np.count_nonzero(world.kind == PERSON)
    assert [path.name for path in folder.iterdir()] == [pairs.MATRIX]


def test_a_user_has_each_track_once_in_the_order_of_the_first_plays(folder):
    world = build_world(RawLogSettings(**LOG))
    pairs.make_pairs(str(folder), LOG)
    matrix = open_matrix(folder / pairs.MATRIX)
    for user in np.flatnonzero(world.kind == PERSON)[:5]:
        events = events_of(world, np.array([user]))
        tracks = plays_of(world, events).track
        own = slice(matrix.indptr[user], matrix.indptr[user + 1])
        assert matrix.indices[own].tolist() == list(dict.fromkeys(tracks.tolist()))
        for track, plays, first in zip(matrix.indices[own], matrix.data[own], matrix.first[own], strict=True):
            assert plays == np.count_nonzero(tracks == track)
            assert first == events.time[tracks == track].min()


@pytest.mark.parametrize("block", [10**9, 7])
def test_the_matrix_does_not_depend_on_how_it_is_cut(folder, tmp_path, monkeypatch, block):
    pairs.make_pairs(str(folder), LOG)
    monkeypatch.setattr("common.data.preparation.matrices.BLOCK", block)
    monkeypatch.setattr(pairs, "user_chunks", lambda world: np.array_split(np.arange(world.users), 3))
    pairs.make_pairs(str(tmp_path / "again"), LOG)
    for one, other in zip(*(open_matrix(at / pairs.MATRIX) for at in (folder, tmp_path / "again")), strict=True):
        np.testing.assert_array_equal(one, other)


def test_both_sides_take_turns_and_go_on_where_they_stopped(tmp_path, monkeypatch):
    size, notebook, done = Size(10_000, "parquet", tmp_path, "4GB"), Notebook(tmp_path / "findings.jsonl"), []

    def run(function, **given):
        done.append(function)
        given = {key: str(value) if key == "folder" else value for key, value in given.items()}
        return {"peak_mb": 100.0} | getattr(pairs, function.removeprefix("pairs."))(**given)

    monkeypatch.setattr(pairs, "measured", run)
    with pytest.raises(OverTimeError):
        pairs.contest(size, notebook, 1, 2, time.monotonic() - 1)
    assert not done
    pairs.contest(size, notebook, 1, 2, time.monotonic() + 100)
    assert done == ["pairs.make_pairs", "pairs.ours", "pairs.implicit"]
    assert all(row["iteration_cpu_seconds"] >= 0 for row in notebook.of("als_pairs"))
    ours = scale.Settings(events=10_000, runs=1, iterations=2, folder=tmp_path)
    assert scale.is_done("als-pairs", size, notebook, ours)
    assert not scale.is_done("als-pairs", size, notebook, replace(ours, iterations=3))
    pairs.contest(size, notebook, 2, 2, time.monotonic() + 100)
    assert done[3:] == ["pairs.ours", "pairs.implicit"]


def test_the_table_compares_what_an_iteration_takes(tmp_path):
    notebook, size = Notebook(tmp_path / "findings.jsonl"), Size(800_000_000, "parquet", tmp_path)
    facts = {"events": 800_000_000, "users": 9, "tracks": 8, "pairs": 200_000_000, "iterations": 3}
    for turn, own in enumerate((90.0, 110.0, 130.0)):
        for who, each in (("ours", own), ("implicit", 100.0)):
            cost = {"iteration_cpu_seconds": each, "rest_cpu_seconds": 50.0, "peak_mb": 6_000.0}
            notebook.note("als_pairs", pairs.turn_of(size, who, 3, turn), who=who, **facts, **cost)
    assert tables.blocks(notebook)["scale als-pairs"].splitlines()[2:] == [
        "| 800,000,000 | ours | 9 | 8 | 200,000,000 | 3 | 3 | 0.550 | 1.10 | 50.0 | 6.00 |",
        "| 800,000,000 | implicit | 9 | 8 | 200,000,000 | 3 | 3 | 0.500 | 1.00 | 50.0 | 6.00 |",
    ]


def test_one_iteration_is_refused_as_nothing_would_be_left_to_tell(capsys):
    with pytest.raises(SystemExit):
        scale.main(["--iterations", "1"])
    assert "--iterations" in capsys.readouterr().err
