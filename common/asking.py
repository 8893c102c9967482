"""Asking saved models: what somebody has and likes, put to a model, and the list that comes back."""

import getpass
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from common.command_line import preset_values
from common.data.histories import Histories
from common.data.splits import parse_folder_name
from common.errors import UserError, unknown_name
from common.evaluation.ranking import tie_places, top_items
from common.files import display
from common.find_names import Names, shown
from common.library import Catalogue, Library
from common.models import MODELS
from common.models.contract import NO_FILE, Recommender
from common.similar_items import one_per_group
from common.table_plan import STAGES
from common.why import CHEAP, Reasons, Why, by_popularity, likeness, reasons, scores_of

CANDIDATES = 200
"""Best items of a model that are looked at again for what a listener dislikes, and for re-ranking."""
PUSH = 0.25
"""How far the very likeness to a disliked item moves a candidate, in units from the last candidate to the first.

A rule of thumb with a price known: the data have no dislikes, but where the first items of a list that were not among
the hidden ones are called disliked, this costs ALS at most 1.3% of its NDCG@10 on validation (docs/log.md)."""
NO_LIKENESS = ("random", "popularity", "trending")
"""Models that know no likeness of items, so that a dislike leaves out the item alone."""


@dataclass(frozen=True)
class Shelf:
    """Where the models of a data set, a protocol and a preset lie: outputs/<dataset>/<protocol>/<model>/<preset>/..."""

    output_dir: Path
    dataset: str
    protocol: str
    preset: str
    flags: str = ""
    """What a stage has to be told beside that to train them there."""

    def folder(self, model: str) -> Path:
        """Folder of a saved model."""
        return self.output_dir / self.dataset / self.protocol / model / self.preset / "seed0" / "model"

    def trained(self) -> list[str]:
        """Names of the models that are there, in the order of the stages."""
        return [name for name in MODELS if (self.folder(name) / "model.json").exists()]

    def open(self, name: str, catalogue_sha256: str) -> Recommender:
        """A saved model; the error for one that is not there names the command that trains it."""
        if name not in MODELS:
            raise unknown_name("model", name, [*MODELS, "all"])
        if not (self.folder(name) / "model.json").exists():
            raise UserError(self.untrained(name))
        return MODELS[name].load(self.folder(name), catalogue_sha256, light=True)

    def untrained(self, name: str) -> str:
        """That a model is not there, and the command that trains it; a preset that nobody wrote is a mistake."""
        preset_values(self.preset, self.dataset, parse_folder_name(self.protocol)[0], name, MODELS[name].Settings)
        stage, models = next((stage, models) for stage, models in STAGES.items() if name in models)
        alone = f"--models {name}" if len(models) > 1 else ""
        command = " ".join(
            part for part in (f"python {stage}.py", alone, self.flags, f"--preset {self.preset}") if part
        )
        others = self.trained()
        there = f"; trained here: {', '.join(others)}" if others else ""
        return f"{NO_FILE} of {name} in {display(self.folder(name))}; train it with `{command}`{there}"


@dataclass(frozen=True)
class Taste:
    """What is known of a listener: the code of a user of the data (-1: none), and the items liked and disliked.

    history: the user's own and the liked items, of length 1.
    """

    user: int
    own: Histories
    liked: list[int] = field(default_factory=list)
    disliked: list[int] = field(default_factory=list)

    @cached_property
    def history(self) -> Histories:
        """The user's history with the liked items behind it, each weighing the median of the history (1 if none)."""
        added = [item for item in dict.fromkeys(self.liked) if item not in set(self.own.items.tolist())]
        kept = ~np.isin(self.own.items, self.disliked)
        weight = float(np.median(self.own.weights)) if len(self.own.weights) else 1.0
        items = np.concatenate([self.own.items[kept], np.array(added, np.int32)]).astype(np.int32)
        weights = np.concatenate([self.own.weights[kept], np.full(len(added), weight, np.float32)]).astype(np.float32)
        times = self.own.timestamps
        if times is not None:
            times = np.concatenate([times[kept], np.full(len(added), times.max(initial=0))])
        return Histories(np.array([0, len(items)], np.int64), items, weights, self.own.n_items, times)

    @property
    def is_of_the_data(self) -> bool:
        """Whether a model knows this very history from its training."""
        return self.user >= 0 and np.array_equal(self.history.items, self.own.items)


@dataclass(frozen=True)
class Answer:
    """A list of one model: item codes best first, scores, shares 0..1 for bars, and reasons if they were asked for."""

    model: str
    items: list[int]
    scores: list[float]
    shares: list[float]
    reasons: Reasons | None = None


class Asking:
    """A protocol's library and catalogue, and the models that were opened."""

    def __init__(self, library: Library, shelf: Shelf, rerank: Any = None) -> None:
        self.library, self.shelf, self.rerank = library, shelf, rerank
        self.protocol = shelf.protocol
        self.catalogue: Catalogue = library.catalogue(shelf.protocol)
        self.works = np.unique(self.catalogue.works.astype(str), return_inverse=True)[1]
        self.codes = {item_id: code for code, item_id in enumerate(self.catalogue.item_ids)}
        self._models: dict[str, Recommender] = {}
        self._unlike: dict[tuple[str, int], np.ndarray] = {}

    @cached_property
    def names(self) -> Names:
        """For looking up what people type."""
        return Names(self.library, self.protocol, self.catalogue)

    @cached_property
    def places(self) -> np.ndarray:
        """The order of equal scores."""
        return tie_places(self.catalogue.item_ids)

    @cached_property
    def catalogue_sha256(self) -> str:
        """What a saved model must agree with."""
        from common.data.visible import hash_ids

        return hash_ids(self.catalogue.item_ids)  # type: ignore[arg-type]

    def model(self, name: str) -> Recommender:
        """A model, opened once."""
        if name not in self._models:
            if name == "trending" and name not in self.shelf.trained() and not self.library.has_times(self.protocol):
                raise UserError(f"trending goes by times, and {self.protocol!r} has none here; ask another model")
            self._models[name] = self.shelf.open(name, self.catalogue_sha256)
        return self._models[name]

    def forget(self, name: str) -> None:
        """Give a model's memory back."""
        self._models.pop(name, None)

    def taste(self, user_id: str, listener: str, liked: list[int]) -> Taste:
        """What is known of somebody: a user of the data ("" for none), what was kept for a listener, and more likes."""
        user, n_items = -1, len(self.catalogue)
        own = Histories.from_lists([[]], n_items)
        if user_id:
            user = self._user(user_id)
            own = self.library.history(self.protocol, user, n_items)
        likes, dislikes = ([self.codes[i] for i in ids if i in self.codes] for ids in self.library.said(listener))
        liked = list(dict.fromkeys([*likes, *liked]))
        return Taste(user, own, liked, [item for item in dislikes if item not in liked])

    def _user(self, user_id: str) -> int:
        found = self.library.user(self.protocol, user_id)
        if found is not None:
            return found
        from rapidfuzz import process

        known = self.library.user_ids(self.protocol)
        near = [name for name, _, _ in process.extract(user_id, known, limit=3, score_cutoff=60)] or known[:1]
        hint = f"; did you mean {' or '.join(map(shown, near))}?" if near else ""
        raise UserError(f"--user {shown(user_id)}: no user of {self.shelf.dataset} has that id{hint}")

    def recommend(self, name: str, taste: Taste, k: int, why: bool = False) -> Answer:
        """The k best new items for a listener: without what is disliked and what is very like it, one version of each
        track, re-ranked if that was asked for. Reasons come along where they are cheap, or asked for with `why`."""
        model, history = self.model(name), taste.history
        scores = model.score(np.array([taste.user])) if taste.is_of_the_data else scores_of(model, history, taste.user)
        items, values = self._best(scores, taste, max(CANDIDATES, 2 * k))
        if nothing := len(values) > 1 and values[0] == values[-1]:
            items, values = self._best(self.catalogue.listeners[None].astype(np.float32), taste, max(CANDIDATES, 2 * k))
        order, shares = self._push_away(name, taste, items, values)
        items, values = items[order], values[order]
        if self.rerank is not None:
            chosen = self.rerank(items, shares, history, k)
            items, values, shares = items[chosen], values[chosen], shares[chosen]
        found, told = items[:k].tolist(), None
        if nothing:
            told = by_popularity(self.catalogue.listeners, found)
        elif found and (why or name in CHEAP):
            told = reasons(model, history, found, taste.user)
        return Answer(name, found, values[:k].tolist(), shares[:k].tolist(), told)

    def _best(self, scores: np.ndarray, taste: Taste, depth: int) -> tuple[np.ndarray, np.ndarray]:
        """Items of the largest scores that are new to a listener and not disliked, one version of each, best first."""
        history = taste.history.items
        seen = list(dict.fromkeys([*history.tolist(), *taste.disliked]))
        masked = Histories.from_lists([seen], len(self.catalogue))
        items, values = (row[0] for row in top_items(scores, masked, self.places, min(depth, len(self.catalogue))))
        items, values = items[items >= 0], values[items >= 0]
        first = one_per_group(items, self.works, taken=np.unique(self.works[history]).tolist())
        return items[first], values[first]

    def _push_away(self, name: str, taste: Taste, items: np.ndarray, values: np.ndarray) -> tuple[Any, np.ndarray]:
        """The order of candidates once what is like a disliked item was moved down, and their shares 0..1 in it."""
        spread = max(float(values[0] - values[-1]), 1e-12) if len(values) else 1.0
        shares = (values - values.min(initial=np.inf)) / spread if len(values) else values
        if taste.disliked and name not in NO_LIKENESS and len(items):
            shares = shares - PUSH * np.max([self._likeness(name, item)[items] for item in taste.disliked], axis=0)
        order = np.argsort(-shares, kind="stable")
        return order, np.clip(shares[order] / max(float(shares.max(initial=0)), 1e-12), 0, 1)

    def _likeness(self, name: str, item: int) -> np.ndarray:
        """Likeness of all items to one, its nearest 1 and never below 0, float64 (n_items,)."""
        if (name, item) not in self._unlike:
            items, alike = self.model(name).similar(item, len(self.catalogue))
            all_items = np.zeros(len(self.catalogue))
            all_items[items] = np.maximum(alike, 0) / max(float(alike.max(initial=0)), 1e-12)
            self._unlike[name, item] = all_items
        return self._unlike[name, item]

    def similar(self, name: str, item: int, k: int) -> Answer:
        """The k items most like one, one version of each track and none of its own."""
        items, alike = self.model(name).similar(item, len(self.catalogue))
        kept = one_per_group(items, self.works, taken=[int(self.works[item])])
        items, alike = items[kept][:k], alike[kept][:k]
        shares = np.clip(alike / max(float(np.max(alike, initial=0)), 1e-12), 0, 1)
        told = Reasons(likeness(self.model(name)), [Why() for _ in items])
        return Answer(name, items.tolist(), alike.tolist(), shares.tolist(), told)


def default_listener(user_id: str) -> str:
    """Whose likes count where nobody is named: those kept for this user of the data, else this account's."""
    if user_id:
        return f"user {user_id}"
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        return "me"


def as_liked(taste: Taste, item: int, liked: bool) -> Taste:
    """The taste with one more word on an item; the last word counts."""
    likes = [i for i in taste.liked if i != item] + [item] * liked
    dislikes = [i for i in taste.disliked if i != item] + [item] * (not liked)
    return replace(taste, liked=likes, disliked=dislikes)
