"""What a map of item vectors shows."""

import numpy as np

from common.experiments.analysis.embedding import themes
from common.splits.train_view import load_train_view


def test_an_item_is_coloured_by_what_it_shares_with_most(small_data):
    train = load_train_view(small_data, "listen", "select")
    kind, found = themes(train, np.arange(40))
    assert kind == "tag"
    assert len(set(found) - {""}) <= 8
    tags = train.item_tags
    for item in range(40):
        own = set(tags[tags["item"] == item]["tag"]) if tags is not None else set()
        assert found[item] == "" or found[item] in own
