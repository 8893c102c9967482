"""What is told of a new item is checked, and its vectors are those of a like item of the catalogue."""

import numpy as np
import pytest

from common.data.tables import AUDIO_FEATURES
from common.features.content_vectors import SPACES, item_vectors, tag_counts
from common.features.new_item import as_new, described, genres_of, new_tag_counts, new_vectors
from common.utils.errors import UserError
from tests.models.contract_tests import block_visible

AUDIO = dict.fromkeys(AUDIO_FEATURES, 0.5)


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return block_visible(tmp_path_factory.mktemp("blocks"))


@pytest.mark.parametrize("space", SPACES)
def test_items_of_the_catalogue_have_the_vectors_they_have_there(train, space):
    codes = [3, 40, 17]
    vectors = item_vectors(train, space)
    assert vectors is not None
    np.testing.assert_allclose(new_vectors(train, space, as_new(train, codes)).toarray(), vectors[codes].toarray())


def test_counts_of_tags_stand_in_the_columns_of_the_catalogue(train):
    counts = tag_counts(train)
    assert counts is not None
    np.testing.assert_array_equal(new_tag_counts(train, as_new(train, [5])).toarray(), counts[[5]].toarray())


def test_what_is_told_is_kept_as_the_catalogue_spells_it(train):
    item = described(train, "Hm", [" BLOCK 1 ", "artist 3"], ["Genre 2", "genre 2"], AUDIO, 1999)
    assert (item.name, item.tags, item.genres) == ("Hm", {"block 1": 1.0, "artist 3": 1.0}, ("genre 2",))
    assert item.known == ("name", "tags", "genres", "audio", "release_year")
    assert described(train, tags={"block 1": np.int64(7)}).tags == {"block 1": 7.0}
    assert described(train, audio=np.full(9, 0.5)).audio.tolist() == list(AUDIO.values())  # type: ignore[union-attr]
    assert described(train).known == ()
    assert genres_of(train) == [f"genre {block}" for block in range(4)]


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"tags": ["blok 1"]}, "tag 'blok 1': no item of the catalogue has it; did you mean 'block"),
        ({"tags": ["\u2603"]}, "no item of the catalogue has it; leave it out"),
        ({"tags": "block 1"}, "tags = 'block 1': give a list of texts"),
        ({"tags": [3]}, "tag 3: give a text"),
        ({"tags": {"block 1": float("nan")}}, "tags: 'block 1' = nan: give a finite number from 1e-09 to 1e"),
        ({"tags": {"block 1": 0}}, "tags: 'block 1' = 0: give a finite number"),
        ({"tags": ["block 1"] * 10_001}, "tags has 10,001 entries: give at most 10,000"),
        ({"genres": ["polka"]}, "genre 'polka': no item of the catalogue has it"),
        ({"genres": None}, "genres = None: give a list of texts"),
        ({"audio": [0.5] * 3}, "audio has 3 numbers; give 9 numbers: danceability, energy"),
        ({"audio": [0.5] * 8 + [float("nan")]}, "audio: tempo = nan: give a finite number"),
        ({"audio": AUDIO | {"tempo": float("inf")}}, "audio: tempo = inf: give a finite number"),
        ({"audio": AUDIO | {"tempo": "fast"}}, "audio: tempo = 'fast': give a finite number"),
        ({"audio": AUDIO | {"rhythm": 1.0}}, "audio: there is no 'rhythm'; give 9 numbers"),
        ({"audio": {"tempo": 120.0}}, "audio lacks danceability.*; give 9 numbers"),
        ({"audio": 3}, "audio = 3: give 9 numbers"),
        ({"name": 3}, "name = 3: give a text"),
        ({"release_year": "1999"}, "release_year = '1999': give a finite number from 1 to 9999"),
    ],
)
def test_a_mistake_ends_in_a_sentence(train, told, sentence):
    with pytest.raises(UserError, match=sentence) as error:
        described(train, **told)
    assert "\n" not in str(error.value)


def test_data_without_a_kind_of_content_say_so(train):
    import dataclasses

    bare = dataclasses.replace(train, items=train.items[["item_id"]], item_tags=None)
    for told, sentence in (
        ({"tags": ["block 1"]}, "the data have no tags; leave them out"),
        ({"genres": ["genre 1"]}, "the data have no genres; leave them out"),
        ({"audio": AUDIO}, "the data have no audio features"),
    ):
        with pytest.raises(UserError, match=sentence):
            described(bare, **told)
    assert as_new(bare, [0])[0].known == ()
