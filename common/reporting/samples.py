"""Samples for a reader to check: the most popular items, similar items of some, recommendations for some users."""

import logging
from collections.abc import Sequence

import numpy as np

from common.models.base import Recommender
from common.models.knn.content_knn import nearest_songs
from common.splits.train_view import TrainView

log = logging.getLogger(__name__)
NEIGHBOURS = 5
"""Similar items that are printed of one item."""


def find_items(train: TrainView, names: Sequence[str], most: int = 3) -> list[int]:
    """Codes of the items that `--show` names, by id or name in any case; the most popular ones where it names none."""
    return [train.item_code(name, "--show") for name in names] or train.most_popular(most).tolist()


def find_users(train: TrainView, users: Sequence[str], most: int = 3) -> list[str]:
    """The ids that `--probes` names, checked; the first few users where it names none."""
    for user in users:
        train.user_code(user, "--probes")
    return list(users) or train.users["user_id"].astype(object).head(most).tolist()


def show_recommendations(model: Recommender, users: Sequence[str], k: int = 10) -> None:
    """Print the k best items of a few users by name, each with the parts that moved it most where the model can say."""
    train = model.train_view
    assert train is not None
    for user in users:
        code = train.user_code(user)
        history = train.histories.take(np.array([code]))
        best_known = history.items[np.argsort(-history.weights, kind="stable")[:NEIGHBOURS]]
        log.info("\nfor user %s, who has %s ...", user, ", ".join(train.labels[best_known]))
        for row in model.recommend([user], k).to_dict("records"):
            item = train.item_code(row["item_id"])
            why = model.explain(history, item, code)
            moved = ", ".join(f"{name} {by:+.3f}" for name, by in why.strongest_parts(2)) if why else ""
            log.info("  %-40.40s %6.3f  %s", train.labels[item], row["score"], moved)


def show_popular(train: TrainView) -> None:
    """Print the most popular items and their visible listeners."""
    names = train.labels
    top = ", ".join(f"{names[code]} ({train.counts[code]:,})" for code in train.most_popular(10))
    log.info("\nmost popular (visible listeners): %s", top)


def show_similar(models: Sequence[Recommender], train: TrainView, codes: Sequence[int]) -> None:
    """Print the nearest items of a few, model by model."""
    names = train.labels
    for code in codes:
        log.info("\nlike %s:", names[code])
        for model in models:
            items, similarity = model.similar(code, NEIGHBOURS)
            near = ", ".join(str(names[i]) for i, value in zip(items, similarity, strict=True) if value > 0)
            log.info("  %-12s %s", model.name, near or "(knows nothing of it)")


def show_similar_songs(train: TrainView) -> None:
    """Print what sounds most like the best-known song of each of the three most popular artists that have songs."""
    if train.songs is None or "popularity" not in train.songs:
        return
    known = train.songs.dropna(subset=["name", "tempo"]).sort_values("popularity", ascending=False)
    best_known = known.drop_duplicates("item").set_index("item", drop=False)
    famous = [code for code in train.most_popular(100) if code in best_known.index][:3]
    for code in famous:
        song = best_known.loc[code]
        near = nearest_songs(train.songs, song["track_id"], NEIGHBOURS)
        sounds = ", ".join(f"{row['name']} by {row['artist']}" for _, row in near.iterrows())
        log.info("\nsounds like %s by %s:\n  %s", song["name"], song["artist"], sounds)
