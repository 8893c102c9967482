"""Cross-fitted sources, features and training data on disk, for every command that needs the same ones.

Stages 3 and 6 learn from the same cross-fitted sources. Whoever fits them first writes them under the hash of all that
they depend on: data, split and phase, the sources' settings, seed and device, the code that made them and the libraries
below it.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from common.models.saved_files import read_npz, write_npz
from common.models.two_stage.candidates import CandidateGenerator
from common.models.two_stage.feature_inputs import FeatureTables
from common.models.two_stage.training_data import (
    OF_PAIRS,
    CrossFitted,
    FeatureBuilder,
    Recipe,
    TrainingData,
    cross_fit,
)
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.arrays import below
from common.utils.environment import Seconds, library_versions
from common.utils.errors import UserError
from common.utils.io import ROOT, display, write_json
from common.utils.manifests import entries, fault, read_manifest, sealed
from common.utils.settings import kept_values
from common.utils.temporary import swapped_in

ARRAYS, ABOUT = "cross_fit.npz", "cross_fit.json"
CODE = ("data", "features", "models", "splits", "utils")
"""The parts of the package whose code decides what is made."""
MOST_KEPT = 4
"""How many are kept of a split; the one that was used longest ago goes first."""
MOST_BYTES = 2 * 10**9
"""One that is larger is not written."""
REMEDY = "it is made anew"
NAME = "cross-fitted"
"""The first part of the keys under which fits of one command share them."""

SECONDS = ("source_seconds", "feature_seconds")

log = logging.getLogger(__name__)


def shared_cross_fit(train: TrainView, recipe: Recipe, negatives: int, context: FitContext) -> tuple[CrossFitted, bool]:
    """Sources, features and the training data of one number of negatives, and whether an earlier fit has left them in
    `context.shared` or in the folder `context.kept`."""
    shared = {} if context.shared is None else context.shared
    key = (NAME, id(train), recipe, negatives)  # the data keep the view, and so its id
    if key in shared:
        return shared[key], True
    found = place = None
    if context.kept is not None and train.split_sha256:
        place = KeptCrossFit(context.kept, train, recipe, context.data_sha256)
        found = place.read()
    fitted = cross_fit(train, recipe) if found is None else found
    if place is not None and found is None:
        place.write(fitted)
    elif place is not None:
        log.info("cross-fitted sources and features are those of an earlier command (%s)", display(place.place))
    shared[key] = fitted.only(negatives)
    return shared[key], found is not None


def keep_only(shared: dict[Any, Any], train: TrainView) -> None:
    """Let go of what earlier fits have left of other train views: candidates and features fill a gigabyte.

    Models that were fitted with them stay whole; what they are asked again they work out again.
    """
    for key in [key for key in shared if key[:1] == (NAME,) and key[1] != id(train)]:
        shared.pop(key).candidates.clear()


@dataclass(frozen=True)
class KeptCrossFit:
    """The place of what a recipe makes of a train view: a folder below `folder`, named by the hash.

    The numbers of negatives are no part of the hash: the file says which were drawn.
    """

    folder: Path
    train: TrainView
    recipe: Recipe
    data_sha256: str

    @property
    def place(self) -> Path:
        """The folder of its two files."""
        text = json.dumps(self.made_of(), sort_keys=True)
        return self.folder / hashlib.sha256(text.encode()).hexdigest()[:16]

    def made_of(self) -> dict[str, Any]:
        """All that decides what is made, as JSON."""
        train, recipe = self.train, self.recipe
        return {
            "data_sha256": self.data_sha256,
            "split_sha256": train.split_sha256,
            "view": [train.protocol, train.phase, train.count_floor],
            "settings": kept_values(recipe.settings),
            "recipe": [recipe.seed, recipe.device],
            "code": code_sha256(),
            "libraries": library_versions(),
        }

    def read(self) -> CrossFitted | None:
        """What was written; None where nothing was, or without draws that are needed, or damaged, which is told."""
        place = self.place
        if not (place / ABOUT).exists():
            return None
        try:
            about = read_manifest(place / ABOUT, REMEDY)
            if wrong := fault(place / ARRAYS, about["files"][ARRAYS]):
                raise UserError(f"{display(place / ARRAYS)} {wrong}; {REMEDY}")
            if not set(self.recipe.negatives) <= set(about["negatives"]):
                return None
            fitted = self._unpack(read_npz(place / ARRAYS), about)
        except (UserError, OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s", error if isinstance(error, UserError) else f"{display(place)} is damaged; {REMEDY}")
            return None
        with suppress(OSError):
            os.utime(place)
        return fitted

    def _unpack(self, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> CrossFitted:
        generator = CandidateGenerator(self.recipe.settings, self.recipe.seed, self.recipe.device)
        generator.restore(below(arrays, "sources/"))
        columns = about["columns"]
        builder = FeatureBuilder(generator, FeatureTables.unpack(below(arrays, "tables/")), columns)
        data = TrainingData(self.train, columns, **below(arrays, "data/"))
        sources, features = (Seconds(*about[name]) for name in SECONDS)
        drawn = {n: arrays[f"drawn/{n}"] for n in about["negatives"]}
        return CrossFitted(builder, data, drawn, sources, features)

    def write(self, fitted: CrossFitted) -> None:
        """Write it, and delete what was used longest ago; where the disk has no room, say so and go on."""
        arrays = dict(_packed(fitted))
        if sum(array.nbytes for array in arrays.values()) > MOST_BYTES:
            return
        seconds = {name: [getattr(fitted, name).wall, getattr(fitted, name).cpu] for name in SECONDS}
        content = {"columns": fitted.data.columns, "negatives": list(fitted.drawn), "made_of": self.made_of()} | seconds
        try:
            with swapped_in(self.place) as fresh:
                write_npz(fresh / ARRAYS, arrays)
                write_json(fresh / ABOUT, sealed(content | {"files": entries(fresh, [ARRAYS])}))
        except (UserError, OSError) as error:
            log.warning("cross-fitted sources are not kept for other commands: %s", error)
        self._prune()

    def _prune(self) -> None:
        with suppress(OSError):
            oldest_first = sorted(self.folder.iterdir(), key=lambda path: path.stat().st_mtime)
            for path in oldest_first[:-MOST_KEPT]:
                shutil.rmtree(path, ignore_errors=True)


def _packed(fitted: CrossFitted) -> Iterator[tuple[str, np.ndarray]]:
    builder, data = fitted.feature_builder, fitted.data
    yield from ((f"sources/{name}", array) for name, array in builder.generator.arrays().items())
    yield from ((f"tables/{name}", array) for name, array in builder.tables.pack().items())
    yield from ((f"data/{name}", getattr(data, name)) for name in OF_PAIRS)
    yield from ((f"drawn/{negatives}", drawn) for negatives, drawn in fitted.drawn.items())


def code_sha256() -> str:
    """SHA-256 of the code that decides what is made."""
    found = hashlib.sha256()
    for part in CODE:
        for path in sorted((ROOT / "common" / part).rglob("*.py")):
            found.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()
