"""What the routes ask: lists of the served models as plain dictionaries, ready for JSON."""

import json
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import numpy as np

from common.data.artist_names import loose_key
from common.models.base import Recommender
from common.models.registry import MODELS
from common.models.two_stage.base import TwoStageRecommender
from common.reranking.rerank import Reranking, item_facts
from common.serving.explanations import CHEAP, ItemExplanation
from common.serving.http.schemas import Like, RecommendRequest, Reference, Rerank
from common.serving.http.served_models import Served, ServedModels
from common.serving.model_store import ModelStore
from common.serving.name_search import NameSearch, shown
from common.serving.request_hour import hour_at
from common.serving.service import NO_SIMILARITY, Answer, Lists, reranker_of
from common.serving.service import Rerank as Reorder
from common.serving.store.catalogue import catalogue_of
from common.serving.user_profile import UserProfile
from common.serving.word_index import WordIndex
from common.splits.histories import Histories
from common.splits.train_view import TrainView
from common.utils.errors import UserError

KEPT_ANSWERS = 2048
"""Answers about similar items that are kept, the least used one goes first."""
NO_LIKES = "nothing was liked, so this is the popular list"
NOT_LEARNED = "the model knows nothing of these likes, so this is the popular list"
PREFERRED = ("als", "ials", "item_knn")
"""Models that are asked for similar items where none is named, the first that is served."""


def weights_of(likes: Iterable[Like]) -> list[float]:
    """How often each like was played; one that does not say so has the median of the others, 1 where none says it."""
    plays = [like.plays for like in likes]
    known = [number for number in plays if number is not None]
    usual = float(np.median(known)) if known else 1.0
    return [usual if number is None else number for number in plays]


class HttpService(Lists):
    """A catalogue in memory and the models that are served; no store is needed for an answer."""

    def __init__(self, train: TrainView, model_store: ModelStore, names: Sequence[str] = ()) -> None:
        super().__init__(catalogue_of(train))
        self.models, self.model_store = ServedModels(model_store, train.catalogue_sha256, names), model_store
        self.dataset, self.protocol, self.facts = train.dataset, train.protocol, item_facts(train)
        self.names = NameSearch(WordIndex(self.catalogue), self.protocol, self.catalogue)
        self.has_plays = bool(np.any(train.histories.weights != 1))
        self.has_time = train.histories.timestamps is not None
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def model(self, name: str) -> Recommender:
        """A model that is served; a UserError with the reason for one that is not."""
        found = self.models.get(name).model
        assert found is not None
        return found

    def about(self) -> dict[str, Any]:
        """The models, and what the data have."""
        return {
            "dataset": self.dataset,
            "protocol": self.protocol,
            "kind": self.names.kind,
            "has_plays": self.has_plays,
            "has_time": self.has_time,
            "has_explicit": self.facts.explicit is not None,
            "has_features": bool(self.facts.vectors),
            "models": [self._about(one) for one in self.models.all()],
        }

    def _about(self, one: Served) -> dict[str, Any]:
        return {
            "name": one.name,
            "label": one.name.replace("_", " "),
            "protocol": self.protocol,
            "run_id": one.run_id or None,
            "can_explain": one.name in CHEAP,
            "knows_similarity": one.name not in NO_SIMILARITY,
            "knows_time": self.knows_time(one.name),
            "available": one.model is not None,
            "reason": one.reason or None,
        }

    def knows_time(self, name: str) -> bool:
        """Whether a model's lists depend on when the likes were played."""
        return self.has_time and issubclass(MODELS[name], TwoStageRecommender)

    def suggest(self, typed: str, limit: int) -> list[dict[str, Any]]:
        """Items that somebody may be typing the name of."""
        return [self.named(item) | {"listeners": self._listeners(item)} for item in self.names.suggest(typed, limit)]

    def named(self, item: int) -> dict[str, Any]:
        """Id, name and, of a track, artist of an item."""
        name, artist = str(self.catalogue.names[item]), str(self.catalogue.artists[item])
        return {"item_id": self.catalogue.item_ids[item], "name": name, "artist": artist or None}

    def _listeners(self, item: int) -> int:
        return int(self.catalogue.listeners[item])

    def find(self, reference: Reference) -> int:
        """The code of the item that is meant."""
        if (reference.item is None) == (reference.name is None):
            raise UserError("an item is given by `item`, its id, or by `name`; give one of the two")
        if reference.item is not None:
            return self.find_text(f"id:{reference.item}")
        return self.find_text(reference.name or "")

    def find_text(self, typed: str) -> int:
        """The code of an item by its name, or by its id after `id:`."""
        found = self.codes.get(typed[3:]) if typed.startswith("id:") else None
        return self.names.find(typed) if found is None else found

    def is_quick(self, request: RecommendRequest) -> bool:
        """Whether every item is given by its id or its very name, so that nothing has to be guessed."""
        given = [*request.likes, *request.dislikes]
        return all(one.item in self.codes or loose_key(one.name or "") in self.names.keys for one in given)

    def profile(self, request: RecommendRequest) -> tuple[UserProfile, list[dict[str, Any]], list[str]]:
        """What is known of who asks, what each name was taken for, and remarks about it."""
        likes = [(self.find(like), like) for like in request.likes]
        dislikes = [(self.find(dislike), dislike) for dislike in request.dislikes]
        resolved = [self._resolved(*one, "like") for one in likes] + [
            self._resolved(*one, "dislike") for one in dislikes
        ]
        liked = dict(likes)
        both = [self.catalogue.label(item) for item, _ in dislikes if item in liked]
        notes = [f"{shown(name)} is liked and disliked; the like counts" for name in dict.fromkeys(both)]
        own = self._history(liked, request.when)
        hour = None if request.when is None else hour_at(request.when)
        disliked = [item for item, _ in dislikes if item not in liked]
        return UserProfile(-1, own, [], disliked, hour), resolved, notes

    def _resolved(self, item: int, reference: Reference, kind: str) -> dict[str, Any]:
        given = reference.name if reference.name is not None else f"id:{reference.item}"
        return self.named(item) | {"given": given, "as": kind}

    def _history(self, liked: dict[int, Like], when: datetime | None) -> Histories:
        weights = np.array(weights_of(liked.values()), np.float32)
        items = np.fromiter(liked, np.int32, len(liked))
        times = None if when is None or not self.has_time else np.full(len(items), int(when.timestamp()), np.int64)
        return Histories(np.array([0, len(items)], np.int64), items, weights, len(self.catalogue), times)

    def asked(self, names: Sequence[str] | None) -> list[str]:
        """The models of a request, each once, all that are available where none is named."""
        if names is None:
            names = self.models.available()
            if not names:
                raise UserError(self.models.store.untrained("als"))
        return list(dict.fromkeys(self.models.get(name.strip().casefold()).name for name in names))

    def why_not(self, names: Sequence[str]) -> str:
        """Why not all of these models can be asked; empty where they can."""
        try:
            self.asked(names)
        except UserError as error:
            return str(error)
        return ""

    def reorder(self, rerank: Rerank, exclude_explicit: bool) -> Reorder | None:
        """What re-ranks candidates; a UserError where the data lacks a feature."""
        known = {field.name for field in fields(Reranking)}
        given = {name: value for name, value in rerank.model_dump().items() if name in known}
        settings = Reranking(**given, no_explicit=exclude_explicit)
        return None if settings == Reranking() else reranker_of(self.facts, settings)

    def list_of(self, name: str, profile: UserProfile, k: int, reorder: Reorder | None, why: bool) -> dict[str, Any]:
        """The list of one model."""
        if not len(profile.history.items):
            return self._as_json(self.popular(name, profile, k, reorder)) | {"note": NO_LIKES}
        return self._as_json(self.recommend(name, profile, k, why, reorder))

    def _as_json(self, answer: Answer) -> dict[str, Any]:
        explained = answer.explanations
        whys = explained.each if explained else [ItemExplanation()] * len(answer.items)
        rows = [self._row(answer, place, why) for place, why in enumerate(whys)]
        found: dict[str, Any] = {"model": answer.model, "items": rows, "note": None}
        if explained:
            found |= {"basis": explained.basis, "shared_reasons": self._reasons(explained.shared)}
            found |= {"in_shares": explained.in_shares, "terms": explained.terms}
            if explained.basis.endswith("so the popular list"):
                found["note"] = NOT_LEARNED
        return found

    def _row(self, answer: Answer, place: int, why: ItemExplanation) -> dict[str, Any]:
        item = answer.items[place]
        return self.named(item) | {
            "rank": place + 1,
            "score": answer.scores[place],
            "share": round(answer.shares[place], 4),
            "tags": [tag for tag in str(self.catalogue.tags[item] or self.catalogue.genres[item]).split("|") if tag],
            "listeners": self._listeners(item),
            "reasons": self._reasons(why),
        }

    def _reasons(self, why: ItemExplanation) -> list[dict[str, Any]]:
        items = [self.named(item) | {"kind": "item", "value": value} for item, value in why.items]
        return items + [{"kind": "part", "name": name, "value": value} for name, value in why.parts]

    def similar_model(self, name: str | None) -> Served:
        """The model that is asked for similar items."""
        if name is not None:
            return self.models.get(name.strip().casefold())
        known = [one for one in self.models.available() if one not in NO_SIMILARITY]
        chosen = next((one for one in PREFERRED if one in known), known[0] if known else "als")
        return self.models.get(chosen)

    def kept(self, question: Hashable) -> Any:
        """The answer to a question that was asked before; a question names `models.generation`, as it was when it was
        asked. For one thread alone, as `keep`."""
        if question in self._kept:
            self._kept.move_to_end(question)
        return self._kept.get(question)

    def keep(self, question: Hashable, answer: Any) -> None:
        """Keep an answer until others have pushed it out."""
        self._kept[question] = answer
        if len(self._kept) > KEPT_ANSWERS:
            self._kept.popitem(last=False)

    def similar_json(self, one: Served, item: str, k: int) -> bytes:
        """Items like one, given as `find_text` takes it."""
        code = self.find_text(item)
        answer = self.similar(one.name, code, k)
        assert answer.explanations is not None
        rows = self._as_json(answer)["items"]
        found = {"item": self.named(code), "model": one.name, "basis": answer.explanations.basis, "items": rows}
        return json.dumps(found, allow_nan=False).encode()
