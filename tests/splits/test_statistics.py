"""Statistics of data and splits, by hand."""

import numpy as np
import pandas as pd
import pytest

from common.splits.protocols import PROTOCOLS
from common.splits.statistics import describe, describe_split, describe_splits, lorenz, quantiles, top_share
from common.splits.store import load_split
from tests.data.worlds import dataset, pairs, sized


def test_size_and_sparsity_by_hand(tmp_path):
    items = pd.DataFrame({"item_id": list("pqr"), "genres": ["rock", None, "pop"]})
    data = dataset(tmp_path, pairs(a="p q", b="p", c="p q r").assign(weight=[1.0, 3, 1, 1, 1, 1]), items=items)
    told = describe(data)
    assert (told["users"], told["items"], told["interactions"]) == (3, 3, 6)
    assert told["density"] == pytest.approx(6 / 9)
    assert told["share_of_items_with_one_listener"] == pytest.approx(1 / 3)
    assert told["items_per_user"]["max"] == 3
    assert told["with_content"]["genres"] == pytest.approx({"items": 2 / 3, "interactions": 4 / 6, "plays": 4 / 8})


def test_every_protocol_is_described_or_says_why_not(world, tmp_path):
    told = describe_splits(world, 0)
    assert list(told) == list(PROTOCOLS)
    assert all(told[name]["test"] == len(load_split(world, name).test) for name in PROTOCOLS)
    assert told["newcomer"]["test_pairs_of_unseen_users"] == 1
    bare = describe_splits(dataset(tmp_path, sized({f"u{n}": 6 for n in range(9)}, 12)), 0)
    assert "no times" in bare["next"]["impossible"]
    assert bare["listen"]["test"] == 9


def test_cold_items_are_counted_by_pair(tmp_path):
    data = dataset(tmp_path, pairs(a="p@1 q@2 r@3 s@4", b="p@1 q@2 s@3 t@4", c="s@1 q@2 p@3 r@4"))
    told = describe_split(load_split(data, "next"))
    assert told["test_pairs_of_unseen_items"] == pytest.approx(1 / 3), "t alone is in no train or valid part"
    assert told["test_pairs_of_unseen_users"] == 0


def test_concentration_by_hand():
    assert quantiles(pd.Series([1, 2, 3, 4]))["median"] == 2.5
    assert top_share(pd.Series([6.0, 2, 1, 1]), 0.5) == pytest.approx(0.8)
    holders, held = lorenz(np.array([5, 1, 4]))
    assert holders.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert held.tolist() == pytest.approx([0, 0.1, 0.5, 1])
