"""How well items that nobody has heard are placed: items held out of training whole, against random and content_knn.

    python -m benchmarks.new_items --dataset lastfm-2k          # --share 0.1 --seed 0

A share of the items that anybody of the train part listens to is taken out of every table, half of them for validation,
half to be measured. Models are fitted on what is left, with the preset of the protocol; the network stops by NDCG@10 on
the validation items. Then each item is placed by its features alone (`common.new_item`), and for each user the items
that were held out are ranked among one another: those that the user listens to should come first.

Tags are given by listeners and could tell who gave them. So half of the users describe the held-out items, and the
other half are those for whom they are ranked. Neither the validation nor the test part of the split is opened.
"""

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from common.data.dataset import Dataset, load_dataset
from common.evaluation.metrics import ndcg, recall
from common.evaluation.statistics import bootstrap_interval, paired_differences
from common.experiments.flags import command
from common.experiments.presets import preset_values
from common.features.new_item import NewItem, as_new, genres_of
from common.models.registry import MODELS
from common.splits.histories import Query
from common.splits.train_view import TrainView, load_train_view
from common.utils.environment import use_one_thread
from common.utils.errors import UserError
from common.utils.io import ROOT, write_json

NAMES = ("two_tower", "tag_knn", "content_knn")
REFERENCE, K = "content_knn", 10
KINDS = ("tags", "genres", "audio", "name", "release_year")
GOES_BY = {"two_tower": KINDS, "tag_knn": ("tags",), "content_knn": ("audio",)}
"""What is known of items -> what each model places them by."""
ROW = "{:12} {:7.4f} ({:.4f}-{:.4f}) {:8.4f}   {}"


class World(NamedTuple):
    """A train view without the held-out items, and these: what is known of each, and who listens to it.

    users: codes of those for whom items are ranked; listens: bool (users, items); is_valid: bool (items,), which items
    are for validation.
    """

    train: TrainView
    items: list[NewItem]
    users: np.ndarray
    listens: np.ndarray
    is_valid: np.ndarray


def hold_out(view: TrainView, share: float, seed: int) -> World:
    """Take a share of the items that have listeners out of a view, and describe them by half of the users."""
    rng = np.random.default_rng(seed)
    heard = np.flatnonzero(view.counts > 0)
    held = np.sort(rng.choice(heard, max(2, round(share * len(heard))), replace=False))
    describing = rng.permutation(view.n_users) < view.n_users // 2
    train = without(view, held)
    users = np.flatnonzero(~describing)
    listens = view.histories.take(users).matrix()[:, held].toarray() > 0
    return World(train, described(view, train, held, describing), users, listens, rng.random(len(held)) < 0.5)


def without(view: TrainView, held: np.ndarray) -> TrainView:
    """The view of a data set that lacks some items."""
    kept = np.ones(view.n_items, bool)
    kept[held] = False
    code = np.where(kept, np.cumsum(kept) - 1, -1)

    def rest(table: pd.DataFrame | None) -> Any:
        if table is None:
            return None
        own = table[kept[table["item"].to_numpy()]]
        return own.assign(item=code[own["item"].to_numpy()].astype(np.int32)).reset_index(drop=True)

    tables = {name: rest(getattr(view, name)) for name in ("interactions", "item_tags", "user_item_tags", "songs")}
    return dataclasses.replace(view, items=view.items[kept].reset_index(drop=True), **tables)


def described(view: TrainView, train: TrainView, held: np.ndarray, describing: np.ndarray) -> list[NewItem]:
    """The held-out items in the words that are left, by the tags of the describing users."""
    tags = view.item_tags
    if view.user_item_tags is not None:
        own = view.user_item_tags[describing[view.user_item_tags["user"].to_numpy()]]
        tags = own.groupby(["item", "tag"]).size().rename("weight").astype(float).reset_index()
    items = as_new(dataclasses.replace(view, item_tags=tags), held.tolist())
    known_tags = set() if train.item_tags is None else set(train.item_tags["tag"])
    known_genres = set(genres_of(train))
    return [
        dataclasses.replace(
            item,
            tags={tag: weight for tag, weight in item.tags.items() if tag in known_tags},
            genres=tuple(genre for genre in item.genres if genre in known_genres),
        )
        for item in items
    ]


def per_user(scores: np.ndarray, listens: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """NDCG@10 and recall@10 of the users who listen to any of the items; equal scores in random order."""
    some = listens.any(axis=1)
    order = np.random.default_rng(seed).permutation(listens.shape[1])
    best = order[np.argsort(-scores[some][:, order], axis=1, kind="stable")[:, :K]]
    hits = np.take_along_axis(listens[some], best, axis=1)
    n_relevant = listens[some].sum(axis=1)
    k = hits.shape[1]
    return ndcg(hits, n_relevant, k), recall(hits, n_relevant, k)


def scorer(world: World, chosen: np.ndarray) -> Callable[[Any], np.ndarray]:
    """What scores some of the held-out items for the users by a model."""
    query = Query(world.users, world.train.histories.take(world.users))
    items = [item for item, there in zip(world.items, chosen, strict=True) if there]
    return lambda model: model.scores_of_new(query, items)


def able(world: World) -> list[str]:
    """The models that the content of the items feeds; the others are named. A UserError where there is none."""
    kinds = {kind for item in world.items for kind in item.known}
    found = [name for name in NAMES if kinds & set(GOES_BY[name])]
    if not found:
        raise UserError("nothing is known of the items, so they cannot be placed; use data with tags or audio")
    for name in sorted(set(NAMES) - set(found)):
        print(f"left out: {name}, since no item has {' or '.join(GOES_BY[name])}", flush=True)
    return found


def fitted(world: World, data: Dataset, protocol: str, name: str, seed: int, changes: dict[str, Any]) -> Any:
    """A model of the tuned preset; a network stops by the validation items."""
    kind = MODELS[name]
    model = kind(preset_values("tuned", data.presets, protocol, name, kind.Settings), seed=seed, **changes)
    score = scorer(world, world.is_valid)

    def validation(one: Any) -> float:
        return float(per_user(score(one), world.listens[:, world.is_valid])[0].mean())

    model.train_view = world.train
    return model.fit(world.train, validation=validation)


def measure(data: Dataset, protocol: str, share: float, seed: int, **changes: dict[str, Any]) -> dict[str, Any]:
    """Figures of each model and of chance; `changes`: settings by model, for quick tests."""
    world = hold_out(load_train_view(data, protocol, "select"), share, seed)
    measured, found, names = ~world.is_valid, {}, able(world)
    listens = world.listens[:, measured]
    random = np.random.default_rng(seed).random(listens.shape)
    scores = {"random": random} | {
        name: scorer(world, measured)(fitted(world, data, protocol, name, seed, changes.get(name, {})))
        for name in names
    }
    values = {name: per_user(of, listens) for name, of in scores.items()}
    others = [name for name in values if name != REFERENCE] if REFERENCE in values else []
    paired = paired_differences([values[name][0] - values[REFERENCE][0] for name in others])
    against = dict(zip(others, paired, strict=True))
    for name, (of_ndcg, of_recall) in values.items():
        low, high = bootstrap_interval(of_ndcg)
        figures = {"ndcg_10": float(of_ndcg.mean()), "low": low, "high": high, "recall_10": float(of_recall.mean())}
        found[name] = figures | ({"against_content_knn": against[name]} if name in against else {})
    kinds = {kind: sum(kind in item.known for item in np.array(world.items, object)[measured]) for kind in KINDS}
    counts = {"items": int(measured.sum()), "users": int(listens.any(axis=1).sum()), "pairs": int(listens.sum())}
    return {"models": found, **counts, "items_with": kinds}


def shown(figures: dict[str, Any]) -> str:
    """The figures as a table."""
    has = ", ".join(f"{n:,} {kind}" for kind, n in figures["items_with"].items())
    lines = [f"{figures['items']:,} new items (with {has}), {figures['users']:,} users, {figures['pairs']:,} pairs"]
    lines.append(f"{'':12} NDCG@10 (95% interval)   Recall@10   more than {REFERENCE}")
    for name, own in sorted(figures["models"].items(), key=lambda pair: pair[1]["ndcg_10"]):
        than = own.get("against_content_knn")
        more = (
            ""
            if than is None
            else f"{than['difference']:+.4f} ({than['low']:+.4f}..{than['high']:+.4f}), p {than['p_holm']:.4f}"
        )
        lines.append(ROW.format(name, own["ndcg_10"], own["low"], own["high"], own["recall_10"], more))
    return "\n".join(lines)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Hold out, fit, place, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="auto")
    parser.add_argument("--protocol", default="listen")
    parser.add_argument("--data-dir", type=Path, default=ROOT / "data")
    parser.add_argument("--share", type=float, default=0.1, help="share of the items that is held out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file that receives the figures, unrounded")
    flags = parser.parse_args(argv)
    use_one_thread()
    figures = measure(load_dataset(flags.dataset, flags.data_dir), flags.protocol, flags.share, flags.seed)
    print(shown(figures))
    if flags.json:
        write_json(flags.json, figures)


if __name__ == "__main__":
    main()
