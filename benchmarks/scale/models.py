"""What comes after the preparation: the split, popularity, ALS, the index of similar tracks, lists and all measures."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.notebook import Notebook
from benchmarks.scale.child import OverTimeError, cpu_seconds, measured
from benchmarks.scale.logs import is_prepared, prepare
from benchmarks.scale.sizes import Size

if TYPE_CHECKING:
    from common.evaluation.task import Task

PROTOCOL = "temporal"
FACTORS, ITERATIONS = 64, 15
QUERIES = 1_000
"""Tracks, and users, whose exact neighbours are looked up to tell the recall of an index."""
SHOWN = ("ndcg_10", "recall_20", "coverage_10", "novelty_10")
Asked = dict[str, Any]


class Spent:
    """Seconds and CPU seconds of a block within a process."""

    def __enter__(self) -> "Spent":
        """Start."""
        self.seconds, self.cpu = time.perf_counter(), cpu_seconds()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop."""
        self.seconds, self.cpu = time.perf_counter() - self.seconds, cpu_seconds() - self.cpu

    def named(self, name: str) -> dict[str, float]:
        """Both, under a name."""
        return {f"{name}_seconds": round(self.seconds, 3), f"{name}_cpu_seconds": round(self.cpu, 3)}


def task_of(prepared: str, memory: str) -> "Task":
    """The task of the data set's own split."""
    from common.data.dataset import load_dataset
    from common.evaluation.task import Task
    from common.splits.store import folder_name
    from common.utils import memory as limits

    limits.use(memory)
    return Task(load_dataset(prepared, Path(prepared).parent / "data"), folder_name(PROTOCOL, 0))


def split(prepared: str, memory: str) -> Asked:
    """Load the data set, draw the split, open the train view."""
    train = task_of(prepared, memory).train_valid
    return {"users": train.n_users, "items": train.n_items, "pairs": int(train.histories.lengths.sum())}


def popularity(prepared: str, memory: str) -> Asked:
    """Fit the popular list and measure it on the test users."""
    from common.models.baselines import Popularity

    task = task_of(prepared, memory)
    with Spent() as fit:
        model = Popularity().fit(task.train_valid)
    with Spent() as evaluation:
        found = task.test.evaluate(model)
    metrics = {name: found.metrics[name] for name in SHOWN}
    return fit.named("fit") | evaluation.named("evaluate") | {"users": len(found.per_user), "metrics": metrics}


def als(prepared: str, memory: str, folder: str) -> Asked:
    """Our ALS, from the train view to factors; kept for the parts that follow."""
    model = _als()
    train = task_of(prepared, memory).train_valid
    with Spent() as fit:
        model.fit(train)
    with Spent() as last:
        _ = model.user_factors
    model.save(Path(folder))
    return fit.named("fit") | last.named("last_half_step") | {"pairs": int(train.histories.lengths.sum())}


def unfitted(implicit: Any, settings: Any) -> Any:
    """The library's own ALS with our settings."""
    from common.utils.environment import threads

    return implicit.cpu.als.AlternatingLeastSquares(
        factors=settings.factors,
        regularization=settings.regularisation,
        iterations=settings.iterations,
        random_state=0,
        num_threads=threads(),
    )


def bare_als(prepared: str, memory: str) -> Asked:
    """The library `implicit` alone on the same matrix."""
    from common.models.linear.als import one_blas_thread

    settings, train = _als().settings, task_of(prepared, memory).train_valid
    matrix = _als().confidences(train.histories)
    with one_blas_thread() as implicit, Spent() as fit:
        unfitted(implicit, settings).fit(matrix, show_progress=False)
    return fit.named("fit") | {"pairs": matrix.nnz}


def _als() -> Any:
    from common.models.linear.als import ALS, ALSSettings

    return ALS(ALSSettings(factors=FACTORS, iterations=ITERATIONS))


def index(model: str) -> Asked:
    """The index of similar tracks: unit vectors of ALS, their neighbours through FAISS against exact ones."""
    from common.models.linear.als import ALS
    from common.models.vector_index import DEPTH, Index

    factors = ALS.load(Path(model)).item_factors
    lengths = np.linalg.norm(factors, axis=1, keepdims=True)
    unit = np.ascontiguousarray(factors / np.maximum(lengths, 1e-12), np.float32)
    chosen = np.random.default_rng(0).permutation(len(unit))[: 2 * QUERIES]
    with Spent() as build:
        made = Index(unit, queries=unit[chosen[:QUERIES]])
    found = made.measure(Index(unit, "flat"), unit[chosen[QUERIES:]])
    return build.named("build") | {"tracks": len(unit), "depth": DEPTH} | vars(found)


def lists(prepared: str, memory: str, model: str) -> Asked:
    """Lists and full ranks of all test users, against the bare product; all measures; re-ranked lists, measured too."""
    from common.models.linear.als import ALS
    from common.reranking.item_facts import Reranking, item_facts
    from common.reranking.rerank import reorder
    from common.reranking.stored_lists import PLACES, reordered

    with Spent() as opening:
        evaluator = task_of(prepared, memory).test
    fitted, batches = ALS.load(Path(model)), []

    def score(rows: np.ndarray) -> np.ndarray:
        batches.append(rows)
        return evaluator.scores_of(fitted, rows)

    with Spent() as ranking:
        ranked = evaluator.rank_scores(score)
    product = _product(fitted, [evaluator.holdout.codes[rows] for rows in batches])
    with Spent() as measuring:
        plain = evaluator.evaluate_ranking(ranked)
    with Spent() as reranking:
        facts, wishes = item_facts(evaluator.train), Reranking(one_version=True, per_artist=2)
        better = reorder(ranked.items, ranked.scores, evaluator.given, facts, wishes, PLACES)
        again = reordered(evaluator, ranked, *better)
    with Spent() as measuring_again:
        best = evaluator.evaluate_ranking(again)
    return {
        **opening.named("open"),
        **ranking.named("rank"),
        **product.named("product"),
        **measuring.named("measure"),
        **reranking.named("rerank"),
        **measuring_again.named("measure_again"),
        "users": len(ranked.items),
        "items": evaluator.train.n_items,
        "twice": [_versions(lists, facts.groups) for lists in (ranked.items, again.items)],
        "metrics": [{name: found.metrics[name] for name in SHOWN} for found in (plain, best)],
    }


def _product(model: Any, batches: list[np.ndarray]) -> Spent:
    """Scores of the same batches of users and nothing else."""
    users, items = model.user_factors, model.item_factors.T
    with Spent() as product:
        for codes in batches:
            _ = users[codes] @ items
    return product


def _versions(items: np.ndarray, groups: np.ndarray, k: int = 10) -> int:
    """How many lists hold two versions of one work among the first k."""
    first = np.sort(np.where(items[:, :k] >= 0, groups[items[:, :k]], -1 - np.arange(k)), axis=1)
    return int((first[:, 1:] == first[:, :-1]).any(axis=1).sum())


def faiss_lists(prepared: str, memory: str, model: str) -> Asked:
    """Lists alone through FAISS: what a user has is left out, no ranks."""
    from common.models.linear.als import ALS
    from common.models.vector_index import DEPTH, Index

    evaluator, fitted = task_of(prepared, memory).test, ALS.load(Path(model))
    users = fitted.user_factors[evaluator.holdout.codes[evaluator.holdout.codes >= 0]]
    given = evaluator.given.take(np.flatnonzero(evaluator.holdout.codes >= 0))
    chosen = np.random.default_rng(0).permutation(len(users))[: 2 * QUERIES]
    with Spent() as build:
        made = Index(fitted.item_factors, queries=users[chosen[: len(chosen) // 2]])
    with Spent() as search:
        made.search_new(users, given, DEPTH)
    found = made.measure(Index(fitted.item_factors, "flat"), users[chosen[len(chosen) // 2 :]])
    return build.named("build") | search.named("search") | {"users": len(users)} | vars(found)


def follow(size: Size, notebook: Notebook, part: str, runs: int, deadline: float) -> None:
    """One of the parts `split`, `popularity`, `als`, `index`, `lists`; what it needs is made where it is gone."""
    if not is_prepared(size):
        prepare(size, notebook, deadline)
    given = {"prepared": size.prepared, "memory": size.memory}
    model = size.place / "als"
    if part in ("split", "popularity"):
        notebook.note(part, size.name, **measured(f"models.{part}", **given))
    if part == "als":
        _take_turns(size, notebook, runs, deadline, given | {"folder": model})
    if part in ("index", "lists") and not (model / "model.json").exists():
        measured("models.als", **given, folder=model)
    if part == "index":
        notebook.note(part, size.name, **measured("models.index", model=model))
    if part == "lists":
        for name, function in (("lists", "lists"), ("faiss", "faiss_lists")):
            if not notebook.has(name, size.name):
                notebook.note(name, size.name, **measured(f"models.{function}", **given, model=model))


def _take_turns(size: Size, notebook: Notebook, runs: int, deadline: float, given: Asked) -> None:
    for turn in range(runs):
        for function in ("als", "bare_als"):
            name = f"{size.name} {function} turn {turn}"
            if notebook.has("als_turn", name):
                continue
            if time.monotonic() > deadline:
                raise OverTimeError
            asked = {key: value for key, value in given.items() if function == "als" or key != "folder"}
            notebook.note("als_turn", name, size=size.name, who=function, **measured(f"models.{function}", **asked))
    notebook.note("als", size.name, runs=runs)
