"""One question to one or several models, its answers printed as tables, side by side, or as JSON."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from common.data.dataset import Dataset
from common.serving.request_hour import check_it_counts
from common.serving.service import Answer, RecommendationService
from common.serving.terminal import answers
from common.serving.user_profile import UserProfile
from common.utils.errors import UserError
from common.utils.terminal import columns, json_text, lines, plain, show


@dataclass(frozen=True)
class Request:
    """Which models are queried, for how many items, whether explained at length, and whether printed as JSON."""

    models: list[str]
    k: int
    why: bool = False
    json: bool = False
    hour: int | None = None
    """The hour of the week at which a list is asked for, see `UserProfile`."""


def answer_recommendations(
    service: RecommendationService, user_id: str, liked: Sequence[str], listener: str, request: Request
) -> None:
    """What to listen to next, for a user of the data ("" for a newcomer) and items liked by name."""
    profile = service.profile(user_id, listener, [service.names.find(name) for name in liked])
    if request.hour is not None:
        profile = replace(profile, hour=request.hour)
        check_it_counts(service, [one for name in request.models for one in _trained(service, name)])
    about = answers.about_profile(profile, service.catalogue, user_id, listener)
    title = f"for {'' if user_id else 'somebody who '}{answers.heading(profile, service.catalogue, user_id)}"
    title += _kept(service, profile, listener)
    _answer(service, request, title, about, lambda name: service.recommend(name, profile, request.k, request.why))


def answer_similar(service: RecommendationService, name: str, request: Request) -> None:
    """What is similar to an item, given by name."""
    item = service.names.find(name)
    about = {"similar": answers.named(service.catalogue, item)}
    title = f"like {plain(service.catalogue.label(item))}"
    _answer(service, request, title, about, lambda model: service.similar(model, item, request.k))


def answer_song(data: Dataset, title: str, request: Request) -> None:
    """Songs that sound like one, given by title."""
    from common.serving.similar_songs import Songs

    songs = Songs.of(data)
    song = songs.find(title)
    near = songs.nearest(song, request.k)
    show(songs.as_json(song, near) if request.json else songs.as_text(song, near))


def _kept(service: RecommendationService, profile: UserProfile, listener: str) -> str:
    """How much of a profile was in the store before."""
    stored = {service.codes.get(item_id) for ids in service.store.feedback.of(listener) for item_id in ids}
    kept = len(stored & {*profile.liked, *profile.disliked})
    return f" ({kept} of it kept for {plain(listener)!r})" if kept else ""


def _answer(
    service: RecommendationService,
    request: Request,
    title: str,
    about: dict[str, Any],
    query: Callable[[str], Answer],
) -> None:
    """Query the models one after the other, each freed before the next, and print their answers."""
    models = list(dict.fromkeys(one for name in request.models for one in _trained(service, name)))
    found = []
    for name in models:
        try:
            found.append(query(name))
        except UserError as error:
            if "all" not in request.models or (name == models[-1] and not found):
                raise
            show(f"left out: {plain(str(error))}", sys.stderr)
        if len(models) > 1:
            service.forget(name)
    if request.json:
        where = {"dataset": service.model_store.dataset, "protocol": service.protocol, "question": about}
        show(json_text(where | {"answers": [answers.as_json(one, service.catalogue) for one in found]}))
        return
    show("\n".join(lines(f"{service.model_store.dataset} / {service.protocol}, {title}", columns())) + "\n")
    _print(found, service, request.why)


def _trained(service: RecommendationService, name: str) -> list[str]:
    """The models that a name means: itself, or all that are trained; where none is, the error says how to train one."""
    there = service.model_store.trained() if name == "all" else [name]
    if not there:
        raise UserError(service.model_store.untrained("als"))
    return there


def _print(found: Sequence[Answer], service: RecommendationService, why: bool) -> None:
    """One list, or several: side by side, or explained one below the other."""
    if len(found) > 1 and not why:
        show(answers.side_by_side(found, service.catalogue))
        return
    for n, answer in enumerate(found):
        show("\n" * (n > 0) + answer.model)
        show(answers.table(answer, service.catalogue, why))
    if len(found) > 1:
        show("\n" + answers.overlaps(found))
