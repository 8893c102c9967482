"""What a map of item vectors shows: points in a plane, and the theme of each item."""

import numpy as np
import pandas as pd

from common.splits.train_view import TrainView

ON_MAP = 1500
"""Items on the map: the most popular ones."""
COLOURED = 8
"""Tags or genres with a colour of their own."""


def map_of(vectors: np.ndarray, train: TrainView) -> tuple[np.ndarray, list[str], list[str], str]:
    """The most popular items by their vectors (n_items, width): points (items, 2), names, themes, and their kind."""
    items = train.most_popular(ON_MAP)
    kind, of_item = themes(train, items)
    return spread_out(vectors[items]), train.names[items].tolist(), of_item, kind


def themes(train: TrainView, items: np.ndarray) -> tuple[str, list[str]]:
    """What the items of a map are coloured by, "tag", "genre" or "nothing", and the theme of each, "" if it has none.

    An item's theme is the one of its tags (by how often it was given) or genres that most others on the map share.
    """
    if train.item_tags is not None and len(train.item_tags):
        kind, pairs = "tag", train.item_tags[["item", "tag", "weight"]].set_axis(["item", "theme", "weight"], axis=1)
    elif "genres" in train.items and train.items["genres"].notna().any():
        split = train.items["genres"].astype(object).dropna().str.split("|").explode()
        kind, pairs = "genre", pd.DataFrame({"item": split.index, "theme": split.to_numpy(), "weight": 1.0})
    else:
        return "nothing", [""] * len(items)
    pairs = pairs[pairs["item"].isin(items)]
    frequent = pairs.groupby("theme")["weight"].sum().sort_values(kind="stable", ascending=False).index[:COLOURED]
    pairs = pairs[pairs["theme"].isin(frequent)].sort_values(["weight", "theme"], ascending=[False, True])
    of_item = pairs.drop_duplicates("item").set_index("item")["theme"]
    return kind, [str(of_item.get(item, "")) for item in items]


def spread_out(vectors: np.ndarray) -> np.ndarray:
    """Points in a plane for vectors, neighbours close together: t-SNE of cosines (van der Maaten & Hinton 2008)."""
    from sklearn.manifold import TSNE

    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    perplexity = float(min(30, max(1, (len(vectors) - 1) // 3)))
    return TSNE(2, perplexity=perplexity, init="pca", random_state=0).fit_transform(unit)
