"""Item kNN: an item is scored by its similarity to the items of the history.

Similarity is the shrunk cosine of two items' columns in the user x item matrix X (Deshpande & Karypis 2004, with the
shrinkage of Bell & Koren 2007 and an asymmetric norm as in Aiolli 2013):

    s(i, j) = x_i . x_j / (|x_i|^2a |x_j|^2(1-a) + shrinkage),    0 where j is not among the k nearest of i
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from common.models.base import Validation
from common.models.knn.base import ItemSimilarityKNN, shrunk_cosines
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.arrays import weigh
from common.utils.settings import SearchRange


@dataclass(frozen=True)
class ItemKNNSettings:
    """The defaults are the textbook's: plain cosine over yes-or-no listening, 100 neighbours."""

    neighbours: Annotated[int, SearchRange(5, 2000, log=True, least=1)] = 100
    """How many nearest items each item keeps."""
    shrinkage: Annotated[float, SearchRange(0.0, 100.0)] = 0.0
    """Added to the cosine's denominator, so that few common listeners count for less."""
    asymmetry: Annotated[float, SearchRange(0.0, 1.0, most=1.0)] = 0.5
    """Exponent a of the formula: 0.5 is the cosine, towards 0 popular candidates are held back, towards 1 favoured."""
    weighting: Literal["binary", "log", "idf"] = "binary"
    """What stands in X: 1, log(1 + plays), or the inverse frequency of the user (long histories count for less)."""
    history: Literal["binary", "log"] = "binary"
    """What an item of the history weighs in the sum: 1 or log(1 + plays)."""


class ItemKNN(ItemSimilarityKNN):
    """Neighbours by common listeners; see the module's formula."""

    name = "item_knn"
    Settings = ItemKNNSettings

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        """Find every item's nearest items by common listeners."""
        self.set_state(train)
        matrix = weigh(self.histories.matrix(), self.settings.weighting)
        self.similarity = shrunk_cosines(
            matrix, self.settings.neighbours, self.settings.shrinkage, self.settings.asymmetry
        )
