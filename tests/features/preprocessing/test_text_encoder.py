"""Texts as TF-IDF, reduced where there are many tokens."""

import numpy as np
import pandas as pd
import pytest

from common.features.preprocessing.preprocessor import MusicPreprocessor
from common.utils.errors import UserError
from tests.features.preprocessing.frames import fitted, frame


def test_items_that_are_artists_give_no_category_but_their_names_are_read():
    artists = frame(artist=list("abcde"), name=["The Cure", "Cure feat. Who", "The Who", "Abba", None])
    preprocessor = MusicPreprocessor()
    preprocessor.fit_transform(artists.drop(columns="artist_names"))
    assert preprocessor.columns_left_out == dict.fromkeys(("artist", "featured_artists"), "the items are artists")
    assert "artist" not in preprocessor.categories["items"]
    text = preprocessor.text(artists)
    assert (text["artist"] != 0).any(axis=1).tolist() == [True, True, True, False, False]  # "cure" and "the" are shared
    assert (text["featured_artists"] != 0).any(axis=1).tolist() == [False, True, False, False, False]


def test_genres_are_whole_and_without_case_and_few_tokens_stay_tf_idf():
    preprocessor, _ = fitted()
    genres = preprocessor.text(frame())["genres"]
    # Only "rock" (four items) and "pop" (two) are shared: idf = 1 + log(6 / (1 + items)).
    pop, rock = 1 + np.log(6 / 3), 1 + np.log(6 / 5)
    expected = [[0, 1], [0, 1], [1, 0], np.array([pop, rock]) / np.hypot(pop, rock), [0, 1]]
    assert genres == pytest.approx(np.array(expected), abs=1e-6)
    assert genres.dtype == np.float32


def test_texts_are_fitted_on_distinct_items_and_unknown_ones_are_zero():
    often = pd.concat([frame(), *[frame().iloc[[2]]] * 30], ignore_index=True)
    preprocessor = MusicPreprocessor()
    preprocessor.fit_transform(often)
    text = preprocessor.text(frame())
    assert np.array_equal(text["genres"], fitted()[0].text(frame())["genres"])
    assert text["featured_artists"].any(axis=1).tolist() == [False, True, False, False, True]
    new = preprocessor.text(frame(genres="polka", artist_names=None))
    assert not any(vectors.any() for vectors in new.values())


def test_many_tokens_are_reduced():
    words = [f"w{i} w{i + 1} w{i + 2}" for i in range(40)]
    given = pd.DataFrame({"user_id": "u", "item_id": range(40), "weight": 1.0, "artist": words})
    preprocessor = MusicPreprocessor(text_dimensions=5)
    preprocessor.fit_transform(given)
    artist = preprocessor.text(given)["artist"]
    assert artist.shape == (40, 5)
    near, far = artist[10] @ artist[11], artist[10] @ artist[30]
    assert near > far


def test_nothing_stands_in_for_the_column_of_a_text():
    preprocessor = MusicPreprocessor()
    preprocessor.fit_transform(frame().drop(columns="artist_names"))
    with pytest.raises(UserError, match="no column 'artist'"):
        preprocessor.text(frame().drop(columns="artist"))
