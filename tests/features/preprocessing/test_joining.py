"""Tables side by side, by code or by id, under any of their names."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.features.preprocessing.joining import joined
from common.features.preprocessing.preprocessor import MusicPreprocessor
from common.splits.train_view import load_train_view
from common.utils.errors import UserError
from tests.conftest import SMALL


def test_visible_tables_are_joined_by_code_and_others_by_id(small_data):
    train: Any = load_train_view(small_data, "listen", "select")
    by_code = joined(train.interactions, train.items, train.users)
    ids = by_code[["user_id", "item_id"]]
    assert ids["user_id"].tolist() == train.users["user_id"].take(train.interactions["user"]).tolist()
    with_ids = train.interactions.drop(columns=["user", "item"]).assign(**ids)
    by_id = joined(with_ids, train.items.iloc[::-1], train.users)
    pd.testing.assert_frame_equal(by_id, by_code, check_dtype=False)
    ready = MusicPreprocessor().fit_transform(by_code)
    assert np.isfinite(ready.to_numpy()).all()
    assert len(ready) == len(train.interactions)
    assert train.n_users <= SMALL.users


def test_an_id_without_a_row_has_missing_values_and_a_double_one_is_refused():
    parts = [pd.DataFrame({"item_id": ["a"], "energy": [0.5]}), pd.DataFrame({"user_id": ["u"], "age": [20]})]
    rows = pd.DataFrame({"user_id": ["u", "v"], "item_id": ["b", "a"], "weight": [1, 2]}, index=[5, 6])
    found = joined(rows, *parts)
    assert found.index.tolist() == [5, 6]
    assert found["energy"].isna().tolist() == [True, False]
    assert found["age"].isna().tolist() == [False, True]
    assert found["item_id"].tolist() == ["b", "a"]
    with pytest.raises(UserError, match="'item_id' of items holds 'a' twice"):
        joined(rows, pd.concat([parts[0]] * 2), parts[1])


def test_tables_may_have_the_names_that_people_give_their_columns():
    plays = pd.DataFrame({"user": ["u", "v"], "track_id": ["a", "b"], "play_count": [1, 2]})
    songs = pd.DataFrame(
        {"track_id": ["b", "a"], "song": ["B", "A"], "duration": [200, 100], "featured": ["X;Y", None]}
    )
    found = joined(plays, songs, pd.DataFrame({"uid": ["v", "u"], "sex": ["f", "m"]}))
    assert found[["user_id", "item_id", "name", "gender"]].to_numpy().tolist() == [
        ["u", "a", "A", "m"], ["v", "b", "B", "f"],
    ]  # fmt: skip
    assert found["weight"].tolist() == [1, 2]
    assert found["duration_ms"].tolist() == [100_000, 200_000]
    assert found["featured_artists"].tolist() == [None, "X|Y"]
