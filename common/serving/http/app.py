"""The application: routes under /v1, the page at /, health and metrics; OpenAPI at /openapi.json."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from common.serving.http.experiment import Experiment
from common.serving.http.feedback_writer import FeedbackWriter
from common.serving.http.guard import Guard
from common.serving.http.metrics import Metrics
from common.serving.http.problems import Problem, handle_problems
from common.serving.http.routes import PROBLEMS, router
from common.serving.http.service import HttpService
from common.serving.http.work_pool import WorkPool
from common.serving.new_items import NewItemService

PAGE = Path(__file__).parent / "page"
ABOUT = """Music recommendations by the saved models of Encore.

Errors are problem details (RFC 9457) with one sentence that names what is wrong and the remedy."""


@dataclass(frozen=True)
class Limits:
    """How much at once, and how long."""

    timeout: float = 30.0
    """Seconds for a body to come and for an answer to be made."""
    refresh: float = 2.0
    """Seconds between two looks for newer runs."""
    threads: int = 2
    """Lists that are made at once."""
    most_waiting: int = 64
    """Further lists that wait for a thread."""


def create_app(
    service: HttpService,
    feedback: FeedbackWriter,
    limits: Limits | None = None,
    hosts: Collection[str] | None = None,
    experiment: Experiment | None = None,
    new_items: NewItemService | None = None,
) -> FastAPI:
    """The application; `hosts` as `Guard` takes it. Models are loaded once it has started."""
    limits = limits or Limits()
    metrics, pool = Metrics(), WorkPool(limits.threads, limits.most_waiting, limits.timeout)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        looking = asyncio.create_task(_refresh(service, metrics, limits.refresh))
        yield
        looking.cancel()
        await asyncio.to_thread(pool.close)
        await asyncio.to_thread(feedback.close)

    app = FastAPI(title="Encore", version="1", description=ABOUT, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service, app.state.feedback, app.state.metrics, app.state.pool = service, feedback, metrics, pool
    app.state.experiment, app.state.new_items = experiment, new_items
    app.add_middleware(Guard, metrics=metrics, timeout=limits.timeout, hosts=hosts)
    handle_problems(app)
    app.router.routes.extend(router.routes)  # a router within the router costs every request 30 microseconds
    _add_health(app)
    app.mount("/", StaticFiles(directory=PAGE, html=True), "page")
    return app


async def _refresh(service: HttpService, metrics: Metrics, seconds: float) -> None:
    """Look for newer runs for as long as the service runs."""
    while True:
        await asyncio.to_thread(service.models.refresh)
        for one in service.models.all():
            metrics.available.labels(one.name).set(one.model is not None)
        await asyncio.sleep(seconds)


def _add_health(app: FastAPI) -> None:
    """What a container engine, a load balancer and Prometheus ask for."""

    @app.get("/healthz", summary="Whether the process answers")
    async def health() -> dict[str, str]:
        """Always ok where there is an answer at all."""
        return {"status": "ok"}

    @app.get("/readyz", summary="Whether models are loaded", responses={503: PROBLEMS[503]})
    async def ready(request: Request) -> dict[str, str | list[str]]:
        """503 until every saved model was loaded once, and where none can be asked."""
        models = request.app.state.service.models
        if not models.ready or not models.available():
            why = "no model can be asked; see /v1/models" if models.ready else "models are being loaded"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, why)
        return {"status": "ready", "models": models.available()}

    @app.get("/metrics", summary="Requests, errors, latency", response_class=Response)
    async def metrics(request: Request) -> Response:
        """For Prometheus."""
        return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)
