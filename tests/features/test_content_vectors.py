"""Items as vectors of genres, tags and audio."""

import dataclasses

import numpy as np
import pytest

from common.data.tables import AUDIO_FEATURES
from common.features.content_vectors import SPACES, distinct_values, item_vectors, mix_of, tag_counts
from common.splits.histories import Histories
from common.splits.train_view import TrainView, load_train_view
from tests.data.worlds import rich


@pytest.fixture(scope="module")
def train(tmp_path_factory) -> TrainView:
    return load_train_view(rich(tmp_path_factory.mktemp("world")), "listen", "select")


@pytest.mark.parametrize("space", SPACES)
def test_vectors_have_unit_length_or_are_zero(train, space):
    vectors = item_vectors(train, space)
    assert vectors is not None
    lengths = np.sqrt(vectors.multiply(vectors).sum(axis=1))
    assert vectors.shape[0] == train.n_items
    assert np.isclose(lengths, 1).sum() + (lengths == 0).sum() == train.n_items


def test_genres_weigh_alike_and_each_item_has_its_own(train):
    vectors, names = item_vectors(train, "genre"), train.items["genres"].str.split("|")
    assert vectors is not None
    for code in range(0, train.n_items, 17):
        values = vectors[[code]].data
        assert len(values) == len(set(names[code]))
        assert values == pytest.approx(1 / np.sqrt(len(values))) or len(set(names[code])) < len(names[code])


def test_audio_is_standardised_over_items_that_have_it(train):
    audio = train.items[list(AUDIO_FEATURES)].to_numpy(float)
    known = ~np.isnan(audio).any(axis=1)
    scaled = (audio[known] - audio[known].mean(axis=0)) / audio[known].std(axis=0)
    vectors = item_vectors(train, "audio")
    assert vectors is not None
    assert (vectors.toarray()[~known] == 0).all()
    np.testing.assert_allclose(vectors.toarray()[known], scaled / np.linalg.norm(scaled, axis=1, keepdims=True))


def test_tags_are_counted_from_the_train_view(train):
    counts = tag_counts(train)
    assert counts is not None
    assert train.item_tags is not None
    assert counts.sum() == pytest.approx(train.item_tags["weight"].sum())


def test_a_space_that_the_data_lacks_is_none(train):
    bare = dataclasses.replace(train, items=train.items[["item_id"]], item_tags=None)
    assert [item_vectors(bare, space) for space in SPACES] == [None, None, None]
    assert distinct_values(bare, "artist") is None


def test_a_mix_counts_every_item_once(train):
    mixes = distinct_values(train, "artist")
    assert mixes is not None
    mix = mix_of(Histories.from_lists([[0, 0, 1], []], train.n_items), mixes).toarray()
    assert mix[0].sum() == pytest.approx(1)
    assert mix[0].max() in (0.5, 1.0)
    assert mix[1].sum() == 0
