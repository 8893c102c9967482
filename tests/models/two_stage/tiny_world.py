"""A tiny world whose features can be worked out by hand."""

import re
from typing import Any

import numpy as np
import pandas as pd

from common.data.tables import AUDIO_FEATURES
from common.models.linear.als import ALSSettings
from common.models.two_stage.candidates import CandidateGenerator, CandidateSettings
from common.models.two_stage.feature_inputs import feature_tables
from common.models.two_stage.feature_names import FEATURES
from common.models.two_stage.pair_features import Pairs, make_features
from common.splits.histories import Query
from common.splits.train_view import TrainView

DAY = 86_400
# Three people, five items. Items 0 and 1 are of one kind, 2 and 3 of another, of item 4 nothing is known.
ROWS = [(0, 0, 3.0, 1), (0, 1, 1.0, 5), (1, 0, 7.0, 2), (1, 2, 7.0, 40), (2, 2, 1.0, 3), (2, 3, 1.0, 3), (2, 1, 2.0, 9)]


def tiny(protocol: str = "listen", **changed: Any) -> TrainView:
    rows = pd.DataFrame(ROWS, columns=["user", "item", "weight", "day"])
    rows = rows.assign(timestamp=rows["day"] * DAY).drop(columns="day")
    rows = rows.astype({"user": np.int32, "item": np.int32})
    items = pd.DataFrame({"item_id": list("abcde"), "genres": ["rock", "rock", "jazz", "jazz|rock", None]})
    items["release_year"] = [1990.0, 1992, 2000, 2002, np.nan]
    for feature in AUDIO_FEATURES:
        items[feature] = [0.0, 1, 2, 3, np.nan]
    users = pd.DataFrame({"user_id": list("uvw"), "age": [20.0, 30, np.nan], "gender": ["f", "m", "f"]})
    tags = pd.DataFrame({"user": [0, 0, 1, 2], "item": [0, 1, 2, 3], "tag": ["x", "x", "y", "y"]})
    weights = pd.DataFrame({"item": [0, 1, 2, 3, 3], "tag": ["x", "x", "y", "x", "y"], "weight": [2.0, 1, 1, 3, 1]})
    social = pd.DataFrame({"user": [0, 1, 0, 2], "friend": [1, 0, 2, 0]})
    tables: dict[str, Any] = {
        **{"dataset": "tiny", "protocol": protocol, "phase": "select", "split_sha256": "", "count_floor": 1},
        **{"items": items, "users": users, "interactions": rows, "social": social, "item_tags": weights},
        **{"user_item_tags": tags, "songs": None},
    }
    return TrainView(**tables | changed)


def generator_of(train: TrainView) -> CandidateGenerator:
    return CandidateGenerator(CandidateSettings(top=2, als=ALSSettings(factors=2, regularisation=1.0)), 0).fit(train)


def made(train: TrainView, rows: list[int], items: list[int], query: Query | None = None) -> dict[str, np.ndarray]:
    """Features of some pairs of known users by name."""
    generator = generator_of(train)
    query = query or Query(np.arange(train.n_users), train.histories)
    groups = make_features(Pairs(feature_tables(train), generator.propose(query), np.array(rows), np.array(items)))
    return {name: np.asarray(column) for columns in groups.values() for name, column in columns.items()}


def check(found: dict[str, np.ndarray], **expected: list[Any]) -> None:
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-7, err_msg=name)


def described(name: str, group: str) -> bool:
    """Whether the table of features explains a column, by its name or by a name with a placeholder."""
    patterns = [re.escape(n).replace("<source>", "[a-z_]+").replace("<n>", "[0-9]+") for n in FEATURES[group]]
    return any(re.fullmatch(pattern, name) for pattern in patterns)
