"""The HTTP service under load, over loopback, in one run.

    python -m benchmarks.serve_speed                 # --dataset, --protocol, --preset as for recommend.py

1. Overhead: what HTTP adds to the model's own call, which the service tells of each list (Server-Timing); beside it
   the same call in a process without a server.
2. Requests a second of `similar` and of `recommend` at 1, 8 and 32 connections; `similar` takes turns with a bare
   FastAPI route on the same server that returns the same bytes. What was asked before is answered from memory, so
   `similar` is also timed for items that are asked for the first time. Processor time of the server stands beside it.
3. Mixed requests over 8 connections: failures, and memory after the first tenth and at the end.
4. Feedback writes while the server is killed (SIGKILL) three times: what was acknowledged must be in the store.

Likes go to a store of its own. A bound that is not met is marked, and the exit code is 1.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.serve_speed.client import Event, get, post, run
from benchmarks.serve_speed.measures import (
    Place,
    Rate,
    bodies,
    checked,
    in_process,
    median_rate,
    mixed,
    overhead,
    own_store,
    rate,
    similar_path,
)
from benchmarks.serve_speed.servers import Server, bare, service
from common.data.sources.registry import choose_dataset
from common.experiments.flags import command
from common.serving.http.service import HttpService
from common.serving.store.store import Store
from common.utils.environment import use_one_thread
from common.utils.io import ROOT

CONNECTIONS = (1, 8, 32)
OVERHEAD, SHARE, GROWTH = 3.0, 0.5, 0.05
"""Bounds: milliseconds over the model's own call, share of a bare route's requests a second, growth of memory."""
KILLS = 3
PARTS = (1, 2, 3, 4)


class Report:
    """Prints figures as they come, and remembers bounds that were not met."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def say(self, text: str = "") -> None:
        """One line."""
        print(text, flush=True)

    def bound(self, what: str, met: bool) -> str:
        """The mark of a bound."""
        if not met:
            self.missed.append(what)
        return "" if met else "  <- bound not met"


ROW = "{:34} {:>8} {:>9} {:>9} {:>9}"


def report_overhead(report: Report, server: Server, known: HttpService, turns: int) -> None:
    """Part 1."""
    report.say(f"A list of one model, ms (median of {turns}; bound on the overhead: {OVERHEAD:g})")
    report.say(ROW.format("", "HTTP", "own call", "overhead", "own, here"))
    for model in known.models.available():
        found = overhead(server, known, model, turns)
        mark = report.bound(f"overhead of {model}", found.over <= OVERHEAD)
        report.say(ROW.format(model, *(f"{figure:.2f}" for figure in found)) + mark)
    report.say()


def report_rates(report: Report, server: Server, known: HttpService, model: str, count: int, turns: int) -> None:
    """Part 2."""
    items = np.argsort(-known.catalogue.listeners, kind="stable")
    known_items, others = items[: min(100, len(items) // 2)], items[min(100, len(items) // 2) :]
    paths = [similar_path(known, item, model) for item in known_items]
    answer = checked(run(server.port, [get(path) for path in paths]))[0].body
    report.say(f"Requests a second (median of {turns} turns of {count}); `similar` and `recommend` by {model}")
    report.say(ROW.format("connections", "a second", "median ms", "99% ms", "CPU ms"))
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(answer)
        with bare(Path(file.name)) as beside:
            for connections in CONNECTIONS:
                _beside(report, server, beside, paths, connections, count, turns)
    first = [get(similar_path(known, item, model)) for item in others[:count]]
    _row(report, "similar, never asked before, 8", rate(server, first, 8))
    for connections in CONNECTIONS:
        asked = [post("/v1/recommend", body) for body in bodies(known, max(1, count // 4), [model], connections)]
        _row(report, f"recommend, {connections}", rate(server, asked, connections))
    report.say()


def _beside(
    report: Report, server: Server, beside: Server, paths: Sequence[str], connections: int, count: int, turns: int
) -> None:
    """`similar` and the bare route in turns."""
    ours, theirs = [], []
    for _ in range(turns):
        theirs.append(rate(beside, [get("/bare")] * count, connections))
        ours.append(rate(server, [get(paths[n % len(paths)]) for n in range(count)], connections))
    own, its = median_rate(ours), median_rate(theirs)
    share = statistics.median(a.per_second / b.per_second for a, b in zip(ours, theirs, strict=True))
    mark = report.bound("similar at 8 connections", connections != 8 or share >= SHARE)
    _row(report, f"bare route, {connections}", its)
    _row(report, f"similar, {connections}", own, f"   {share:.2f} of the bare route{mark}")


def _row(report: Report, name: str, found: Rate, more: str = "") -> None:
    figures = (f"{found.per_second:.0f}", f"{found.median:.2f}", f"{found.slow:.2f}", f"{found.cpu:.2f}")
    report.say(ROW.format(name, *figures) + more)


def report_endurance(report: Report, server: Server, known: HttpService, model: str, count: int) -> None:
    """Part 3."""
    requests = mixed(known, model, count)
    replies = list(run(server.port, requests[: count // 10], 8))
    before = server.memory()
    start = time.perf_counter()
    replies += run(server.port, requests[count // 10 :], 8)
    seconds, after = time.perf_counter() - start, server.memory()
    failures = sum(reply.status != 200 for reply in replies)
    grown = after / before - 1
    marks = report.bound("failures", failures == 0) + report.bound("memory", grown < GROWTH)
    report.say(
        f"{count:,} mixed requests over 8 connections: {failures} failures, {0.9 * count / seconds:.0f} a second"
    )
    sizes = f"{before:.0f} MiB after {count // 10:,} requests, {after:.0f} MiB after {count:,}"
    report.say(f"memory: {sizes}, {100 * grown:+.1f}% (bound {100 * GROWTH:g}%){marks}\n")


def report_kills(report: Report, place: Place, known: HttpService, count: int) -> None:
    """Part 4."""
    library = place.output_dir / known.models.store.dataset / "library.sqlite"
    writes, acknowledged, killed = -(-count // KILLS), [], 0
    for kill in range(KILLS):
        with service(place._replace(models=("popularity",)).flags()) as server:
            items = [known.catalogue.item_ids[n % len(known.catalogue)] for n in range(writes)]
            users = [f"kill {kill}, {n}" for n in range(writes)]
            asked = [
                post("/v1/feedback", {"session": user, "item": item, "kind": "like"})
                for user, item in zip(users, items, strict=True)
            ]
            replies = run(server.port, asked, 8, Event((kill + 1) * writes // (KILLS + 1), server.process.kill))
        acknowledged += [
            pair for pair, reply in zip(zip(users, items, strict=True), replies, strict=True) if reply.status == 201
        ]
        killed += sum(reply.status == 0 for reply in replies)
    with Store(library) as store:
        lost = sum(store.feedback.of(user)[0] != [item] for user, item in acknowledged)
    mark = report.bound("feedback", lost == 0 and killed > 0)
    told = f"{len(acknowledged)} acknowledged, {killed} broken off"
    report.say(f"{KILLS * writes:,} feedback writes, {KILLS} SIGKILLs: {told}, {lost} acknowledged ones lost{mark}")


def parser() -> argparse.ArgumentParser:
    """The flags."""
    flags = argparse.ArgumentParser("python -m benchmarks.serve_speed", description=__doc__)
    flags.add_argument("--dataset", default="auto")
    flags.add_argument("--protocol", default="listen")
    flags.add_argument("--preset", default="tuned")
    flags.add_argument("--data-dir", type=Path, default=ROOT / "data")
    flags.add_argument("--output-dir", type=Path, default=ROOT / "outputs")
    flags.add_argument("--models", nargs="*", default=[], help="models whose overhead is measured; all by default")
    flags.add_argument("--model", default="als", help="the model behind similar and recommend")
    flags.add_argument("--parts", nargs="+", type=int, choices=PARTS, default=PARTS, help="those of the list above")
    flags.add_argument("--turns", type=int, default=30, help="lists of each model")
    flags.add_argument("--requests", type=int, default=10_000, help="mixed requests")
    flags.add_argument("--writes", type=int, default=1_000, help="feedback writes")
    flags.add_argument("--rate-requests", type=int, default=1_000, help="requests of each turn of part 2")
    return flags


@command
def main(argv: Sequence[str] | None = None) -> None:
    """All four parts."""
    given = parser().parse_args(argv)
    use_one_thread()
    dataset = choose_dataset(given.dataset, given.data_dir)
    models = tuple(dict.fromkeys([*given.models, given.model])) if given.models else ()
    place = Place(dataset, given.protocol, given.preset, given.data_dir, given.output_dir, models)
    report = Report()
    known = in_process(place)
    known.model(given.model)  # says what to do where it is not trained
    with own_store(place, known.models.store.dataset) as own:
        with service(own.flags()) as server:
            if 1 in given.parts:
                report_overhead(report, server, known, given.turns)
            if 2 in given.parts:
                report_rates(report, server, known, given.model, given.rate_requests, turns=5)
            if 3 in given.parts:
                report_endurance(report, server, known, given.model, given.requests)
        if 4 in given.parts:
            report_kills(report, own, known, given.writes)
    if report.missed:
        print(f"bounds not met: {', '.join(report.missed)}", file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
