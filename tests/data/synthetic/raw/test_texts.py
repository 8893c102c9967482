"""Names of a generated log: spellings that have one key, typing errors that are near, and nothing else that is."""

import numpy as np
import pytest
from rapidfuzz import fuzz, process

from common.data.artist_names import artist_key
from common.data.synthetic.raw import draws
from common.data.synthetic.raw.texts import Column, Texts, artist_name, misspelt, name_of, spellings, track_title
from common.data.synthetic.raw.world import RawLogSettings, build_world


def test_all_spellings_of_an_artist_have_one_key_and_differ():
    for artist in (0, 17, 4_321, 160_999):
        names = spellings(artist, 161_000)
        assert len(set(names)) == draws.SPELLINGS
        assert {artist_key(name) for name in names} == {artist_key(artist_name(artist))}


def test_a_guest_is_somebody_else():
    assert all(artist_name(artist) not in spellings(artist, 20)[-1].split(" feat. ")[1] for artist in range(20))


def test_a_typing_error_is_near_and_other_artists_are_not():
    names = [artist_key(artist_name(artist)) for artist in range(0, 161_000, 107)]
    scores = process.cdist(names, names, scorer=fuzz.ratio)
    np.fill_diagonal(scores, 0)
    assert scores.max() < 88
    wrong = [artist_key(misspelt(artist)) for artist in range(0, 161_000, 107)]
    assert min(fuzz.ratio(*pair) for pair in zip(names, wrong, strict=True)) > 94


def test_titles_of_a_block_say_what_is_a_version():
    titles = [track_title(40 + place) for place in range(10)]
    assert len(set(titles)) == 10
    assert titles[2].startswith(titles[1])
    assert titles[3].startswith(titles[1])
    assert titles[5] == f"{titles[4]} (Part II)"
    assert titles[8].startswith(titles[7])
    bases = {title.split(" (")[0].split(" - ")[0].split(" [")[0] for title in titles}
    assert len(bases) == 6


def test_texts_of_users_and_tracks_are_distinct_and_of_the_seed():
    world, other = (build_world(RawLogSettings(10_000, tracks=1_000, seed=seed)) for seed in (0, 1))
    texts, others = Texts(world), Texts(other)
    for name, size in (("users", world.users), ("tracks", world.tracks)):
        column = getattr(texts, name)
        assert len(column.texts) == len(set(column.place)) == size
    assert texts.tracks.texts.to_pylist() != others.tracks.texts.to_pylist()


def test_places_of_names():
    world = build_world(RawLogSettings(10_000, tracks=1_000))
    names = Texts(world).artists
    track = np.array([0, 0, 17, 400])
    place = name_of(world, track, np.array([0, draws.SPELLINGS, 1, draws.SPELLINGS]))
    assert names.texts.take(names.place[place]).to_pylist() == [
        artist_name(0),
        misspelt(0),
        artist_name(3).upper(),
        misspelt(80),
    ]


def test_a_column_holds_each_text_once():
    column = Column.of(["a", None, "b", "a"])
    assert column.texts.to_pylist() == ["a", "b"]
    assert column.place.tolist() == [0, -1, 1, 0]


@pytest.mark.parametrize("artist", range(5))
def test_genres_are_those_of_the_artist(artist):
    texts = Texts(build_world(RawLogSettings(10_000, tracks=1_000)))
    of_artist = texts.genres.place[artist * 10 : artist * 10 + 6]
    named = texts.genres.texts.take(of_artist[of_artist >= 0]).to_pylist()
    assert len({name.lower() for name in named}) <= 1
