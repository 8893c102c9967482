"""The generated tracks: versions, sound, tags and names."""

import numpy as np
import pandas as pd
import pytest

from common.data.tables import AUDIO_FEATURES


def test_audio_features_are_plausible_and_some_tracks_have_none(tables):
    audio = tables.items[list(AUDIO_FEATURES)]
    assert audio.isna().any(axis=1).mean() == pytest.approx(0.15, abs=0.02)
    assert (audio.isna().any(axis=1) == audio.isna().all(axis=1)).all()
    zero_to_one = audio.drop(columns=["loudness", "tempo"])
    assert zero_to_one.min().min() >= 0
    assert zero_to_one.max().max() <= 1
    assert -45 < audio["loudness"].min() < audio["loudness"].mean() < -4
    assert 50 < audio["tempo"].min() < 100 < audio["tempo"].mean() < 130 < audio["tempo"].max() < 215


def test_sleeves_are_filled_in(tables):
    items = tables.items
    assert items["name"].is_unique
    assert set(items["time_signature"]) == {1, 3, 4, 5}
    assert (items["time_signature"] == 4).mean() > 0.8
    assert 0.05 < items["explicit"].mean() < 0.4
    assert (items["release_date"].str[:4].astype(int) == items["release_year"]).all()
    has_guest = items["artist_names"].str.contains("|", regex=False)
    assert 0.02 < has_guest.mean() < 0.2
    assert items.loc[has_guest, "name"].str.contains("(feat. ", regex=False).all()
    first_listen = pd.to_datetime(tables.interactions["timestamp"].min(), unit="s")
    assert pd.to_datetime(items["release_date"]).max() < first_listen


def test_versions_share_the_group_and_the_artist_of_their_original(tables):
    items = tables.items.set_index("item_id")
    versions = items[items["group_id"] != items.index]
    originals = items.loc[versions["group_id"]]
    assert len(versions) / len(items) == pytest.approx(0.06, abs=0.01)
    assert (originals["group_id"] == originals.index).all()
    assert (originals["artist"].to_numpy() == versions["artist"].to_numpy()).all()
    assert (originals["release_year"].to_numpy() <= versions["release_year"].to_numpy()).all()
    assert versions["name"].str.contains(r"\((?:Live|Remix|Remastered|Acoustic)\)$").all()
    distance = np.abs(originals["valence"].to_numpy() - versions["valence"].to_numpy())
    assert np.nanmean(distance) < 0.5 * np.nanmean(np.abs(np.diff(items["valence"])))


def test_tracks_of_one_genre_sound_more_alike_and_those_of_one_artist_even_more(tables):
    items = tables.items.dropna(subset=["energy"])
    audio = items[list(AUDIO_FEATURES)]
    audio = (audio - audio.mean()) / audio.std()
    spread = {
        column: float(audio.groupby(items[column].str.split("|").str[0].to_numpy()).transform("mean").var().mean())
        for column in ("genres", "artist")
    }
    assert spread["genres"] > 0.15  # share of the variance that lies between groups; 0.001 if there were no signal
    assert spread["artist"] > spread["genres"] + 0.2


def test_tags_tell_the_scene_and_the_sound(tables):
    tagged = tables.item_tags.merge(tables.items, on="item_id")
    tags = tagged.groupby("item_id")["tag"].agg(set)
    assert 0.85 < len(tags) / len(tables.items) < 0.95
    genre = tables.items.set_index("item_id")["genres"].str.split("|").str[0].reindex(tags.index).to_numpy()
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, len(tags), (2, 20_000))
    values = tags.to_numpy()
    jaccard = np.array([len(values[i] & values[j]) / len(values[i] | values[j]) for i, j in zip(a, b, strict=True)])
    assert jaccard[genre[a] == genre[b]].mean() > 3 * jaccard[genre[a] != genre[b]].mean()
    energy = tagged.groupby("tag")["energy"].mean()
    assert energy["energetic"] > energy["mellow"] + 0.3
