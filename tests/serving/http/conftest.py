import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from common.data.synthetic.settings import SyntheticSettings
from common.serving.http.app import Limits, create_app
from common.serving.http.feedback_writer import FeedbackWriter
from common.serving.http.service import HttpService
from common.serving.model_store import ModelStore
from common.serving.new_items import NewItemService
from common.serving.store.sqlite import SQLiteFile
from tests.serving.saved_models import save_models, write_own_folder


class Place:
    """A folder of one's own with tiny saved models, and what is served from it."""

    def __init__(self, folder: Path, models: tuple[str, ...]) -> None:
        self.own = write_own_folder(folder / "own")
        self.data_dir, self.output_dir = folder / "data", folder / "out"
        self.data, self.train = save_models(self.own, self.data_dir, self.output_dir, models)
        where = (self.data_dir, self.output_dir, SyntheticSettings())
        self.store = ModelStore.of(str(self.own), "listen", "tuned", *where)

    @property
    def library(self) -> Path:
        return self.output_dir / self.data.name / "library.sqlite"

    def service(self, **how: Any) -> HttpService:
        return HttpService(self.train, self.store, **how)

    def feedback(self) -> FeedbackWriter:
        return FeedbackWriter(SQLiteFile(self.library))

    @contextlib.contextmanager
    def client(self, limits: Limits | None = None, **how: Any) -> Iterator[TestClient]:
        """A client of the running service, once it is ready."""
        service = self.service()
        how |= {"new_items": NewItemService(service, str(self.own), self.data_dir, SyntheticSettings())}
        app = create_app(service, self.feedback(), limits or Limits(refresh=0.05), **how)
        with TestClient(app, raise_server_exceptions=False) as client:
            wait_for(lambda: client.get("/readyz").status_code == 200)
            yield client


def wait_for(condition: Any, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def served_place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("http"), ("popularity", "tag_knn", "als"))


@pytest.fixture(scope="module")
def client(served_place):
    with served_place.client() as client:
        yield client
