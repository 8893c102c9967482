"""What is measured of the service: requests, what HTTP adds to a list, and requests a second."""

import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np

from benchmarks.serve_speed.client import Reply, get, post, run
from benchmarks.serve_speed.servers import Server
from common.data.dataset import load_dataset
from common.data.synthetic.settings import SyntheticSettings
from common.serving.http.schemas import RecommendRequest
from common.serving.http.service import HttpService
from common.serving.model_store import ModelStore
from common.splits.train_view import load_train_view


class Place(NamedTuple):
    """Where data and models lie, and who is asked."""

    dataset: str
    protocol: str
    preset: str
    data_dir: Path
    output_dir: Path
    models: tuple[str, ...]

    def flags(self) -> list[str]:
        """Flags of `python -m common serve`."""
        names = ("dataset", "protocol", "preset", "data_dir", "output_dir")
        flags = [f"--{name.replace('_', '-')}={getattr(self, name)}" for name in names]
        return [*flags, *(("--models", *self.models) if self.models else ())]


def in_process(place: Place) -> HttpService:
    """The same service in this process, its models loaded."""
    train = load_train_view(load_dataset(place.dataset, place.data_dir), place.protocol, "final")
    where = (place.data_dir, place.output_dir, SyntheticSettings())
    found = HttpService(train, ModelStore.of(place.dataset, place.protocol, place.preset, *where), place.models)
    found.models.refresh()
    found.asked(None)  # says what to do where there is none
    return found


@contextlib.contextmanager
def own_store(place: Place, dataset: str) -> Iterator[Place]:
    """A place with the same models and an empty store."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / dataset).mkdir()
        (Path(folder) / dataset / place.protocol).symlink_to((place.output_dir / dataset / place.protocol).resolve())
        yield place._replace(output_dir=Path(folder))


def bodies(known: HttpService, count: int, models: Sequence[str], seed: int) -> list[dict[str, Any]]:
    """Requests of people who like 1 to 10 of the 500 best-known items."""
    rng = np.random.default_rng(seed)
    best = np.argsort(-known.catalogue.listeners, kind="stable")[:500]
    found = []
    for _ in range(count):
        liked = rng.choice(best, size=rng.integers(1, min(11, len(best))), replace=False)
        likes = [{"item": known.catalogue.item_ids[item], "plays": int(rng.integers(1, 500))} for item in liked]
        found.append({"likes": likes, "k": 10, "models": list(models)})
    return found


def similar_path(known: HttpService, item: int, model: str) -> str:
    """The path of a question about an item."""
    return f"/v1/similar?item={quote('id:' + known.catalogue.item_ids[item])}&k=10&model={model}"


class Overhead(NamedTuple):
    """Medians in milliseconds: a list over HTTP, the model's own call of it in the service, what HTTP adds, and the
    same call in this process."""

    http: float
    own: float
    over: float
    elsewhere: float


def overhead(server: Server, known: HttpService, model: str, turns: int) -> Overhead:
    """Lists of one model over HTTP, of which the service tells the model's part, then the same lists here."""
    asked, elsewhere = bodies(known, turns + 1, [model], seed=1), []
    replies = checked(run(server.port, [post("/v1/recommend", body) for body in asked]))[1:]
    for body in asked:
        profile, _, _ = known.profile(RecommendRequest(**body))
        start = time.perf_counter()
        known.recommend(model, profile, 10)
        elsewhere.append(time.perf_counter() - start)
    columns = (
        [reply.seconds for reply in replies],
        [reply.model_seconds for reply in replies],
        [reply.seconds - reply.model_seconds for reply in replies],
        elsewhere[1:],
    )
    return Overhead(*(1000 * statistics.median(column) for column in columns))


def checked(replies: Sequence[Reply], *statuses: int) -> Sequence[Reply]:
    """The replies, all of status 200 (or the given ones)."""
    wrong = [reply for reply in replies if reply.status not in (statuses or (200,))]
    if wrong:
        raise SystemExit(f"{len(wrong)} of {len(replies)} requests failed: {wrong[0].status} {wrong[0].body[:300]!r}")
    return replies


class Rate(NamedTuple):
    """Requests a second, median and 99th percentile of the time of one in ms, processor time of one in ms."""

    per_second: float
    median: float
    slow: float
    cpu: float


def rate(server: Server, requests: Sequence[bytes], connections: int) -> Rate:
    """Ask, and measure."""
    cpu, start = server.cpu_seconds(), time.perf_counter()
    replies = checked(run(server.port, requests, connections))
    seconds, cpu = time.perf_counter() - start, server.cpu_seconds() - cpu
    times = [1000 * reply.seconds for reply in replies]
    return Rate(
        len(replies) / seconds, statistics.median(times), float(np.quantile(times, 0.99)), 1000 * cpu / len(times)
    )


def median_rate(rates: Sequence[Rate]) -> Rate:
    """The median of each figure of several turns."""
    return Rate(*(statistics.median(column) for column in zip(*rates, strict=True)))


def mixed(known: HttpService, model: str, count: int) -> list[bytes]:
    """Requests of all kinds, three in ten of them lists."""
    rng, n_items = np.random.default_rng(7), len(known.catalogue)
    asked = iter(bodies(known, count, [model], seed=9))
    names = [str(known.catalogue.names[item]) for item in rng.integers(n_items, size=count)]
    found = []
    for n in range(count):
        if n % 10 < 3:
            found.append(post("/v1/recommend", next(asked)))
        elif n % 10 < 7:
            found.append(get(similar_path(known, int(rng.integers(n_items)), model)))
        elif n % 10 < 9:
            found.append(get(f"/v1/items?q={quote(names[n][:4])}"))
        else:
            found.append(get("/v1/models"))
    return found
