"""An index of similar items by three similarities: of factors, of listeners, and of content."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from common.features.work_versions import groups_of
from common.models.ensemble import Ensemble
from common.models.knn.content_knn import dense_cosines
from common.models.knn.item_knn import ItemKNN
from common.splits.train_view import TrainView

log = logging.getLogger(__name__)
KEPT = 10
"""Similar items per item and similarity."""
SPARE = 3
"""Candidates per kept item, since versions of one track are dropped."""


def similarities_of(ensemble: Ensemble, neighbours: ItemKNN) -> dict[str, sparse.csr_array]:
    """Similarity of items, (n_items, n_items) each: by ALS factors, by common listeners, by tags, else by audio."""
    tags, audio = (ensemble.content[name].similarity for name in ("tag_knn", "content_knn"))
    untagged = sparse.diags_array((np.diff(tags.indptr) == 0).astype(float), format="csr")
    return {
        "factors": dense_cosines(ensemble.als.item_factors, SPARE * KEPT),
        "listening": neighbours.similarity,
        "content": sparse.csr_array(tags + untagged @ audio),
    }


def index_of(ensemble: Ensemble, neighbours: ItemKNN, train: TrainView) -> pd.DataFrame:
    """The index of a catalogue from the parts of a fitted ensemble, and item kNN; see `similar_items`."""
    return similar_items(similarities_of(ensemble, neighbours), train)


def similar_items(views: Mapping[str, sparse.csr_array], train: TrainView, k: int = KEPT) -> pd.DataFrame:
    """The index: item_id, by (which similarity), rank, similar_id, likeness; at most k rows per item and similarity.

    Of the versions of one track a list holds one at most, and none of the item's own track.
    """
    groups, ids = groups_of(train.items), pd.Index(train.items["item_id"])
    tables = []
    for by, similarity in views.items():
        pairs = similarity.tocoo()
        found = pd.DataFrame({"item": pairs.row, "other": pairs.col, "likeness": pairs.data})
        found = found[(found["likeness"] > 0) & (groups[pairs.row] != groups[pairs.col])]
        found = found.sort_values(["item", "likeness", "other"], ascending=[True, False, True], kind="stable")
        found = found[~found.assign(group=groups[found["other"]]).duplicated(["item", "group"])]
        found["rank"] = found.groupby("item").cumcount().to_numpy(np.int32) + 1
        tables.append(found[found["rank"] <= k].assign(by=by))
    table = pd.concat(tables, ignore_index=True)
    return pd.DataFrame(
        {
            "item_id": pd.Categorical.from_codes(table["item"], categories=ids),
            "by": pd.Categorical(table["by"], categories=list(views)),
            "rank": table["rank"].astype(np.int32),
            "similar_id": pd.Categorical.from_codes(table["other"], categories=ids),
            "likeness": table["likeness"].astype(np.float32),
        }
    )


def show_index(index: pd.DataFrame, train: TrainView, codes: Sequence[int], k: int = 5) -> None:
    """Print the most similar items of a few, by every similarity."""
    names = train.labels.set_axis(train.items["item_id"])
    top = index[index["rank"] <= k]
    for code in codes:
        item = train.items["item_id"].iloc[code]
        log.info("\nlike %s:", names[item])
        for view in index["by"].cat.categories:
            near = top[(top["item_id"] == item) & (top["by"] == view)]["similar_id"]
            log.info("  by %-10s %s", view, ", ".join(str(names[i]) for i in near) or "(none)")
