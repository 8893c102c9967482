"""Features of (user, item) pairs, from the fitted sources and the tables of one train view."""

from dataclasses import dataclass

import numpy as np

from common.models.two_stage.candidates import CandidateGenerator, Proposals
from common.models.two_stage.feature_inputs import FeatureTables
from common.models.two_stage.pair_features import (
    Columns,
    Pairs,
    content_features,
    friend_features,
    order_features,
    play_features,
    source_features,
    tag_features,
    time_features,
)
from common.models.two_stage.side_features import demographic_features, item_features, user_features
from common.splits.histories import Query


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

    def build(self, query: Query, rows: np.ndarray, items: np.ndarray, proposals: Proposals) -> np.ndarray:
        """Features of pairs (row of `query`, item), sorted by row, float32 (pairs, columns)."""
        made = make_features(self.tables, self.generator, query, rows, items, proposals)
        return aligned(made, self.columns, len(rows))


def aligned(made: dict[str, Columns], columns: dict[str, list[str]], n: int) -> np.ndarray:
    """Columns in the given order, float32 (n, columns); NaN for one that these data cannot feed."""
    values = np.full((n, sum(map(len, columns.values()))), np.nan, np.float32)
    for place, (group, name) in enumerate((group, name) for group, names in columns.items() for name in names):
        if (column := made.get(group, {}).get(name)) is not None:
            values[:, place] = column
    return values


def make_features(
    tables: FeatureTables,
    generator: CandidateGenerator,
    query: Query,
    rows: np.ndarray,
    items: np.ndarray,
    proposals: Proposals,
) -> dict[str, Columns]:
    """Features of pairs (row of `query`, item) sorted by row: group -> name -> float (pairs,)."""
    pairs = Pairs(tables, generator, query, rows, items)
    made = {"user": user_features(pairs), "item": item_features(pairs)}
    if tables.has_plays:
        made["plays"] = play_features(pairs)
    made["sources"] = source_features(pairs, proposals)
    makers = {
        "content": content_features,
        "tags": tag_features,
        "friends": friend_features,
        "order": order_features,
        "time": time_features,
        "people": demographic_features,
    }
    made |= {group: columns for group, make in makers.items() if (columns := make(pairs))}
    return made
