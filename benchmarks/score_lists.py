"""Measures of 1,892 ready lists of 100 items: this repository against RecTools, the same lists in the same run.

`python -m benchmarks.score_lists --rectools-python PATH` from the root of the repository; README.md beside this file
says what is compared. RecTools runs in an environment of its own: this script starts itself there as a worker, which
imports nothing of `common`, and the two take turns.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measuring import Worker, timed, train_view

CUTOFFS = (5, 10, 20)
N_USERS, N_ITEMS, DEPTH, OWNED, GENRES = 1892, 17632, 100, 50, 20
PAIRS = {
    "hr": "HitRate",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1Beta",
    "ndcg": "NDCG",
    "mrr": "MRR",
    "map": "MAP",
    "ils_genre": "IntraListDiversity",
    "coverage": "CatalogCoverage",
    "novelty": "MeanInvUserFreq",
    "serendipity": "Serendipity",
}
"""Our measure and the one of RecTools that stands nearest to it."""
OTHER_DEFINITION = ("novelty", "serendipity")
TOLERANCE = 1e-9


def write_lists(folder: Path, seed: int) -> None:
    """Random lists, histories and hidden items, few of them popular, written as parquet with integer codes.

    A user's 50 items are drawn in proportion to popularity; 8 to 12 are hidden. The list follows the same taste with
    noise, so that some hidden items are found. Every item has one genre.
    """
    rng = np.random.default_rng(seed)
    log_popularity = -np.log(np.arange(N_ITEMS) + 20.0)
    parts: dict[str, list[pd.DataFrame]] = {"history": [], "hidden": [], "lists": []}
    for user in range(N_USERS):
        taste = log_popularity + rng.gumbel(size=N_ITEMS)
        owned = rng.permutation(np.argpartition(-taste, OWNED)[:OWNED])
        hidden, history = np.split(owned, [rng.integers(8, 13)])
        scores = taste + rng.normal(0, 1.5, N_ITEMS)
        scores[history] = -np.inf
        listed = np.argsort(-scores)[:DEPTH]
        for name, items in (("history", history), ("hidden", np.sort(hidden)), ("lists", listed)):
            parts[name].append(pd.DataFrame({"user_id": user, "item_id": items}))
    tables = {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}
    tables["lists"]["rank"] = tables["lists"].groupby("user_id").cumcount() + 1
    tables["items"] = pd.DataFrame({"item_id": np.arange(N_ITEMS), "genre": rng.integers(GENRES, size=N_ITEMS)})
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)


def read_lists(folder: Path) -> dict[str, pd.DataFrame]:
    """The tables that `write_lists` wrote."""
    return {name: pd.read_parquet(folder / f"{name}.parquet") for name in ("history", "hidden", "lists", "items")}


# RecTools' side


def work(folder: Path) -> None:
    """In RecTools' environment: for every line on stdin, `all` or `quick`, measure once and answer with JSON."""
    from rectools import metrics as rectools

    def calculate(names: Sequence[str], tables: dict[str, pd.DataFrame]) -> dict[str, float]:
        genres = tables["items"].set_index("item_id")
        distances = rectools.PairwiseHammingDistanceCalculator(genres)
        settings: dict[str, dict[str, Any]] = {
            "NDCG": {"divide_by_achievable": True},
            "IntraListDiversity": {"distance_calculator": distances},
            "CatalogCoverage": {"normalize": True},
        }
        wanted = {f"{n}_{k}": getattr(rectools, n)(k=k, **settings.get(n, {})) for n in names for k in CUTOFFS}
        return rectools.calc_metrics(
            wanted, tables["lists"], tables["hidden"], tables["history"], tables["items"]["item_id"].to_numpy()
        )

    for line in sys.stdin:
        names = [name for name in PAIRS.values() if line.strip() == "all" or name != "IntraListDiversity"]
        tables, reading = timed(read_lists, folder)
        values, seconds = timed(calculate, names, tables)
        answer = {"values": {k: float(v) for k, v in values.items()}, "seconds": seconds, "reading": reading}
        print(json.dumps(answer), flush=True)


# This repository's side


def prepare(tables: dict[str, pd.DataFrame], genres: bool) -> Any:
    """What the pipeline makes once per phase, for all models: visible data, hidden pairs, measures."""
    from common.evaluation.metric_suite import MetricSuite
    from common.models.top_items import tie_places
    from common.splits.holdout import Holdout

    users, items = (pd.Series([f"{i:06d}" for i in range(n)], dtype=object) for n in (N_USERS, N_ITEMS))
    history, hidden, catalogue = tables["history"], tables["hidden"], pd.DataFrame({"item_id": items})
    if genres:
        catalogue["genres"] = "genre " + tables["items"]["genre"].astype(str)
    interactions = pd.DataFrame({"user": history["user_id"], "item": history["item_id"], "weight": 1.0})
    train = train_view(catalogue, pd.DataFrame({"user_id": users}), interactions)
    scored = Holdout(
        part="test",
        users=users.to_numpy(),
        codes=np.arange(N_USERS),
        given=train.histories,
        n_given=None,
        target_rows=hidden["user_id"].to_numpy(),
        target_items=hidden["item_id"].to_numpy(),
        negatives=np.empty((len(hidden), 0), np.int64),
    )
    return MetricSuite(train, scored, tie_places(items))


def measure(tables: dict[str, pd.DataFrame], measures: Any) -> tuple[pd.DataFrame, dict[str, float]]:
    """Find the hidden pairs in the lists, as RecTools has to do, then compute every measure."""
    places = tables["hidden"].merge(tables["lists"], on=["user_id", "item_id"], how="left")
    rank = places["rank"].fillna(N_ITEMS).astype(np.int32)
    targets = with_ids(tables["hidden"], measures).assign(
        rank=rank, rank_sampled99=rank, listeners=measures.train.counts[tables["hidden"]["item_id"]]
    )
    return measures.measure(with_ids(tables["lists"], measures), targets)


def with_ids(table: pd.DataFrame, measures: Any) -> pd.DataFrame:
    """The table with ids as the pipeline has them in memory: categories of strings."""
    ids = {"user_id": pd.Index(measures.holdout.users), "item_id": pd.Index(measures.train.items["item_id"])}
    return table.assign(**{name: pd.Categorical.from_codes(table[name], values) for name, values in ids.items()})


# The comparison


def compare(per_user: pd.DataFrame, ours: dict[str, float], theirs: dict[str, float], n: np.ndarray) -> pd.DataFrame:
    """Both values of every measure; AssertionError where equal definitions differ. `n`: hidden items per user."""
    rows = []
    for name, other in PAIRS.items():
        for k in CUTOFFS:
            mine, value = ours[f"{name}_{k}"], theirs[f"{other}_{k}"]
            if name == "map":  # RecTools divides by |T| where we divide by min(k, |T|)
                mine = float((per_user[f"map_{k}"] * np.minimum(n, k) / n).mean())
            if name == "ils_genre":  # with one genre per item, the distance is 1 - cosine
                mine = 1 - mine
            agrees = abs(mine - value) < TOLERANCE
            assert agrees or name in OTHER_DEFINITION, f"{name}_{k}: ours {mine}, RecTools {value}"
            note = "other definition" if name in OTHER_DEFINITION else "equal"
            rows.append((f"{name}_{k}", ours[f"{name}_{k}"], f"{other}@{k}", value, note))
    return pd.DataFrame(rows, columns=["ours", "our value", "RecTools", "its value", ""])


def main(argv: Sequence[str] | None = None) -> None:
    """Let the two sides take turns and print values and times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rectools-python", metavar="PATH", help="interpreter of an environment with rectools")
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--worker", metavar="FOLDER", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.worker:
        work(arguments.worker)
    elif not arguments.rectools_python or not shutil.which(arguments.rectools_python):
        parser.error("name the interpreter of an environment with rectools: --rectools-python PATH")
    else:
        with tempfile.TemporaryDirectory() as folder:
            write_lists(Path(folder), arguments.seed)
            take_turns(Path(folder), arguments.rectools_python, arguments.repetitions)


def take_turns(folder: Path, python: str, repetitions: int) -> None:
    """Both sides once to warm up, then in turns, with and without diversity; prints values and medians."""
    worker = Worker(python, "score_lists", str(folder))
    rounds = []
    for _ in range(repetitions + 1):
        for what in ("quick", "all"):
            tables, reading = timed(read_lists, folder)
            measures, preparing = timed(prepare, tables, what == "all")
            (per_user, ours), measuring = timed(measure, tables, measures)
            theirs = worker.ask(what)
            seconds = {"ours": measuring, "ours + phase": measuring + preparing}
            seconds |= {"ours + phase + reading": measuring + preparing + reading}
            seconds |= {"RecTools": theirs["seconds"], "RecTools + reading": theirs["seconds"] + theirs["reading"]}
            rounds.append({"what": what, "figures": len(ours), "their figures": len(theirs["values"]), **seconds})
    worker.close()
    table = compare(per_user, ours, theirs["values"], np.bincount(tables["hidden"]["user_id"]))
    print(table.to_string(index=False, float_format="%.9f"))
    print(f"\nMedian seconds of {repetitions}, and median of ours / theirs within a round:")
    times = pd.DataFrame(rounds[2:])
    print_times("every measure of the table above", times[times["what"] == "all"])
    print_times("all but IntraListDiversity and our measures of genres", times[times["what"] == "quick"])


def print_times(title: str, times: pd.DataFrame) -> None:
    """Medians, and the median over the rounds of ours / theirs."""
    n = times.iloc[0]
    print(f"\n{title} ({n['figures']} figures of ours, {n['their figures']} of RecTools)")
    print(f"{'':42}{'ours':>8}{'RecTools':>10}{'ratio':>8}")
    for name, mine, theirs in (
        ("measures", "ours", "RecTools"),
        ("+ what we make once per phase", "ours + phase", "RecTools"),
        ("+ what we make once per phase + reading", "ours + phase + reading", "RecTools + reading"),
    ):
        a, b = times[mine], times[theirs]
        print(f"{name:42}{a.median():8.3f}{b.median():10.3f}{(a / b).median():8.3f}")


if __name__ == "__main__":
    main()
