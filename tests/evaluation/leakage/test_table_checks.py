"""Tables beside the split: what they give away, and that models are shown none of it."""

import pandas as pd
import pytest

from common.evaluation.leakage.table_checks import counted_columns, raw_tables, train_view_tables
from common.splits.store import load_split
from common.splits.train_view import make_train_view
from tests.data.worlds import dataset, pairs, rich


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return rich(tmp_path_factory.mktemp("world"))


def test_held_out_pairs_in_other_tables_are_reported_and_encore_shows_none(world):
    split = load_split(world, "next")
    [raw] = list(raw_tables(world, split, "next"))
    assert (raw.check, raw.severity) == ("held-out pairs in user_item_tags", "look")
    assert raw.count > 0
    train = make_train_view(world, split, "next", "final")
    assert {f.severity for f in train_view_tables(train, split) if "shown" in f.check} == {"ok"}


def test_a_held_out_pair_that_a_model_would_see_is_a_leak(world):
    split = load_split(world, "next")
    shown = make_train_view(world, split, "next", "final")
    user = shown.users["user_id"].tolist().index(split.test["user_id"].iloc[0])
    item = shown.items["item_id"].tolist().index(split.test["item_id"].iloc[0])
    for name in ("interactions", "user_item_tags"):
        table = getattr(shown, name)
        table.loc[len(table)] = table.iloc[0]
        table.loc[len(table) - 1, ["user", "item"]] = user, item
        found = {f.check: f for f in train_view_tables(shown, split)}[f"held-out pairs shown to models, final: {name}"]
        assert (found.severity, found.count, found.example) == ("leak", 1, f"{name}, row {len(table)}")


def test_a_column_that_counts_held_out_listeners_is_a_leak(tmp_path):
    frame = pairs(**{f"u{user}": " ".join(f"i{item}" for item in range(user, user + 6)) for user in range(12)})
    counts = frame["item_id"].value_counts()
    items = pd.DataFrame({"item_id": counts.index, "popularity": counts.to_numpy(float), "tempo": 120.0})
    data = dataset(tmp_path, frame, items=items)
    [found] = list(counted_columns(data, load_split(data, "listen")))
    assert (found.check, found.severity) == ("items.popularity counts held-out rows", "leak")
