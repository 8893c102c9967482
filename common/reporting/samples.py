"""What a reader can judge by ear: the most popular items, and the nearest neighbours of a few that everybody knows."""

import difflib
import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from common.models.base import Recommender
from common.models.knn.content_knn import nearest_songs
from common.models.top_items import tie_places, top_items
from common.models.two_stage.forest import Forest
from common.splits.train_view import TrainView, most_popular, names_of
from common.utils.errors import UserError

log = logging.getLogger(__name__)


NEIGHBOURS = 5


def find(train: TrainView, wanted: Sequence[str]) -> list[int]:
    """Codes of items by name, whatever the case; of several items of one name the most popular."""
    names = names_of(train).str.casefold()
    codes = []
    for name in wanted:
        found = np.flatnonzero(names == name.casefold())
        if not len(found):
            raise UserError(f"--show {name!r}: no item bears that name{_nearest(name, names)}")
        codes.append(int(found[np.argmax(train.counts[found])]))
    return codes


def find_users(train: TrainView, wanted: Sequence[str], most: int = 3) -> list[str]:
    """The ids that are asked for, made sure of; the first few users where none are."""
    ids = train.users["user_id"].astype(object)
    for user in wanted:
        if not (ids == user).any():
            near = difflib.get_close_matches(user, ids.tolist(), n=3)
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"one that there is: {ids.iloc[0]!r}"
            raise UserError(f"--probes {user!r}: no user bears that id; {hint}")
    return list(wanted) or ids.head(most).tolist()


def show_lists(model: Recommender, train: TrainView, codes: Sequence[int], k: int = 10) -> None:
    """Print the k best items of a few users by name; of a forest each with the features that moved it most."""
    names, places = names_of(train), tie_places(train.items["item_id"])
    for code in codes:
        asked = np.array([code])
        history = train.histories.take(asked)
        best_known = history.items[np.argsort(-history.weights, kind="stable")[:NEIGHBOURS]]
        log.info("\nfor user %s, who has %s ...", train.users["user_id"].iloc[code], ", ".join(names[best_known]))
        items, scores = top_items(model.score(asked), history, places, k)
        for item, score in zip(items[0][items[0] >= 0], scores[0], strict=False):
            parts = model.explain(history, int(item), code).strongest_parts(2) if isinstance(model, Forest) else []
            why = ", ".join(f"{name} {by:+.3f}" for name, by in parts)
            log.info("  %-28.28s %6.3f  %s", names[item], score, why)


def _nearest(name: str, names: pd.Series) -> str:
    near = difflib.get_close_matches(name.casefold(), names.drop_duplicates().tolist(), n=3)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else "; check the spelling"


def show_popular(train: TrainView) -> None:
    """Print the most popular items and their visible listeners."""
    names = names_of(train)
    top = ", ".join(f"{names[code]} ({train.counts[code]:,})" for code in most_popular(train, 10))
    log.info("\nmost popular (visible listeners): %s", top)


def show_similar(models: Sequence[Recommender], train: TrainView, codes: Sequence[int]) -> None:
    """Print the nearest items of a few, model by model."""
    names = names_of(train)
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
    famous = [code for code in most_popular(train, 100) if code in best_known.index][:3]
    for code in famous:
        song = best_known.loc[code]
        near = nearest_songs(train.songs, song["track_id"], NEIGHBOURS)
        sounds = ", ".join(f"{row['name']} by {row['artist']}" for _, row in near.iterrows())
        log.info("\nsounds like %s by %s:\n  %s", song["name"], song["artist"], sounds)
