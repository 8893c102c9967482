"""Every feature is explained."""

import re

import numpy as np

from common.models.two_stage.feature_inputs import feature_tables
from common.models.two_stage.feature_names import FEATURES
from common.models.two_stage.pair_features import Pairs, make_features
from common.splits.histories import Query
from tests.conftest import ROOT
from tests.models.two_stage.tiny_world import described, generator_of, tiny


def test_every_feature_is_explained_and_every_explained_one_exists():
    train = tiny("next", users=tiny().users.assign(country=["no", "pt", "no"]))
    generator = generator_of(train)
    query = Query(np.arange(3), train.histories)
    groups = make_features(
        Pairs(feature_tables(train, context=True), generator.propose(query), np.array([0]), np.array([2]))
    )
    assert list(groups) == list(FEATURES)
    for group, columns in groups.items():
        assert all(described(name, group) for name in columns), group
        for name in FEATURES[group]:
            pattern = re.escape(name).replace("<source>", "[a-z_]+").replace("<n>", "[0-9]+")
            assert any(re.fullmatch(pattern, column) for column in columns), name


def test_the_page_of_features_says_what_the_code_says():
    page = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
    for group, columns in FEATURES.items():
        for name, meaning in columns.items():
            assert f"| {group} | `{name}` | {meaning} |" in page, name
