"""A split: train, valid and test, with the sampled negatives of what is held out."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from common.data.ids import sorted_ids


@dataclass(frozen=True)
class Split:
    """One split as on disk. Every part has `user_id, item_id, weight` and `timestamp` where there are times.

    `given` (newcomers only) adds `position`: with n_given = n a model sees the items at positions below n.
    `negatives99` has `user_id, item_id, negative_id`: for each held-out item its 99 negatives.
    """

    train: pd.DataFrame
    valid: pd.DataFrame
    test: pd.DataFrame
    negatives99: pd.DataFrame
    given: pd.DataFrame | None = None
    fits_valid: bool = True
    """Whether phase `final` fits on valid, too, as all protocols do but those in `protocols.FITTED_ON_TRAIN`."""
    info: dict[str, Any] = field(default_factory=dict)

    def parts(self) -> dict[str, pd.DataFrame]:
        """The parts that there are, by name."""
        named = {"train": self.train, "valid": self.valid, "test": self.test, "given": self.given}
        return {name: frame for name, frame in named.items() if frame is not None}

    def catalogue(self) -> np.ndarray:
        """All item ids of the protocol, sorted: code i stands for the i-th."""
        return np.unique(np.concatenate([sorted_ids(part["item_id"]) for part in self.parts().values()]))


def hash_split(frames: dict[str, pd.DataFrame]) -> str:
    """SHA-256 over the ids of all parts, row by row: the same on every machine, whatever wrote the files."""
    digest = hashlib.sha256()
    for name in sorted(frames):
        digest.update(name.encode())
        for column in (c for c in frames[name].columns if c.endswith("_id")):
            codes, ids = pd.factorize(frames[name][column], sort=False)
            digest.update("\n".join(map(str, ids)).encode())
            digest.update(codes.astype("<i4").tobytes())
    return digest.hexdigest()
