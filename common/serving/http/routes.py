"""The routes under /v1."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Hashable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import Response

from common.serving.http import schemas
from common.serving.http.experiment import NOT_KEPT, Experiment, keep_feedback
from common.serving.http.problems import MEDIA_TYPE, Problem
from common.serving.http.service import weights_of
from common.serving.new_items import FEATURES
from common.serving.service import Rerank
from common.serving.user_profile import UserProfile
from common.utils.errors import UserError

WHAT = {
    400: "The body is no JSON.",
    413: "The body is too large.",
    415: "The body is of another type.",
    421: "Asked by another name than that of this machine.",
    422: "A mistake in the request, in one sentence with the remedy.",
    503: "Too much is waiting, a model is too slow, or the store is away.",
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": what, "content": {MEDIA_TYPE: {"schema": schemas.ProblemBody.model_json_schema()}}}
    for status, what in WHAT.items()
}
OF_SIMILAR = schemas.SimilarRequest.model_json_schema()["properties"]
SIMILAR_QUERY = [
    {"name": name, "in": "query", "required": name == "item", "schema": schema} for name, schema in OF_SIMILAR.items()
]
"""The parameters of GET /v1/similar, read by hand: FastAPI takes longer to do so than the answer takes."""
router = APIRouter(prefix="/v1", responses=PROBLEMS)


def as_json(content: Any, status: int = HTTPStatus.OK) -> Response:
    """A response; what holds a number that JSON has none for is a mistake of ours."""
    return Response(json.dumps(content, allow_nan=False), status, media_type="application/json")


@router.get(
    "/similar", response_model=schemas.Similar, summary="Items like one", openapi_extra={"parameters": SIMILAR_QUERY}
)
async def similar(request: Request) -> Response:
    """By the named model, or the first that knows similarity."""
    return await _similar(request, request.scope["query_string"], lambda: _query(request))


def _query(request: Request) -> schemas.SimilarRequest:
    """The query of a request, checked."""
    try:
        return schemas.SimilarRequest.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise RequestValidationError([one | {"loc": ("query", *one["loc"])} for one in error.errors()]) from None


@router.post("/similar", response_model=schemas.Similar, summary="Items like one")
async def post_similar(request: Request, body: schemas.SimilarRequest) -> Response:
    """The same, with a body."""
    return await _similar(request, (body.item, body.k, body.model), lambda: body)


async def _similar(request: Request, question: Hashable, read: Callable[[], schemas.SimilarRequest]) -> Response:
    """The answer that is kept to a question, or a new one, for which the request is read."""
    state, service = request.app.state, request.app.state.service
    question = (service.models.generation, question)
    if (answer := service.kept(question)) is None:
        asked = read()
        one = service.similar_model(asked.model)
        made = await state.pool.run(service.similar_json, one, asked.item, asked.k)
        answer = Response(made, media_type="application/json")
        service.keep(question, answer)
    return answer


@router.get("/models", response_model=schemas.Models, summary="The models, and what the data have")
async def models(request: Request) -> Response:
    """A model that is not available says why; it comes back by itself once its files are sound."""
    state = request.app.state
    running = list(state.experiment.models) if state.experiment else None
    return as_json(state.service.about() | {"experiment": running})


@router.get("/items", response_model=schemas.Suggestions, summary="Items by the beginning of a name")
async def items(
    request: Request,
    q: Annotated[str, Query(max_length=schemas.MOST_LETTERS, examples=["radioh"], description="What was typed.")] = "",
    limit: schemas.Limit = 8,
) -> Response:
    """For suggestions while somebody types: case, accents and a slip of the keyboard are forgiven."""
    state = request.app.state
    return as_json({"items": await state.pool.run(state.service.suggest, q, limit)})


@router.post("/recommend", response_model=schemas.Recommendations, summary="A list of each model")
async def recommend(request: Request, body: schemas.RecommendRequest) -> Response:
    """Lists for somebody who likes some items and dislikes others. Without likes: the popular list, with a note.

    The header Server-Timing has the milliseconds of each model. Where an experiment runs and no model is named, it is
    one list, drawn from those of its models.
    """
    state, service = request.app.state, request.app.state.service
    experiment = state.experiment if body.models is None and body.likes else None
    request_id, notes = uuid.uuid4().hex, []
    if experiment is not None and (reason := service.why_not(experiment.models)):
        experiment, notes = None, [f"no experiment: {reason}"]
    names = service.asked(body.models if experiment is None else experiment.models)
    reorder = service.reorder(body.rerank, body.exclude_explicit)
    guessed = not service.is_quick(body)
    profile, resolved, more = await state.pool.run(service.profile, body) if guessed else service.profile(body)
    if body.when is not None and not any(service.knows_time(name) for name in names):
        more.append("none of these models knows the time; `when` changes nothing")
    timed = await asyncio.gather(*(_timed_list(request, name, profile, body, reorder) for name in names))
    lists = [found for found, _ in timed]
    times = ", ".join(f"{name};dur={1000 * seconds:.2f}" for name, (_, seconds) in zip(names, timed, strict=True))
    if experiment is not None:
        lists, kept = await _interleaved(request, experiment, lists, body, request_id)
        notes += kept
    response = as_json({"request_id": request_id, "lists": lists, "resolved": resolved, "notes": notes + more})
    response.headers["Server-Timing"] = times
    return response


async def _interleaved(
    request: Request,
    experiment: Experiment,
    lists: list[dict[str, Any]],
    body: schemas.RecommendRequest,
    request_id: str,
) -> tuple[list[dict[str, Any]], list[str]]:
    """One list of several, and what is to be said about it: a store that is away takes nothing but the votes."""
    state = request.app.state
    found, picks = experiment.interleave(lists, body.k, request_id)
    values = (request_id, state.service.protocol, body.session, picks)
    try:
        await state.pool.finish(state.feedback.submit(experiment.keep, *values))
    except UserError as error:
        return [found], [f"{NOT_KEPT}: {error}"]
    return [found], []


async def _timed_list(
    request: Request, name: str, profile: UserProfile, body: schemas.RecommendRequest, reorder: Rerank | None
) -> tuple[dict[str, Any], float]:
    """The list of one model, made by a thread of the pool, and the seconds that it took, which are counted."""
    state = request.app.state

    def work() -> tuple[dict[str, Any], float]:
        start = time.perf_counter()
        found = state.service.list_of(name, profile, body.k, reorder, body.why)
        seconds = time.perf_counter() - start
        state.metrics.model_seconds.labels(name).observe(seconds)
        return found, seconds

    return await state.pool.run(work)


@router.post("/new-items", response_model=schemas.NewItem, summary="Where an item that nobody has heard would stand")
async def new_items(request: Request, body: schemas.NewItemRequest) -> Response:
    """Placed by its content alone. The first answer takes seconds: the tables of the data are read then."""
    return as_json(await request.app.state.pool.run(_placed, request, body))


def _placed(request: Request, body: schemas.NewItemRequest) -> dict[str, Any]:
    state = request.app.state
    ids, plays = state.service.catalogue.item_ids, weights_of(body.likes)
    likes = {ids[state.service.find(like)]: number for like, number in zip(body.likes, plays, strict=True)}
    features = {name: getattr(body, name) for name in FEATURES if getattr(body, name) is not None}
    return state.new_items.place(state.service.models.get(body.model).name, features, body.k, likes or None)


@router.post(
    "/feedback",
    response_model=schemas.Feedback,
    status_code=HTTPStatus.CREATED,
    summary="A like, a dislike, that one was taken back, a click, or which items were shown",
)
async def feedback(request: Request, body: schemas.FeedbackRequest) -> Response:
    """Kept in the store, on disk before the answer; 503 where the store cannot take it, which stops nothing else.

    What was shown may come as one request for all `items`; likes, dislikes and clicks come one by one.
    """
    state, service = request.app.state, request.app.state.service
    for item in body.item_ids if body.kind != "withdraw" else []:  # what has left the catalogue can be taken back
        service.find_text(f"id:{item}")
    try:
        known = await state.pool.finish(state.feedback.submit(keep_feedback, body))
    except UserError as error:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"the feedback was not kept: {error}") from None
    return as_json({"kept": True, "known": known}, HTTPStatus.CREATED)
