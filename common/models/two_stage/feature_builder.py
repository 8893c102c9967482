"""Features of (user, item) pairs, from the fitted sources and the tables of one train view."""

from dataclasses import dataclass

import numpy as np

from common.models.two_stage.candidates import CandidateGenerator, Proposals
from common.models.two_stage.feature_inputs import FeatureTables
from common.models.two_stage.pair_features import Columns, Pairs, make_features


@dataclass(frozen=True)
class FeatureBuilder:
    """The fitted sources and the tables of one train view: proposals and features come from here."""

    generator: CandidateGenerator
    tables: FeatureTables
    columns: dict[str, list[str]]
    """The features that these data feed: group -> names."""

    @property
    def names(self) -> list[str]:
        """The name of each feature, in order."""
        return [name for names in self.columns.values() for name in names]

    def build(self, proposals: Proposals, rows: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Features of pairs (row of the proposals' query, item), sorted by row, float32 (pairs, columns)."""
        return aligned(make_features(Pairs(self.tables, proposals, rows, items)), self.columns, len(rows))


def aligned(made: dict[str, Columns], columns: dict[str, list[str]], n: int) -> np.ndarray:
    """Columns in the given order, float32 (n, columns); NaN for one that these data cannot feed."""
    found = [made.get(group, {}).get(name, np.nan) for group, names in columns.items() for name in names]
    values = np.empty((n, len(found)), np.float32)
    for place, column in enumerate(found):
        values[:, place] = column
    return values
