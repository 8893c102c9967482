"""The saved models of a service: each loaded once, and again when a newer run has taken its place."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.models.base import Recommender
from common.models.registry import MODELS
from common.models.saved_files import ABOUT
from common.serving.model_store import ModelStore
from common.utils.errors import UserError
from common.utils.io import sha256_file

log = logging.getLogger(__name__)
Files = tuple[tuple[str, int, int, int], ...]
"""Name, inode, size and time of change of each file of a saved model."""


@dataclass(frozen=True)
class Served:
    """A model as it is served: `model` is None where `reason` says why it cannot be asked."""

    name: str
    model: Recommender | None = None
    reason: str = ""
    run_id: str = ""
    files: Files = ()


class ServedModels:
    """The models of a store by name. `refresh` is called again and again by one thread; others ask meanwhile."""

    def __init__(self, store: ModelStore, catalogue_sha256: str, names: Sequence[str] = ()) -> None:
        """`names`: the models that are served; without any, all that are trained, those of later runs as well."""
        self.store, self.catalogue_sha256, self.names = store, catalogue_sha256, tuple(names)
        self._served: dict[str, Served] = {}
        self._refreshing = threading.Lock()
        self.generation = 0
        """Rises with every change of a model: what was answered before it is out of date."""
        self.ready = False
        """Whether every model was looked at once."""

    def refresh(self) -> list[str]:
        """Load what is new; returns the names of the models that have changed. An old model answers until then."""
        with self._refreshing:
            changed = []
            for name in self.names or MODELS:
                folder, before = self.store.folder(name), self._served.get(name)
                files = files_of(folder)
                if (before is None and not files and not self.names) or (before and before.files == files):
                    continue
                self._served[name] = self._opened(name, files)
                changed.append(name)
                self.generation += 1
            self.ready = True
            return changed

    def _opened(self, name: str, files: Files) -> Served:
        try:
            model = self.store.open(name, self.catalogue_sha256)
            run_id = f"{name}/{self.store.preset}/seed0@{sha256_file(self.store.folder(name) / ABOUT)[:8]}"
        except (UserError, OSError) as error:
            log.warning("%s is not served: %s", name, error)
            return Served(name, None, str(error), "", files)
        except Exception as error:  # a damage that no reader has met; the other models go on
            log.exception("%s is not served", name)
            reason = f"{name} cannot be loaded ({type(error).__name__}: {error}); train it again"
            return Served(name, None, reason, "", files)
        return Served(name, model, "", run_id, files)

    def all(self) -> list[Served]:
        """Every model, in the order of the stages."""
        served = dict(self._served)
        return [served[name] for name in MODELS if name in served]

    def available(self) -> list[str]:
        """Names of the models that can be asked."""
        return [one.name for one in self.all() if one.model is not None]

    def get(self, name: str) -> Served:
        """A model that can be asked; a UserError with the reason for one that cannot."""
        found = self._served.get(name)
        if found is None:
            if not self.ready:
                raise UserError(f"{name} is not loaded yet; ask again in a moment")
            if name in MODELS and self.names:
                raise UserError(f"{name} is not served here; ask {', '.join(self.available()) or 'later'}")
            self.store.open(name, self.catalogue_sha256)  # says what is wrong: no such model, or none saved
            raise UserError(f"{name} is not loaded yet; ask again in a moment")
        if found.model is None:
            raise UserError(found.reason)
        return found


def files_of(folder: Path) -> Files:
    """What tells one state of a saved model from another; empty where there is none."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
        found = [(path.name, path.stat()) for path in paths]
    except OSError:  # none yet, or swapped this very moment
        return ()
    files = tuple((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in found)
    return files if any(name == ABOUT for name, *_ in files) else ()
