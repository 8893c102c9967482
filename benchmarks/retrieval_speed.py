"""Approximate against exact search, over a million vectors that lie as the vectors of trained towers do.

    python -m benchmarks.retrieval_speed --model outputs/lastfm-2k/listen/two_tower/tuned/seed0/model

Item and user vectors of a trained two-tower model are resampled: of each new item one of the trained items is drawn,
and a step away from it is taken as two items of its k-means cluster differ (half the difference of two members drawn at
random). So clusters, their sizes and shapes, and the lengths of the vectors are those of the model. Queries are made
from the user vectors in the same way. Both searches use the same threads, in one process, and take turns.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.cluster import MiniBatchKMeans

from benchmarks.measuring import timed
from common.models.neural.two_tower.model import TwoTower
from common.models.vector_index import DEPTH, Index, one_pool, overlap
from common.utils.environment import threads

CLUSTERS = 256
TURNS = 5


def resample(vectors: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """n vectors that lie as the given ones do; see the module's head. float32 (n, width)."""
    clusters = MiniBatchKMeans(min(CLUSTERS, len(vectors)), random_state=0, n_init=3).fit_predict(vectors)
    order = np.argsort(clusters, kind="stable")
    start = np.searchsorted(clusters[order], np.arange(clusters.max() + 2))
    drawn = rng.integers(0, len(vectors), n)
    first, size = start[clusters[drawn]], np.diff(start)[clusters[drawn]]
    one, other = (order[first + (rng.random(n) * size).astype(int)] for _ in range(2))
    return (vectors[drawn] + (vectors[one] - vectors[other]) / 2).astype(np.float32)


def seconds(index: Index, queries: np.ndarray, at_once: int) -> float:
    """Seconds per query of one pass, so many queries in a call."""
    calls = [queries[place : place + at_once] for place in range(0, len(queries), at_once)]
    return timed(lambda: [index.search(some, DEPTH) for some in calls])[1] / len(queries)


def main() -> None:
    """Build both indexes, let them take turns, print medians."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--model", type=Path, required=True, help="folder of a trained two-tower model")
    reader.add_argument("--items", type=int, default=1_000_000)
    reader.add_argument("--queries", type=int, default=1_000, help="as many others set the index")
    reader.add_argument("--kind", choices=("ivf", "hnsw"), default="ivf")
    flags = reader.parse_args()
    model, rng = TwoTower.load(flags.model), np.random.default_rng(0)
    items = resample(model.item_vectors(), flags.items, rng)
    users = resample(model.user_vectors(np.arange(len(model.histories))), 2 * flags.queries, rng)
    tuning, queries = users[: flags.queries], users[flags.queries :]
    index, built = timed(Index, items, flags.kind, tuning)
    exact = Index(items, "flat")
    wanted, found = exact.search(queries, DEPTH)[0], index.search(queries, DEPTH)[0]
    print(f"{flags.items:,} x {items.shape[1]}, {threads()} threads, {flags.kind} built in {built:.0f} s")
    print(f"a query visits {index.visited} {'cells' if flags.kind == 'ivf' else 'nodes'}")
    print(f"recall@{DEPTH} of queries that did not set it: {overlap(wanted, found):.4f}")
    with one_pool():
        for at_once in (1, len(queries)):
            some = queries[: 100 if at_once == 1 else None]
            turns = np.array([[seconds(one, some, at_once) for one in (exact, index)] for _ in range(TURNS)])
            exact_ms, ms = 1000 * np.median(turns, axis=0)
            ratio = np.median(turns[:, 0] / turns[:, 1])
            times = f"exact {exact_ms:.3f} ms, {flags.kind} {ms:.3f} ms a query"
            print(f"{at_once:>5} a call: {times}, {ratio:.1f} times faster")


if __name__ == "__main__":
    main()
