"""The index: exact where it says so, as good as it promises where not, and nobody else's."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from common.models import vector_index as retrieval
from common.models.vector_index import Index, overlap
from common.splits.histories import Histories
from common.utils.errors import UserError
from common.utils.io import read_json, sha256_file, write_json
from tests.conftest import ROOT


def clustered(n: int, width: int = 16, seed: int = 0) -> np.ndarray:
    """Vectors in 50 clusters, of very different lengths."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=(50, width))
    vectors = centres[rng.integers(0, 50, n)] + 0.3 * rng.normal(size=(n, width))
    return (vectors * rng.gamma(2.0, 0.5, (n, 1))).astype(np.float32)


VECTORS, QUERIES = clustered(3000), clustered(200, seed=1)
BEST = np.argsort(-(QUERIES @ VECTORS.T), axis=1, kind="stable")


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw"])
def test_the_best_products_come_first(kind):
    index = Index(VECTORS, kind, QUERIES)
    codes, scores = index.search(QUERIES, 100)
    assert codes.dtype == np.int64
    assert scores.dtype == np.float32
    assert overlap(BEST[:, :100], codes) >= (1.0 if kind == "flat" else 0.99)
    np.testing.assert_allclose(
        scores, np.take_along_axis(QUERIES @ VECTORS.T, codes, axis=1), rtol=1e-3, atol=1e-3 * np.abs(scores).max()
    )
    assert (np.diff(scores, axis=1) <= 1e-5).all()


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_an_approximate_index_visits_a_part_and_more_if_it_must(kind, monkeypatch):
    index = Index(VECTORS, kind, QUERIES)
    assert 0 < index.visited < (index._index.nlist if kind == "ivf" else len(VECTORS))
    monkeypatch.setattr(retrieval, "GOAL", 0.5)
    assert Index(VECTORS, kind, QUERIES).visited <= index.visited
    if kind == "ivf":
        assert Index(VECTORS, kind, QUERIES).visited < index.visited


def test_long_vectors_are_found_in_cells_too():
    """The one vector that is far longer than all others is the best one for many queries."""
    vectors = np.concatenate([VECTORS, 50 * VECTORS[:1]])
    index = Index(vectors, "ivf", QUERIES)
    wanted = (QUERIES @ vectors.T).argmax(axis=1) == len(VECTORS)
    assert wanted.sum() > 50
    assert (index.search(QUERIES[wanted], 1)[0][:, 0] == len(VECTORS)).mean() > 0.95


def test_a_small_catalogue_is_searched_exactly_and_a_large_one_in_cells(monkeypatch):
    assert Index(VECTORS).kind == "flat"
    monkeypatch.setattr(retrieval, "EXACT_BELOW", 3000)
    assert Index(VECTORS).kind == "ivf"
    assert retrieval.KINDS == ("auto", "flat", "ivf", "hnsw")


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw"])
def test_more_than_there_is_can_be_asked_for(kind):
    few = VECTORS[:5]
    codes, scores = Index(few, kind, QUERIES).search(QUERIES[:2], 9)
    for row, line in zip(codes, scores, strict=True):
        assert sorted(row[:5]) == [0, 1, 2, 3, 4]
        assert (row[5:] == -1).all()
        assert (line[5:] == -np.inf).all()


def test_nobody_asks_nothing():
    assert Index(VECTORS).search(QUERIES[:0], 3)[0].shape == (0, 3)
    with pytest.raises(ValueError, match="at least 1"):
        Index(VECTORS).search(QUERIES, 0)


def test_what_a_history_holds_is_left_out():
    histories = Histories.from_lists([list(row[:n]) for row, n in zip(BEST, [0, 3, 50], strict=False)], len(VECTORS))
    codes, scores = Index(VECTORS).search_new(QUERIES[:3], histories, 10)
    for row, n in enumerate([0, 3, 50]):
        assert codes[row].tolist() == BEST[row, n : n + 10].tolist()
    assert np.isfinite(scores).all()
    everything = Histories.from_lists([list(range(3)), []], 5)
    codes, scores = Index(VECTORS[:5]).search_new(QUERIES[:2], everything, 4)
    assert (codes[0] >= 0).tolist() == [True, True, False, False]
    assert (scores[0] == -np.inf).tolist() == [False, False, True, True]
    assert (codes[1] >= 0).all()


@pytest.mark.parametrize(
    ("vectors", "complaint"), [(np.full((3, 16), np.nan), "not finite"), (np.zeros(3), "shape"), (QUERIES[:, :5], "16")]
)
def test_vectors_that_cannot_be_compared_are_refused(vectors, complaint):
    with pytest.raises(ValueError, match=complaint):
        Index(VECTORS).search(vectors, 3)


def test_another_kind_is_refused():
    with pytest.raises(UserError, match="flat, ivf, hnsw"):
        Index(VECTORS, "lsh")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw"])
def test_a_saved_index_answers_the_same(kind, tmp_path):
    index = Index(VECTORS, kind, QUERIES)
    index.save(tmp_path)
    again = Index.load(tmp_path, VECTORS)
    for one, other in zip(index.search(QUERIES, 20), again.search(QUERIES, 20), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (again.kind, again.visited) == (kind, index.visited)


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw"])
def test_what_another_machine_rounds_otherwise_is_the_same_model(kind, tmp_path):
    Index(VECTORS, kind, QUERIES).save(tmp_path)
    index = Index.load(tmp_path, VECTORS * np.float32(1 + 1e-5))
    assert index.search(VECTORS[:1] * 0 + VECTORS[3], 1)[0].shape == (1, 1)


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_long_histories_and_long_lists_are_answered_as_well(kind):
    """A history of what one has is found in the very cells that are visited first."""
    n = [0, 20, 300, 1000]
    histories = Histories.from_lists([list(row[: n[r % 4]]) for r, row in enumerate(BEST)], len(VECTORS))
    index = Index(VECTORS, kind, QUERIES)
    codes, _ = index.search_new(QUERIES, histories, 100)
    for start, length in enumerate(n):
        wanted = BEST[start::4, length : length + 100]
        assert overlap(wanted, codes[start::4]) >= 0.98, length
    codes, scores = index.search_new(QUERIES[:8], Histories.from_lists([[]] * 8, len(VECTORS)), 2500)
    assert overlap(BEST[:8, :2500], codes) >= 0.98
    assert np.isfinite(scores).all()


def test_what_one_asks_for_does_not_change_what_the_next_one_gets():
    index = Index(VECTORS, "ivf", QUERIES)
    before, visited = index.search(QUERIES, 100), index.visited
    index.search(QUERIES, 2500)
    for one, other in zip(before, index.search(QUERIES, 100), strict=True):
        np.testing.assert_array_equal(one, other)
    assert index.visited == visited


def test_lists_are_no_longer_than_the_catalogue_and_one_long_history_is_searched_apart(monkeypatch):
    asked, plain = [], Index.search

    def noted(index, queries, k):
        asked.append((len(queries), k))
        return plain(index, queries, k)

    monkeypatch.setattr(Index, "search", noted)
    histories = Histories.from_lists([[1], list(range(900)), [2], []], len(VECTORS))
    codes, _ = Index(VECTORS).search_new(QUERIES[:4], histories, 10)
    assert codes.shape == (4, 10)
    assert sorted(asked) == [(1, 10), (1, 1033), (2, 11)]
    assert Index(VECTORS).search_new(QUERIES[:4], histories, 10**12)[0].shape == (4, len(VECTORS))
    asked.clear()
    monkeypatch.setattr(retrieval, "ENTRIES", 2 * len(VECTORS))
    Index(VECTORS).search_new(QUERIES, Histories.from_lists([[]] * len(QUERIES), len(VECTORS)), len(VECTORS))
    assert max(n for n, _ in asked) == 2


def test_the_index_of_other_vectors_is_refused(tmp_path):
    Index(VECTORS).save(tmp_path)
    other = VECTORS.copy()
    other[7, 3] += 0.02 * np.linalg.norm(VECTORS, axis=1).max()
    with pytest.raises(UserError, match=r"another model.*run 5_two_tower\.py"):
        Index.load(tmp_path, other)


@pytest.mark.parametrize("damage", ["missing", "cut off", "flipped", "nothing", "no hash", "another width"])
def test_a_damaged_index_is_refused_before_faiss_reads_it(damage, tmp_path, monkeypatch):
    Index(VECTORS).save(tmp_path)
    file, about = tmp_path / "index.faiss", tmp_path / "index.json"
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    elif damage == "no hash":
        about.write_text(json.dumps({"kind": "flat"}))
    elif damage == "another width":
        about.write_text(about.read_text().replace('"width": 16', '"width": 15'))
    elif damage == "nothing":
        about.unlink()
    else:
        file.write_bytes(content[:-9] if damage == "cut off" else content[:-9] + b"\xff" * 9)
    import faiss

    monkeypatch.setattr(faiss, "deserialize_index", lambda _: pytest.fail("read"))
    with pytest.raises(UserError, match=r"run 5_two_tower\.py"):
        Index.load(tmp_path, VECTORS)


def test_an_index_of_an_earlier_version_has_the_hash_of_its_file(tmp_path):
    Index(VECTORS).save(tmp_path)
    file, about = tmp_path / "index.faiss", read_json(tmp_path / "index.json")
    old = {key: value for key, value in about.items() if key not in ("files", "seal", "format")}
    write_json(tmp_path / "index.json", old | {"sha256": sha256_file(file)})
    assert Index.load(tmp_path, VECTORS).n == len(VECTORS)
    file.write_bytes(file.read_bytes()[:-9] + b"\xff" * 9)
    with pytest.raises(UserError, match=r"is missing or damaged; run 5_two_tower\.py again"):
        Index.load(tmp_path, VECTORS)


def test_what_is_measured_stands_beside_exact_search():
    exact = Index(VECTORS, "flat")
    found = Index(VECTORS, "ivf", QUERIES).measure(exact, QUERIES)
    assert 0.99 <= found.recall <= 1
    assert found.ms > 0 < found.exact_ms
    assert exact.measure(exact, QUERIES).recall == 1


def test_threads_are_given_back():
    import faiss

    before, ours = faiss.omp_get_max_threads(), torch.get_num_threads()
    Index(VECTORS, "ivf", QUERIES).search(QUERIES, 3)
    assert (faiss.omp_get_max_threads(), torch.get_num_threads()) == (before, ours)


@pytest.mark.parametrize("first", ["faiss", "torch"])
def test_faiss_and_torch_live_in_one_process_in_either_order(first):
    """Both train and search with several threads, one after the other, twice."""
    program = f"""
import {first}
import numpy as np, torch
from common.models.vector_index import Index
rng = np.random.default_rng(0)
vectors = rng.normal(size=(3000, 16)).astype(np.float32)
for _ in range(2):
    weights = torch.randn(300, 300, requires_grad=True)
    (weights @ weights).relu().sum().backward()
    codes, _ = Index(vectors, "ivf", vectors[:50]).search(vectors[:5] * 9, 1)
print(codes.ravel().tolist())
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 5


def test_overlap_counts_what_was_wanted():
    assert overlap(np.array([[1, 2, 3, 4]]), np.array([[4, 9, 8, 1]])) == 0.5
