"""Saved models answer: recommendations for a user profile, and similar items."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from common.data.ids import id_text
from common.data.synthetic.settings import SyntheticSettings
from common.features.work_versions import one_per_group
from common.models.base import Recommender
from common.models.top_items import tie_places, top_items
from common.reranking.item_facts import ItemFacts
from common.reranking.rerank import Reranking, item_facts, rerank_candidates
from common.serving.explanations import CHEAP, Explanations, basis_alone, by_popularity, explain, scores_of, similarity
from common.serving.model_store import ModelStore
from common.serving.name_search import NameSearch, shown
from common.serving.store.catalogue import Catalogue
from common.serving.store.store import Store, open_store
from common.serving.user_profile import UserProfile
from common.splits.histories import Histories, Query
from common.splits.train_view import hash_ids
from common.utils.errors import UserError, did_you_mean, whole_number

CANDIDATES = 200
"""Best items of a model that are re-ranked by what a listener dislikes and by the --rerank settings."""


PUSH = 0.25
"""How far full similarity to a disliked item moves a candidate, in units from the last candidate to the first.

A rule of thumb with a price known: the data have no dislikes, but where the first items of a list that were not among
the hidden ones are called disliked, this costs ALS at most 1.3% of its NDCG@10 on validation (docs/log.md)."""


REMEMBERED = 64
"""Disliked items at most whose similarities to all others are kept for each model."""


NO_SIMILARITY = ("random", "popularity", "trending")
"""Models that know no similarity of items, so that a dislike leaves out the item alone."""


Rerank = Callable[[np.ndarray, np.ndarray, Histories, int], list[int]]
"""Candidates best first, their shares, a history of length 1 and k -> places of the k chosen candidates."""


@dataclass(frozen=True)
class Answer:
    """A list of one model: item codes best first, scores, shares 0..1 for bars, and maybe explanations."""

    model: str
    items: list[int]
    scores: list[float]
    shares: list[float]
    explanations: Explanations | None = None


class Lists:
    """Lists over one catalogue, made by the models that `model` gives. Several threads may ask at once."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.works = np.unique(catalogue.works.astype(str), return_inverse=True)[1]
        self.codes = {item_id: code for code, item_id in enumerate(catalogue.item_ids)}
        self._unlike: WeakKeyDictionary[Recommender, dict[int, np.ndarray]] = WeakKeyDictionary()
        self._remembering = threading.Lock()

    def model(self, name: str) -> Recommender:
        """A model by its name; a UserError where it cannot be asked."""
        raise NotImplementedError

    @cached_property
    def places(self) -> np.ndarray:
        """The order of equal scores."""
        return tie_places(self.catalogue.item_ids)

    def recommend(
        self, name: str, profile: UserProfile, k: int, why: bool = False, rerank: Rerank | None = None
    ) -> Answer:
        """The k best new items for a listener: without what is disliked and what is very like it, one version of each
        track, re-ranked if that was asked for. With explanations where they are cheap, or with `why`."""
        k = whole_number("k", k)
        model, depth = self.model(name), max(CANDIDATES, 2 * k)
        if why and profile.hour is not None and model.knows_hours:
            raise UserError(f"reasons of {name} are those of a list at no certain time; ask for reasons without a time")
        items, values = self._best(self._scores(model, profile), profile, depth)
        if len(values) > 1 and values[0] == values[-1]:
            return self.popular(name, profile, k, rerank)
        answer = self._listed(name, profile, items, values, k, rerank)
        if answer.items and (why or name in CHEAP):
            return replace(answer, explanations=self.explain(name, profile, answer.items))
        return answer

    def _scores(self, model: Recommender, profile: UserProfile) -> np.ndarray:
        """Scores of all items for a profile, at its hour where the model goes by that, float32 (1, n_items)."""
        if profile.hour is not None and model.knows_hours:
            return model.scores_of(Query(np.array([profile.user]), profile.history, np.array([profile.hour])))
        if profile.is_of_the_data:
            return model.score(np.array([profile.user]))
        return scores_of(model, profile.history, profile.user)

    def popular(self, name: str, profile: UserProfile, k: int, rerank: Rerank | None = None) -> Answer:
        """The popular list in the place of a model that knows nothing of a listener."""
        listeners = self.catalogue.listeners
        items, values = self._best(listeners[None].astype(np.float32), profile, max(CANDIDATES, 2 * k))
        answer = self._listed(name, profile, items, values, k, rerank)
        return replace(answer, explanations=by_popularity(listeners, answer.items))

    def _listed(
        self, name: str, profile: UserProfile, items: np.ndarray, values: np.ndarray, k: int, rerank: Rerank | None
    ) -> Answer:
        """The first k of the candidates, once dislikes and re-ranking have changed their order."""
        order, shares = self._push_away(name, profile, items, values)
        items, values = items[order], values[order]
        if rerank is not None:
            chosen = rerank(items, shares, profile.history, k)
            items, values, shares = items[chosen], values[chosen], shares[chosen]
        return Answer(name, items[:k].tolist(), values[:k].tolist(), shares[:k].tolist())

    def _best(self, scores: np.ndarray, profile: UserProfile, depth: int) -> tuple[np.ndarray, np.ndarray]:
        """Items of the largest scores that are new to a listener and not disliked, one version of each, best first."""
        history = profile.history.items
        train = list(dict.fromkeys([*history.tolist(), *profile.disliked]))
        masked = Histories.from_lists([train], len(self.catalogue))
        items, values = (row[0] for row in top_items(scores, masked, self.places, min(depth, len(self.catalogue))))
        items, values = items[items >= 0], values[items >= 0]
        first = one_per_group(items, self.works, taken=np.unique(self.works[history]).tolist())
        return items[first], values[first]

    def _push_away(
        self, name: str, profile: UserProfile, items: np.ndarray, values: np.ndarray
    ) -> tuple[Any, np.ndarray]:
        """The order of candidates once what is like a disliked item was moved down, and their shares 0..1 in it."""
        spread = max(float(values[0] - values[-1]), 1e-12) if len(values) else 1.0
        shares = (values - values.min(initial=np.inf)) / spread if len(values) else values
        if profile.disliked and name not in NO_SIMILARITY and len(items):
            shares = shares - PUSH * np.max([self._similarity(name, item)[items] for item in profile.disliked], axis=0)
        order = np.argsort(-shares, kind="stable")
        return order, np.clip(shares[order] / max(float(shares.max(initial=0)), 1e-12), 0, 1)

    def _similarity(self, name: str, item: int) -> np.ndarray:
        """Similarity of all items to one, its nearest 1 and never below 0, float64 (n_items,)."""
        model = self.model(name)
        with self._remembering:
            if (kept := self._unlike.setdefault(model, {}).get(item)) is not None:
                return kept
        items, similarities = model.similar(item, len(self.catalogue))
        all_items = np.zeros(len(self.catalogue))
        all_items[items] = np.maximum(similarities, 0) / max(float(similarities.max(initial=0)), 1e-12)
        with self._remembering:
            of_model = self._unlike.setdefault(model, {})
            of_model[item] = all_items
            if len(of_model) > REMEMBERED:
                of_model.pop(next(iter(of_model)))
        return all_items

    def _item(self, code: int) -> int:
        return whole_number("item", code, 0, len(self.catalogue) - 1)

    def explain(self, name: str, profile: UserProfile, items: Sequence[int]) -> Explanations:
        """Why a model recommends these items for a profile."""
        return explain(self.model(name), profile.history, items, profile.user)

    def similar(self, name: str, item: int, k: int) -> Answer:
        """The k items most like one, one version of each track and none of its own."""
        item, k = self._item(item), whole_number("k", k)
        items, similarities = self._most_similar(name, item, k, depth=4 * k + CANDIDATES)
        shares = np.clip(similarities / max(float(np.max(similarities, initial=0)), 1e-12), 0, 1)
        explained = basis_alone(similarity(self.model(name)), items.tolist())
        return Answer(name, items.tolist(), similarities.tolist(), shares.tolist(), explained)

    def _most_similar(self, name: str, item: int, k: int, depth: int) -> tuple[np.ndarray, np.ndarray]:
        """One version of each of the k works most like an item, of the first `depth` items if these suffice."""
        items, similarities = self.model(name).similar(item, min(depth, len(self.catalogue)))
        kept = one_per_group(items, self.works, taken=[int(self.works[item])])
        if np.count_nonzero(kept) < k and depth < len(self.catalogue):
            return self._most_similar(name, item, k, len(self.catalogue))
        return items[kept][:k], similarities[kept][:k]


class RecommendationService(Lists):
    """The store of a data set, the catalogue of one protocol, and its saved models, each opened when first used."""

    def __init__(self, store: Store, model_store: ModelStore, rerank: Rerank | None = None) -> None:
        super().__init__(store.data.catalogue(model_store.protocol))
        self.store, self.model_store, self.rerank = store, model_store, rerank
        self.protocol = model_store.protocol
        self._models: dict[str, Recommender] = {}

    @cached_property
    def names(self) -> NameSearch:
        """For looking up what people type."""
        return NameSearch(self.store.data, self.protocol, self.catalogue)

    def recommend(
        self, name: str, profile: UserProfile, k: int, why: bool = False, rerank: Rerank | None = None
    ) -> Answer:
        """A list as `Lists.recommend` makes it, re-ranked as the service is set where nothing else is asked for."""
        return super().recommend(name, profile, k, why, rerank or self.rerank)

    def model(self, name: str) -> Recommender:
        """A model, opened once."""
        if name not in self._models:
            trained = name in self.model_store.trained()
            if name == "trending" and not (trained or self.store.data.has_times(self.protocol)):
                raise UserError(f"trending goes by times, and {self.protocol!r} has none here; ask another model")
            self._models[name] = self.model_store.open(name, hash_ids(self.catalogue.item_ids))  # type: ignore[arg-type]
        return self._models[name]

    def forget(self, name: str) -> None:
        """Free a model's memory."""
        self._models.pop(name, None)

    def profile(self, user_id: str, listener: str, liked: list[int]) -> UserProfile:
        """What is known of somebody: a user of the data ("" for none), what was kept for a listener, and more likes."""
        user = self._user(id_text("user", user_id)) if user_id != "" else -1
        own, liked = self.store.data.history(self.protocol, user, len(self.catalogue)), [*map(self._item, liked)]
        likes, dislikes = ([self.codes[i] for i in ids if i in self.codes] for ids in self.store.feedback.of(listener))
        liked = list(dict.fromkeys([*likes, *liked]))
        return UserProfile(user, own, liked, [item for item in dislikes if item not in liked])

    def _user(self, user_id: str) -> int:
        found = self.store.data.user(self.protocol, user_id)
        if found is not None:
            return found
        from rapidfuzz import process

        known = self.store.data.user_ids(self.protocol)
        near = [name for name, _, _ in process.extract(user_id, known, limit=3, score_cutoff=60)] or known[:1]
        hint = did_you_mean(map(shown, near))
        what = f"--user {shown(user_id)}: no user of {self.model_store.dataset} has that id"
        raise UserError(f"{what}; {hint}" if hint else what)


@contextlib.contextmanager
def open_service(
    dataset: str,
    protocol: str,
    preset: str,
    data_dir: Path,
    output_dir: Path,
    synthetic: SyntheticSettings,
    reranking: Reranking,
    store: str = "",
) -> Iterator[RecommendationService]:
    """The service of a data set and a protocol folder; store and split are made first where they are missing."""
    with open_store(dataset, protocol, data_dir, output_dir, synthetic, store) as opened:
        model_store = ModelStore.of(dataset, protocol, preset, data_dir, output_dir, synthetic)
        yield RecommendationService(opened, model_store, reranker(dataset, protocol, data_dir, synthetic, reranking))


def reranker(
    dataset: str, protocol: str, data_dir: Path, synthetic: SyntheticSettings, settings: Reranking
) -> Rerank | None:
    """What re-ranks candidates, None where the settings change nothing; a UserError where the data lacks a feature."""
    if settings == Reranking():
        return None
    from common.data.dataset import load_dataset
    from common.splits.train_view import load_train_view

    facts = item_facts(load_train_view(load_dataset(dataset, data_dir, synthetic), protocol, "final"))
    return reranker_of(facts, settings)


def reranker_of(facts: ItemFacts, settings: Reranking) -> Rerank:
    """What re-ranks candidates by known facts of items; a UserError where the data lacks a feature."""
    settings.check(facts)

    def chosen(items: np.ndarray, shares: np.ndarray, history: Histories, k: int) -> list[int]:
        place = {int(item): n for n, item in enumerate(items)}
        best, _ = rerank_candidates(items, shares, history, facts, settings, k)
        return [place[int(item)] for item in best if item >= 0]

    return chosen
