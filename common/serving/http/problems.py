"""Errors as problem details (RFC 9457), with the sentences that the command line has."""

import json
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from common.serving.name_search import UnclearError
from common.utils.errors import UserError, short

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger(__name__)


class Problem(Exception):  # noqa: N818 - the name that the RFC gives it
    """An answer that is an error: its HTTP status, a sentence, and further members of the body."""

    def __init__(self, status: int, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.members = status, detail, members


def problem(status: int, detail: str, **members: Any) -> Response:
    """The response of a problem; `members` that are None are left out."""
    about = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    content = json.dumps(about | {name: value for name, value in members.items() if value is not None})
    headers = {"Retry-After": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return Response(content, status, headers, MEDIA_TYPE)


def handle_problems(app: FastAPI) -> None:
    """Let every error of an app end in a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(UserError, _user_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _fault)


async def _problem(request: Request, error: Any) -> Response:
    return problem(error.status, error.detail, **error.members)


async def _user_error(request: Request, error: Any) -> Response:
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), suggestions=suggestions(request, error))


def suggestions(request: Request, error: UserError) -> list[dict[str, str]] | None:
    """The items that an unclear name may have meant; None where the error is another one."""
    if not isinstance(error, UnclearError):
        return None
    catalogue = request.app.state.service.catalogue
    return [{"item_id": catalogue.item_ids[item], "name": catalogue.label(item)} for item in error.items]


async def _invalid(request: Request, error: Any) -> Response:
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return problem(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {found[0]['ctx']['error']}; send an object")
    sentences = [sentence(one) for one in found]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, sentences[0], errors=sentences if len(sentences) > 1 else None)


async def _http_error(request: Request, error: Any) -> Response:
    detail = error.detail
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = f"there is no {short(request.url.path)}; /openapi.json lists what there is"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{request.url.path} does not take {request.method}; /openapi.json lists what it takes"
    response = problem(error.status_code, detail)
    response.headers.update(error.headers or {})
    return response


async def _fault(request: Request, error: Exception) -> Response:
    """A mistake of ours; the server logs it with its traceback."""
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of the service, which its log tells; it goes on")


REMEDIES = {
    "missing": "is missing; give it",
    "extra_forbidden": "is not known here; leave it out",
    "json_type": "is no JSON object",
    "too_short": "is empty; give at least {min_length}",
    "too_long": "has {actual_length} entries; give {max_length} at most",
    "string_too_long": "is longer than {max_length} characters; shorten it",
    "string_too_short": "is empty; give a text",
}
"""Pydantic's kinds of errors -> what is wrong and what to do about it."""


def sentence(error: dict[str, Any]) -> str:
    """What is wrong with a request, from one of Pydantic's errors: place, value, remedy.

    >>> sentence({"type": "float_type", "loc": ("body", "likes", 0), "msg": "Input should be a number", "input": []})
    'likes[0] = []: input should be a number'
    """
    place = place_of(error["loc"])
    context = {"actual_length": "too many"} | error.get("ctx", {})
    if error["type"] in REMEDIES:
        return f"{place} {REMEDIES[error['type']].format(**context)}"
    message = error["msg"][:1].lower() + error["msg"][1:]
    return f"{place} = {short(error['input'])}: {message}"


def place_of(location: Sequence[Any]) -> str:
    """Where a value stands in a request.

    >>> place_of(("body", "likes", 0, "plays")), place_of(("query", "k")), place_of(("body",))
    ('likes[0].plays', 'k', 'body')
    """
    inner = location[1:] if len(location) > 1 else location
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in inner]
    return "".join(parts).removeprefix(".")
