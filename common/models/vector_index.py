"""Nearest vectors by inner product, through FAISS: an index of a catalogue's vectors, exact or approximate.

Up to 100,000 vectors are compared one by one (`flat`). Above that they lie in cells (`ivf`, an inverted file: k-means
cells of which a query visits the nearest few, Jegou et al. 2011) or in a graph (`hnsw`, Malkov & Yashunin 2020); how
many cells or nodes are visited is chosen on sample queries, so that recall@100 against exact search meets a goal. Cells
and graphs are made for distances, among which long vectors have no place of their own. So each vector v gets one more
number, sqrt(M^2 - |v|^2) with M the longest one's length, and a query a 0: then the nearest is the one of largest
product (Bachrach et al. 2014).

FAISS is imported where an index is made, after torch if both are used, and given its number of threads for each call:
each library keeps its own pool. On macOS, where the two pools clash, it works with one thread.
"""

import sys
import timeit
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from common.splits.histories import Histories
from common.utils.environment import threads
from common.utils.errors import UserError, check_known
from common.utils.io import read_checked, read_json, write_checked, write_json
from common.utils.manifests import entries, fault, is_intact, sealed
from common.utils.temporary import swapped_in

FILE = "index.faiss"
Kind = Literal["auto", "flat", "ivf", "hnsw"]
KINDS = ("auto", "flat", "ivf", "hnsw")
EXACT_BELOW = 100_000
"""Catalogues below this many vectors are searched exactly."""
GOAL = 0.99
"""Recall@100 that an approximate index has to meet."""
MARGIN = 0.004
"""Recall required beyond that on sample queries, since other queries have a little less."""
DEPTH = 100
"""Length of the lists by which recall is measured."""
SAMPLE = 1_000
"""Queries on which recall is measured and the search is set."""
LINKS = 32
"""Neighbours of a node of the graph."""
TRAINING = 64
"""Vectors per cell from which the cells are learned."""
ENTRIES = 2**23
"""Results that one search may hold in memory."""
BLOCK = 2**16
"""Vectors that are compared at once with those of an index."""
ROUNDING = 0.01
"""How far vectors of the same weights may differ between two machines, as a share of the longest one's length."""


@dataclass(frozen=True)
class Search:
    """How well and how fast an index answers, beside exact search on the same threads."""

    kind: str
    visited: int
    """Cells (ivf) or nodes (hnsw) that a query visits; 0 where all vectors are."""
    recall: float
    """Share of the exact first 100 that are found, mean over queries."""
    ms: float
    """Milliseconds per query, all queries in one call."""
    exact_ms: float
    """The same of exact search."""


class Index:
    """Vectors of a catalogue, ready to be searched by inner product."""

    _own: np.ndarray | None = None
    """Vectors that are known to be those of the index."""

    def __init__(self, vectors: np.ndarray, kind: Kind = "auto", queries: np.ndarray | None = None) -> None:
        """Index float32 vectors (n, width). `queries`, float32 (m, width), are like those to come: on them an
        approximate index is set; without them, on some of the vectors themselves."""
        check_known("index", KINDS, kind)
        vectors = checked(vectors, "vectors")
        self.n, self.width = vectors.shape
        self.kind = kind if kind != "auto" else ("flat" if self.n < EXACT_BELOW else "ivf")
        self.visited = 0
        self.longest = float(np.linalg.norm(vectors, axis=1).max(initial=0))
        with one_pool() as faiss:
            self._index = make_index(faiss, self.kind, vectors if self.kind == "flat" else lifted(vectors))
        if self.kind != "flat":
            self._set(vectors, vectors[_some(self.n, SAMPLE)] if queries is None else queries)

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k vectors of largest inner product with each query, best first: codes int64 and scores float32, (m, k).

        Where there are fewer than k, the rest are -1 and -inf.
        """
        queries = checked(queries, "queries", self.width)
        if k < 1:
            raise ValueError(f"k is {k}; ask for at least 1")
        within = min(k, self.n)
        codes = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        if len(queries):
            with one_pool():
                scores[:, :within], codes[:, :within] = self._nearest(queries, within)
        scores[codes < 0] = -np.inf
        return codes, scores

    def _nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Products and codes of one search. Lists longer than DEPTH visit more, in proportion, and one that comes back
        short of k visits everything."""
        if self.kind == "flat":
            return self._index.search(queries, k)
        padded = np.pad(queries, ((0, 0), (0, 1)))
        squares, codes = self._visit(padded, k, -(-self.visited * max(k, DEPTH) // DEPTH))
        if (short := (codes < 0).any(axis=1)).any():
            squares[short], codes[short] = self._visit(padded[short], k, self._most)
        lengths = np.einsum("ij,ij->i", queries, queries)[:, None] + self.longest**2
        return ((lengths - squares) / 2).astype(np.float32), codes

    def search_new(self, queries: np.ndarray, histories: Histories, k: int) -> tuple[np.ndarray, np.ndarray]:
        """`search` without what each query's history holds: query r goes with history r.

        Shapes (m, min(k, n)): where the catalogue has fewer new items for a user, the rest are -1 and -inf. Queries
        with histories of like length are searched together, at most ENTRIES results at once.
        """
        width = min(k, self.n)
        codes = np.full((len(queries), width), -1, np.int64)
        scores = np.full((len(queries), width), -np.inf, np.float32)
        depths = np.minimum(self.n, k + 2 ** np.ceil(np.log2(histories.lengths + 1)).astype(np.int64) - 1)
        for depth in np.unique(depths):
            equal = np.flatnonzero(depths == depth)
            for rows in np.array_split(equal, -(-len(equal) * int(depth) // ENTRIES)):
                codes[rows], scores[rows] = self._new(queries[rows], histories.take(rows), int(depth), width)
        return codes, scores

    def _new(self, queries: np.ndarray, histories: Histories, depth: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """The first `width` of `depth` results that are new."""
        codes, scores = self.search(queries, depth)
        keys = np.arange(len(codes))[:, None] * np.int64(self.n) + codes
        new = (codes >= 0) & ~np.isin(keys, histories.rows * np.int64(self.n) + histories.items)
        order = np.argsort(~new, axis=1, kind="stable")[:, :width]
        kept = np.take_along_axis(new, order, axis=1)
        codes = np.where(kept, np.take_along_axis(codes, order, axis=1), -1)
        return codes, np.where(kept, np.take_along_axis(scores, order, axis=1), -np.inf).astype(np.float32)

    def measure(self, exact: "Index", queries: np.ndarray) -> Search:
        """Recall@100 and time per query, beside an exact index of the same vectors."""
        queries = checked(queries, "queries", self.width)
        depth = min(DEPTH, self.n)
        (expected, exact_seconds), (found, seconds) = (_timed(index, queries, depth) for index in (exact, self))
        per_query = 1000 / max(1, len(queries))
        recall = overlap(expected, found)
        return Search(self.kind, self.visited, recall, seconds * per_query, exact_seconds * per_query)

    def save(self, folder: Path) -> None:
        """Write `index.faiss`, and `index.json`, which vouches for it; both at once."""
        with one_pool() as faiss:
            content = faiss.serialize_index(self._index).tobytes()
        about = {name: getattr(self, name) for name in ("kind", "visited", "n", "width", "longest")}
        with swapped_in(folder) as fresh:
            write_checked(fresh / FILE, content)
            write_json(fresh / "index.json", sealed(about | {"files": entries(fresh, [FILE])}))

    @classmethod
    def load(cls, folder: Path, vectors: np.ndarray) -> "Index":
        """Read a saved index; refuses one that is damaged, and one that was not made of these vectors."""
        if not (folder / "index.json").exists():
            raise UserError(f"{folder} holds no index; run 5_two_tower.py to make one")
        about = read_json(folder / "index.json")
        index = cls.__new__(cls)
        try:
            index.kind, index.visited = about["kind"], int(about["visited"])
            index.n, index.width, index.longest = int(about["n"]), int(about["width"]), float(about["longest"])
            if "seal" in about:
                content, wrong = (folder / FILE).read_bytes(), fault(folder / FILE, about["files"][FILE])
            else:  # of an earlier version
                content, wrong = read_checked(folder / FILE, about["sha256"]), ""
            whole = is_intact(about)
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise UserError(f"the index in {folder} is missing or damaged; run 5_two_tower.py again") from error
        if wrong or not whole:  # looked at before FAISS reads it, which trusts what it reads
            raise UserError(f"{folder / FILE} {wrong or 'is damaged'}; run 5_two_tower.py again")
        with one_pool() as faiss:
            index._index = faiss.deserialize_index(np.frombuffer(content, np.uint8))
        index.belongs_to(vectors)
        return index

    def belongs_to(self, vectors: np.ndarray) -> None:
        """Raise a UserError unless the index was made of these vectors, up to the rounding of another machine."""
        if vectors is self._own:
            return
        given = checked(vectors, "vectors")
        if given.shape != (self.n, self.width) or not self._holds(given):
            raise UserError("this index is that of another model; run 5_two_tower.py again to make its own")
        self._own = vectors

    def _holds(self, vectors: np.ndarray) -> bool:
        """Whether the vectors in the index are these, within ROUNDING of the longest one's length."""
        if self.kind == "ivf":
            self._index.make_direct_map()
        for start in range(0, self.n, BLOCK):
            part = vectors[start : start + BLOCK]
            kept = self._index.reconstruct_n(start, len(part))[:, : self.width]
            if np.abs(kept - part).max(initial=0) > ROUNDING * self.longest:
                return False
        return True

    def _set(self, vectors: np.ndarray, queries: np.ndarray) -> None:
        """Visit as few cells or nodes as the goal allows: doubled until it is met, then halved in between."""
        queries = checked(queries, "queries", self.width)[:SAMPLE]
        depth = min(DEPTH, self.n)
        with one_pool() as faiss:
            expected = make_index(faiss, "flat", vectors).search(queries, depth)[1]
            most, padded = self._most, np.pad(queries, ((0, 0), (0, 1)))

            def meets(visited: int) -> bool:
                return overlap(expected, self._visit(padded, depth, visited)[1]) >= GOAL + MARGIN

            high = 1 if self.kind == "ivf" else depth
            while high < most and not meets(high):
                high = min(most, 2 * high)
            low = high // 2
            while high - low > max(1, high // 16):
                middle = (low + high) // 2
                low, high = (low, middle) if meets(middle) else (middle, high)
            self.visited = high

    @property
    def _most(self) -> int:
        """Cells or nodes that there are."""
        return self._index.nlist if self.kind == "ivf" else self.n

    def _visit(self, padded: np.ndarray, k: int, visited: int) -> tuple[np.ndarray, np.ndarray]:
        """Squared distances and codes, -1 beyond what so many cells hold or nodes lead to."""
        if self.kind == "ivf":
            self._index.nprobe = min(visited, self._most)
        else:
            self._index.hnsw.efSearch = min(visited, self._most)
        return self._index.search(padded, k)


class one_pool:  # noqa: N801 - reads as what it does: `with one_pool() as faiss`
    """FAISS with this process's threads while a block runs, and with what it had after it."""

    def __enter__(self) -> Any:
        """Import FAISS and set its threads."""
        import faiss

        self.before = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1 if sys.platform == "darwin" else threads())
        return faiss

    def __exit__(self, *_: object) -> None:
        """Give the threads back."""
        import faiss

        faiss.omp_set_num_threads(self.before)


def make_index(faiss: Any, kind: str, vectors: np.ndarray) -> Any:
    """A FAISS index of vectors, float32 (n, width), trained and filled."""
    n, width = vectors.shape
    if kind == "flat":
        index = faiss.IndexFlatIP(width)
    elif kind == "hnsw":
        index = faiss.IndexHNSWFlat(width, LINKS)
    else:
        cells = max(1, int(2 * n**0.5))
        index = faiss.IndexIVFFlat(faiss.IndexFlatL2(width), width, min(n, cells))
        index.cp.seed, index.cp.min_points_per_centroid = 0, 1
        index.train(vectors[_some(n, TRAINING * cells)])
    index.add(vectors)
    return index


def lifted(vectors: np.ndarray) -> np.ndarray:
    """Vectors with one more number, so that all have the length of the longest, float32 (n, width + 1).

    >>> lifted(np.array([[3.0, 0.0], [0.0, 5.0]], np.float32))
    array([[3., 0., 4.],
           [0., 5., 0.]], dtype=float32)
    """
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    rest = np.sqrt(squares.max(initial=0) - squares)
    return np.concatenate([vectors, rest[:, None]], axis=1).astype(np.float32)


def overlap(expected: np.ndarray, found: np.ndarray) -> float:
    """Share of the expected codes that are found, mean over rows; 1 where none are expected.

    >>> overlap(np.array([[1, 2], [3, 4]]), np.array([[2, 9], [4, 3]]))
    0.75
    """
    if not expected.size:
        return 1.0
    shared = [len(np.intersect1d(one, other)) for one, other in zip(expected, found, strict=True)]
    return float(np.mean(shared) / expected.shape[1])


def checked(vectors: np.ndarray, what: str, width: int | None = None) -> np.ndarray:
    """Vectors as FAISS wants them, float32 and contiguous; a ValueError for others and for values that are not
    finite."""
    vectors = np.ascontiguousarray(vectors, np.float32)
    if vectors.ndim != 2 or (width is not None and vectors.shape[1] != width):
        raise ValueError(f"{what} of shape {vectors.shape}, the index has vectors of {width or 'some'} numbers")
    if not np.isfinite(vectors).all():
        raise ValueError(f"{what} that are not finite cannot be compared")
    return vectors


def _some(n: int, most: int) -> np.ndarray:
    """At most `most` places of n, the same ones each time."""
    return np.arange(n) if n <= most else np.sort(np.random.default_rng(0).permutation(n)[:most])


def _timed(index: Index, queries: np.ndarray, depth: int) -> tuple[np.ndarray, float]:
    """Codes of one search, and the seconds of the fastest of three."""
    seconds = min(timeit.repeat(lambda: index.search(queries, depth), number=1, repeat=3))
    return index.search(queries, depth)[0], seconds
