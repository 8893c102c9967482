"""An HTTP service over the saved models, with a page to try them.

    python -m common serve --dataset lastfm-2k                 http://127.0.0.1:8000
    python -m common serve --dataset lastfm-2k --models als sasrec --port 8080

Models are loaded once; a newer run is picked up while the service runs. Likes go to outputs/<dataset>/library.sqlite,
or to the database of --store.
It needs `pip install -r requirements-serve.txt`.
"""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from common.data.dataset import load_dataset
from common.data.synthetic.settings import SyntheticSettings
from common.experiments.flags import command, parse_flags
from common.models.registry import MODELS
from common.serving.model_store import ModelStore
from common.serving.new_items import NewItemService
from common.serving.store.store import place_of
from common.splits.store import parse_folder_name
from common.splits.train_view import load_train_view
from common.utils.environment import use_one_thread
from common.utils.errors import UserError, check_known
from common.utils.io import ROOT
from common.utils.settings import Range, check_ranges

log = logging.getLogger(__name__)
SWITCH = 0.001
"""Seconds after which a model that computes in Python lets the event loop have a turn."""


@dataclass(frozen=True)
class Settings:
    """Serve the trained models over HTTP, with a page at / where their lists stand side by side."""

    host: str = "127.0.0.1"
    """Address to listen at; any but this machine's own lets others in."""
    port: Annotated[int, Range(0, 65535)] = 8000
    """Port to listen at; 0: any that is free."""
    models: tuple[str, ...] = ()
    """Names of the models that are served; without any, all that are trained."""
    experiment: str = ""
    """Models joined by commas, as als,hybrid_listnet, whose lists are interleaved for requests that name no model;
    `python -m common interleaving` says which of them is preferred."""
    dataset: str = "auto"
    """lastfm-2k, synthetic, the path of a folder of your own, or auto."""
    protocol: str = "listen"
    """Folder of the protocol that the models were trained on, such as listen, next or listen-s2."""
    preset: str = "tuned"
    """Preset that the models were trained with."""
    data_dir: Path = ROOT / "data"
    """Folder of prepared data."""
    output_dir: Path = ROOT / "outputs"
    """Folder of trained models; likes and dislikes are kept there, too."""
    store: str = ""
    """postgresql+psycopg://user@host/database instead of a file in --output-dir, for likes and what belongs to them."""
    timeout: Annotated[float, Range(0.1, 3600.0)] = 30.0
    """Seconds for a body to come, for an answer to be made, and for requests to finish at the end."""
    refresh: Annotated[float, Range(0.1, 3600.0)] = 2.0
    """Seconds between two looks for newer runs."""
    threads: Annotated[int, Range(1, 256)] = 2
    """Lists that are made at once."""
    most_waiting: Annotated[int, Range(0, 100_000)] = 64
    """Further lists that wait for a thread; beyond them requests are refused with 503."""
    verify: bool = False
    """Check stored files of 64 MB and more by their hash, too, not by size and time alone."""
    synthetic: SyntheticSettings = field(default_factory=SyntheticSettings)
    """Size and seed of the generated data set."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        check_ranges("", self)
        check_known("model", MODELS, *self.models)
        parse_folder_name(self.protocol)
        place_of(self.store, self.output_dir, "")


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Open the data, listen, answer until SIGTERM or Ctrl-C."""
    settings = parse_flags(Settings, argv)
    settings.check()
    use_one_thread()
    sys.setswitchinterval(SWITCH)
    try:
        from common.serving.http.app import Limits, create_app
        from common.serving.http.experiment import Experiment
        from common.serving.http.feedback_writer import FeedbackWriter
        from common.serving.http.server import bind, exposed, hosts_of, serve
        from common.serving.http.service import HttpService
    except ModuleNotFoundError as missing:
        raise UserError(f"serve needs {missing.name}: pip install -r requirements-serve.txt") from None
    experiment = Experiment.parse(settings.experiment)
    listening = bind(settings.host, settings.port)
    with listening:
        port = listening.getsockname()[1]
        hosts = hosts_of(settings.host)
        if hosts is None:
            log.warning("%s", exposed(settings.host, port))
        place = (settings.dataset, settings.data_dir)
        data = load_dataset(*place, settings.synthetic)
        train = load_train_view(data, settings.protocol, "final")
        store = ModelStore.of(
            settings.dataset, settings.protocol, settings.preset, *place[1:], settings.output_dir, settings.synthetic
        )
        service = HttpService(train, store, settings.models)
        limits = Limits(settings.timeout, settings.refresh, settings.threads, settings.most_waiting)
        feedback = FeedbackWriter(place_of(settings.store, settings.output_dir, store.dataset))
        new_items = NewItemService(service, *place, settings.synthetic)
        app = create_app(service, feedback, limits, hosts, experiment, new_items)
        shown = f"[{settings.host}]" if ":" in settings.host else settings.host
        log.info("%s / %s: http://%s:%d", store.dataset, settings.protocol, shown, port)
        serve(app, listening, settings.timeout)
    log.info("stopped; every request was answered")
