"""Requests made up from the service's own OpenAPI description, right ones and wrong ones, over a real socket."""

import threading

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from common.data.synthetic.settings import SyntheticSettings
from common.serving.http.app import Limits, create_app
from common.serving.http.server import bind
from common.serving.new_items import NewItemService
from tests.fuzzing import EXAMPLES
from tests.serving.http.conftest import wait_for

CHECKS = [not_a_server_error, response_schema_conformance, content_type_conformance]
ROUTES = (
    *("GET /v1/models", "GET /v1/items", "POST /v1/recommend", "GET /v1/similar", "POST /v1/similar"),
    *("POST /v1/new-items", "POST /v1/feedback", "GET /healthz", "GET /readyz", "GET /metrics"),
)


@pytest.fixture(scope="module")
def api(served_place):
    """The description, from a running service."""
    service = served_place.service()
    new_items = NewItemService(service, str(served_place.own), served_place.data_dir, SyntheticSettings())
    app = create_app(service, served_place.feedback(), Limits(refresh=0.05), new_items=new_items)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2))
    with bind("127.0.0.1", 0) as listening:
        running = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        running.start()
        try:
            wait_for(lambda: server.started and app.state.service.models.ready)
            yield schemathesis.openapi.from_url(f"http://127.0.0.1:{listening.getsockname()[1]}/openapi.json")
        finally:
            server.should_exit = True
            running.join()


def test_every_route_is_described(api):
    assert {result.ok().label for result in api.get_all_operations()} == set(ROUTES)


@pytest.mark.thorough
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
@pytest.mark.parametrize("route", ROUTES)
def test_no_request_breaks_the_service(api, route, mode):
    method, path = route.split()
    if mode is GenerationMode.NEGATIVE and path in ("/v1/models", "/healthz", "/readyz", "/metrics"):
        pytest.skip("it takes nothing that could be wrong")

    @settings(
        max_examples=EXAMPLES or 30,
        deadline=None,
        derandomize=not EXAMPLES,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=api[path][method].as_strategy(generation_mode=mode))
    def asked(case):
        case.call_and_validate(checks=CHECKS)

    asked()
