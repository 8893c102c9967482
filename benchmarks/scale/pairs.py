"""ALS against `implicit` on (user, track, plays) counted straight from the generator: no raw files, no steps."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.notebook import Notebook
from benchmarks.scale.child import OverTimeError, cpu_seconds, measured
from benchmarks.scale.sizes import Size
from common.data.matrix_files import KINDS
from common.data.synthetic.raw.draws import events_of, plays_of, user_chunks
from common.data.synthetic.raw.world import PERSON, RawLogSettings, World, build_world

if TYPE_CHECKING:
    from common.models.linear.als import ALSSettings
    from common.splits.train_view import TrainView

FACTORS = 64
SIDES = ("ours", "implicit")
"""Who takes turns: functions of this module."""
MATRIX = "matrix"


def make_pairs(folder: str, log: dict[str, Any]) -> dict[str, Any]:
    """Write the matrix of all pairs of a log's people, a few users at a time; how many there are of everything."""
    from common.data.preparation.matrices import BLOCK, MatrixWriter
    from common.utils.temporary import swapped_in

    world, names = build_world(RawLogSettings(**log)), ("indices", "data", "first")
    lengths = np.zeros(world.users, np.int64)
    with swapped_in(Path(folder)) as fresh:
        with ExitStack() as stack:
            files = [stack.enter_context((fresh / name).open("wb")) for name in names]
            for users in user_chunks(world):
                user, *columns = pairs_of(world, users)
                lengths[users] = np.bincount(user - users[0], minlength=len(users))
                for file, name, values in zip(files, names, columns, strict=True):
                    file.write(values.astype(KINDS[name]).data)
        pairs = int(lengths.sum())
        matrix = MatrixWriter(fresh / MATRIX, pairs)  # the number of pairs stands ahead of them
        flat = [np.memmap(fresh / name, KINDS[name], "r") for name in names]
        for start in range(0, pairs, BLOCK):
            matrix.add(*(values[start : start + BLOCK] for values in flat))
        matrix.close(lengths)
        for name in names:
            (fresh / name).unlink()
    return {"users": int(np.count_nonzero(lengths)), "tracks": world.tracks, "pairs": pairs}


def pairs_of(world: World, users: np.ndarray) -> tuple[np.ndarray, ...]:
    """User, track, plays and second of the first play, int64 each, of the people among some users; by user, then time.

    Repeated and broken rows, which the steps drop, do not count.
    """
    events = events_of(world, users[world.kind[users] == PERSON])  # of each user in the order of time
    keys = events.user * world.tracks + plays_of(world, events).track
    pairs, first, plays = np.unique(keys, return_index=True, return_counts=True)
    order = np.argsort(first)
    return pairs[order] // world.tracks, pairs[order] % world.tracks, plays[order], events.time[first[order]]


def view_of(folder: str, tracks: int, memory: str) -> "TrainView":
    """All pairs as a model sees them, mapped."""
    import pandas as pd

    from benchmarks.measuring import mapped_view
    from common.utils import memory as limits

    limits.use(memory)
    return mapped_view(Path(folder) / MATRIX, pd.DataFrame({"item_id": [f"t{code}" for code in range(tracks)]}))


def ours(folder: str, tracks: int, memory: str, iterations: int) -> dict[str, Any]:
    """Our fit, from the mapped matrix to item factors."""
    from common.models.linear.als import ALS
    from common.training.context import FitContext

    view, ticks = view_of(folder, tracks, memory), [cpu_seconds()]
    context = FitContext(report=lambda values, iteration: ticks.append(cpu_seconds()))
    ALS(_settings(iterations), seed=0).fit(view, context=context)
    return _spent([*ticks, cpu_seconds()])


def implicit(folder: str, tracks: int, memory: str, iterations: int) -> dict[str, Any]:
    """The library alone, which is handed the matrix of confidences."""
    from benchmarks.scale.models import unfitted
    from common.models.linear.als import ALS, one_blas_thread

    settings = _settings(iterations)
    matrix = ALS(settings).confidences(view_of(folder, tracks, memory).histories)
    with one_blas_thread() as library:
        model = unfitted(library, settings)
        ticks = [cpu_seconds()]
        model.fit(matrix, show_progress=False, callback=lambda *about: ticks.append(cpu_seconds()))
    return _spent([*ticks, cpu_seconds()])


def _settings(iterations: int) -> "ALSSettings":
    from common.models.linear.als import ALSSettings

    return ALSSettings(factors=FACTORS, iterations=iterations)


def _spent(ticks: list[float]) -> dict[str, float]:
    """CPU seconds of an iteration and of what else the fit does, from those at its start, after each iteration, at its
    end: the first iteration is left out of the mean, as the matrix is turned before it.

    >>> _spent([10.0, 16.0, 20.0, 24.0, 25.0])
    {'iteration_cpu_seconds': 4.0, 'rest_cpu_seconds': 3.0}
    """
    iterations = len(ticks) - 2
    each = (ticks[-2] - ticks[1]) / (iterations - 1)
    return {"iteration_cpu_seconds": each, "rest_cpu_seconds": ticks[-1] - ticks[0] - iterations * each}


def contest(size: Size, notebook: Notebook, runs: int, iterations: int, deadline: float) -> None:
    """Part `als-pairs`: both sides take turns on the same matrix, each in a process of its own; every turn is noted."""
    folder = size.folder / f"{size.events}-pairs"
    for turn in range(runs):
        for side in SIDES:
            name = turn_of(size, side, iterations, turn)
            if notebook.has("als_pairs", name):
                continue
            if time.monotonic() > deadline:
                raise OverTimeError
            if not folder.exists() or not notebook.has("pairs", str(size.events)):
                made = measured("pairs.make_pairs", folder=folder, log={"events": size.events})
                notebook.note("pairs", str(size.events), **made)
            facts = {key: notebook.findings["pairs", str(size.events)][key] for key in ("users", "tracks", "pairs")}
            given = {"folder": folder, "tracks": facts["tracks"], "memory": size.memory, "iterations": iterations}
            took = measured(f"pairs.{side}", **given)
            notebook.note("als_pairs", name, events=size.events, who=side, iterations=iterations, **facts, **took)


def turn_of(size: Size, side: str, iterations: int, turn: int) -> str:
    """The name of a turn in the notebook."""
    return f"{size.events} {side} {iterations} iterations turn {turn}"
