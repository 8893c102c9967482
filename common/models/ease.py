"""EASE, the linear reference (Steck 2019): item weights B that rebuild each history from its other items.

    min over B with zero diagonal of |X - X B|^2 + l |B|^2     =>     B = I - P / diag(P),   P = (X'X + l I)^-1

P is items x items. Where there are fewer users than items it is never formed: with M = (X X' + l I)^-1 (users x users)

    X P = M X,     P_jj = (1 - x_j' M x_j) / l,     h P = (h - (h X') M X) / l   for any history h

so that the smaller side alone is inverted, exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from scipy import linalg, sparse

from common.data.histories import Histories
from common.data.visible import Visible
from common.models.contract import Recommender, as_histories, best
from common.models.neighbours import pack_histories, unpack_histories, weigh
from common.models.ranges import Range


@dataclass(frozen=True)
class EASESettings:
    """The defaults are the paper's for data of this kind."""

    regularisation: Annotated[float, Range(1.0, 10_000.0, log=True)] = 500.0
    """l of the formula."""
    weighting: Literal["binary", "log"] = "binary"
    """What stands in X: 1 or log(1 + plays)."""
    half_life: Annotated[float, Range(1.0, 1000.0, log=True)] = 1000.0
    """For histories in order: events after which an item of the history counts for half when scoring."""


class EASE(Recommender):
    """The closed form of the module's head, solved on the smaller side."""

    name = "ease"
    Settings = EASESettings
    dual: bool

    def fit(self, visible: Visible) -> Self:
        """Invert the smaller Gram matrix."""
        self.histories = visible.histories
        self.catalogue_sha256 = visible.catalogue_sha256
        self._prepare()
        l = self.settings.regularisation
        gram = (self.matrix @ self.matrix.T if self.dual else self.matrix.T @ self.matrix).toarray()
        gram[np.diag_indices_from(gram)] += l
        self.inverse = linalg.inv(gram, overwrite_a=True, check_finite=False)
        return self._finish()

    def _prepare(self) -> None:
        self.matrix = weigh(self.histories.matrix(), self.settings.weighting)
        self.dual = self.matrix.shape[0] < self.matrix.shape[1]

    def _finish(self) -> Self:
        if self.dual:
            self.rebuilt = np.asarray((self.matrix.T @ self.inverse).T)  # M X, users x items
            explained = np.asarray(self.matrix.multiply(self.rebuilt).sum(axis=0)).ravel()
            self.diagonal = (1 - explained) / self.settings.regularisation
        else:
            self.diagonal = np.diag(self.inverse).copy()
        return self
