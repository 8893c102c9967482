"""Candidates of cheap sources."""

from dataclasses import replace

import numpy as np
import pytest

from common.models.linear.ials import IALSSettings
from common.models.two_stage.candidates import DEFAULT, KINDS, CandidateGenerator, CandidateSettings, largest
from common.models.two_stage.forest import HistGradient
from common.splits.histories import Query
from common.utils.errors import UserError
from common.utils.settings import kept_values
from tests.models.contract_tests import block_visible
from tests.models.two_stage.tiny_world import generator_of, tiny


def test_the_largest_are_found_whatever_the_size_and_the_ties():
    rng = np.random.default_rng(0)
    for n in (5, 40, 3000):
        for kinds in (3, 10**6):
            scores = rng.integers(0, kinds, (30, n)).astype(np.float32)
            for k in (1, 4, 100):
                wanted = np.zeros(scores.shape, bool)
                np.put_along_axis(wanted, np.argsort(-scores, axis=1, kind="stable")[:, :k], True, axis=1)
                np.testing.assert_array_equal(largest(scores, k), wanted)
    lonely = np.zeros((2, 3000), np.float32)
    lonely[:, 1] = 1  # the sample misses it, so that its bound is 0 for all
    assert largest(lonely, 1)[:, 1].all()


def test_blocks_are_as_large_as_memory_allows(monkeypatch):
    train = tiny()
    generator = generator_of(train)
    assert [len(rows) for rows in generator.blocks(Query(np.arange(3), train.histories))] == [3]
    monkeypatch.setattr("common.models.two_stage.candidates.BLOCK_BYTES", 1)
    assert [len(rows) for rows in generator.blocks(Query(np.arange(3), train.histories))] == [1, 1, 1]


def test_sources_are_those_that_are_named():
    settings = CandidateSettings(sources=("popularity", "ials", "item_knn"), ials=IALSSettings(factors=2, rounds=1))
    assert list(CandidateGenerator(settings, 0).fit(tiny()).sources) == ["ials", "item_knn", "popularity"]


def test_a_source_that_is_not_used_leaves_settings_as_they_were_published():
    changed = CandidateSettings(ials=IALSSettings(factors=7))
    assert tuple(name for name in KINDS if name != "ials") == DEFAULT
    assert kept_values(changed) == kept_values(CandidateSettings())
    assert not {"ials", "sources"} & kept_values(changed).keys()
    used = kept_values(replace(changed, sources=("ials", "item_knn")))
    assert (used["ials"]["factors"], used["sources"]) == (7, ("ials", "item_knn"))


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (("item_knn", "alsx"), "--hist-gradient.sources: unknown source 'alsx': did you mean 'als'"),
        (("als", "ials"), "--hist-gradient.sources als ials: add item_knn, features are made from it"),
    ],
)
def test_sources_that_do_not_go_are_refused(sources, message):
    with pytest.raises(UserError, match=message):
        HistGradient(sources=sources).fit(tiny())


def test_what_ials_says_of_others_does_not_tell_one_listener_from_none(tmp_path):
    """An item at the floor must have held-out listeners; nobody's scores may change with the one that is visible."""
    train, item = block_visible(tmp_path), 5
    rows = train.interactions
    user = int(rows["user"][rows["item"] == item].iloc[0])
    others = rows["item"] != item
    views = [
        replace(train, interactions=rows[kept].reset_index(drop=True))
        for kept in (others | (rows["user"] == user), others)
    ]
    assert [view.counts[item] for view in views] == [1, 0]
    settings = CandidateSettings(top=8, sources=("ials", "item_knn"), ials=IALSSettings(factors=4, rounds=2))
    everybody_else = np.setdiff1d(np.arange(train.n_users), [user])
    one, none = (
        CandidateGenerator(settings, 0).fit(view).propose(Query(everybody_else, view.histories.take(everybody_else)))
        for view in views
    )
    assert next(iter(one.generator.sources)) == "ials"
    np.testing.assert_array_equal(one.scores[0], none.scores[0])
    np.testing.assert_array_equal(one.best[0], none.best[0])
