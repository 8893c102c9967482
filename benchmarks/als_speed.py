"""What ALS and the ensemble cost: against bare `implicit`, at a fixed size, and as the number of users grows.

`python -m benchmarks.als_speed` from the root of the repository; README.md beside this file says what it means.
"""

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from benchmarks.measuring import timed, train_view
from common.data.tables import AUDIO_FEATURES
from common.models.ensemble import Ensemble, EnsembleSettings
from common.models.linear.als import ALS, ALSSettings, one_blas_thread
from common.models.top_items import tie_places, top_items
from common.plots.style import PALETTE, figure, plain_log_axis
from common.splits.train_view import TrainView
from common.utils.io import ROOT

PER_USER = 40
TAGS = 300


def invented(n_users: int, n_items: int, seed: int = 0) -> TrainView:
    """Histories of about PER_USER items, some items far more popular than most; every item has tags and audio."""
    rng = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, n_items + 1) ** 0.8
    pairs = pd.DataFrame(
        {
            "user": np.repeat(np.arange(n_users, dtype=np.int32), PER_USER),
            "item": rng.choice(n_items, n_users * PER_USER, p=popularity / popularity.sum()).astype(np.int32),
            "weight": rng.lognormal(3, 1, n_users * PER_USER).astype(np.float32),
        }
    ).drop_duplicates(["user", "item"], ignore_index=True)
    items = pd.DataFrame({"item_id": [f"i{item:06}" for item in range(n_items)]})
    audio = pd.DataFrame(rng.random((n_items, len(AUDIO_FEATURES))), columns=list(AUDIO_FEATURES))
    tagged = np.repeat(np.arange(n_items, dtype=np.int32), 5)
    tags = pd.DataFrame({"item": tagged, "tag": rng.integers(0, TAGS, len(tagged)).astype(str), "weight": 1.0})
    users = pd.DataFrame({"user_id": [f"u{user:06}" for user in range(n_users)]})
    return train_view(pd.concat([items, audio], axis=1), users, pairs, tags.drop_duplicates(["item", "tag"]))


def against_implicit(train: TrainView, settings: ALSSettings, turns: int) -> dict[str, float]:
    """Median seconds of our `fit`, of the exact last half step, and of the library alone, taking turns; same matrix."""
    model = ALS(settings)
    confidences = model.confidences(train.histories)
    times: dict[str, list[float]] = {"ours": [], "implicit": [], "last half step": []}

    def bare() -> None:
        with one_blas_thread() as implicit:
            library = implicit.cpu.als.AlternatingLeastSquares(
                factors=settings.factors,
                regularization=settings.regularisation,
                iterations=settings.iterations,
                random_state=0,
            )
            library.fit(confidences, show_progress=False)

    for _ in range(turns):
        times["ours"].append(timed(model.fit, train)[1])
        times["last half step"].append(timed(lambda: model.user_factors)[1])
        times["implicit"].append(timed(bare)[1])
    return {name: statistics.median(values) for name, values in times.items()}


def one_by_one(train: TrainView, model: Ensemble, asked: int = 200) -> float:
    """Median milliseconds of a list of 10 for one user, scores and masking and ordering included."""
    places = tie_places(train.items["item_id"])

    def ask(user: int) -> None:
        history = train.histories.take(np.array([user]))
        top_items(model.fold_in(history), history, places, 10)

    return 1000 * statistics.median(timed(ask, user)[1] for user in range(asked))


def growth(sizes: Sequence[int], n_items: int, settings: ALSSettings) -> pd.DataFrame:
    """Seconds to train ALS for growing numbers of users."""
    rows = []
    for n_users in tqdm(sizes, "sizes", disable=None):
        train = invented(n_users, n_items)
        _ = train.histories
        rows.append({"users": n_users, "seconds": timed(ALS(settings).fit, train)[1]})
        print(f"{n_users:>9,} users x {n_items:,} items: {rows[-1]['seconds']:.1f} s")
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame, n_items: int, path: Path) -> None:
    """Training time against the number of users, both logarithmic."""
    with figure(path, "Training time of ALS", f"generated, {n_items:,} items, {PER_USER} each", width=8) as (axes,):
        axes.plot(table["users"], table["seconds"], marker="o", color=PALETTE[0])
        axes.set(xlabel="Users", ylabel="Seconds", xscale="log", yscale="log")
        for axis in (axes.xaxis, axes.yaxis):
            plain_log_axis(axis)


def main(argv: Sequence[str] | None = None) -> None:
    """Print all three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5, help="times each side is measured")
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000], help="users of the curve")
    parser.add_argument("--figure", type=Path, default=ROOT / "docs" / "figures" / "als_time.png")
    flags = parser.parse_args(argv)
    settings = ALSSettings()
    train = invented(flags.users, flags.items)
    _ = train.histories
    ALS(settings).fit(invented(100, 200))  # loads the libraries
    times = against_implicit(train, settings, flags.turns)
    print(f"{flags.users:,} users x {flags.items:,} items, {settings.factors} factors, median of {flags.turns} turns")
    for name, value in times.items():
        print(f"  {name:<20} {value:7.2f} s")
    print(f"  ours / implicit      {times['ours'] / times['implicit']:7.3f}")
    model = Ensemble(EnsembleSettings(als=settings))
    print(f"  ensemble, training   {timed(model.fit, train)[1]:7.2f} s")
    print(f"  ensemble, list of 10 {one_by_one(train, model):7.2f} ms, median of one user at a time")
    size = sum(array.nbytes for array in model.als.arrays().values())
    print(f"  ALS model            {size / 1e6:7.2f} MB")
    if flags.sizes:
        draw(growth(flags.sizes, flags.items, settings), flags.items, flags.figure)


if __name__ == "__main__":
    main()
