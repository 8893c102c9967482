"""The catalogue of the generated data set: who made which track, how it sounds and what it is called.

Every track belongs to one scene ("dream pop", inside the genre "pop") and one artist of that scene. Sound and tags
follow the scene, then the artist, then chance; so content tells something about taste, and never everything.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from common.data.synthetic.names import ARTISTS, TITLES, unique_names
from common.data.tables import AUDIO_FEATURES

SCENES = {
    "pop": "dream pop|synth pop|chamber pop|power pop",
    "rock": "indie rock|garage rock|post-rock|surf rock",
    "electronic": "ambient|techno|deep house|drum and bass",
    "hip hop": "boom bap|trap|cloud rap|jazz rap",
    "metal": "doom metal|black metal|thrash metal|folk metal",
    "jazz": "bebop|swing|fusion|cool jazz",
    "folk": "freak folk|bluegrass|sea shanty|singer-songwriter",
    "soul": "neo soul|motown|funk|gospel",
    "latin": "bossa nova|salsa|cumbia|bachata",
    "classical": "baroque|minimalism|opera|chamber music",
    "reggae": "dub|ska|dancehall|roots reggae",
    "punk": "hardcore|ska punk|riot grrrl|pop punk",
}
GENRES = list(SCENES)
SUBGENRES = [names.split("|") for names in SCENES.values()]

PLACES = ("Lisbon", "Oslo", "Porto", "Osaka", "Tartu", "Lima", "Cork", "Ghent", "Quito", "Turin", "Bergen", "Dakar")
TRAITS = (
    *("female vocalists", "male vocalists", "choir", "banjo", "theremin", "saxophone", "accordion", "vibraphone"),
    *("falsetto", "whistling", "piano", "cello", "mandolin", "organ", "harmonica", "beatbox", "drum machine"),
    *("lo-fi", "duo", "supergroup", "cover band", "one-man band", "string section", "spoken word"),
)
VERSIONS = ("(Live)", "(Remix)", "(Remastered)", "(Acoustic)")
MOODS = {
    "energy": ("mellow", "energetic"),
    "valence": ("melancholy", "feel-good"),
    "danceability": ("headphones", "dance floor"),
    "acousticness": ("amplified", "unplugged"),
}

# Popularity: scenes and artists follow a Zipf-Mandelbrot law in their rank, hits among tracks are lognormal. Set so
# that the listener counts per track are spread as they are per artist of Last.fm-2K.
SCENE_SLOPE = 0.5
FAME_HEAD, FAME_SLOPE = 9.0, 1.2
HIT_SPREAD, HIT_LIMIT = 1.4, 2.2  # the limit keeps one lucky track from becoming the whole chart
OUTPUT_SLOPE = 0.3  # how the number of tracks of an artist grows with fame
VERSION_FAME = 0.2  # of a version, relative to a track in its own right

# Centre and spread of each feature before squashing to its range; the ranges are Spotify's.
AUDIO_SHAPE = {
    "danceability": (0.5, 0.7),
    "energy": (0.6, 1.1),
    "loudness": (1.5, 0.5),
    "speechiness": (-2.6, 0.8),
    "acousticness": (-1.2, 1.6),
    "instrumentalness": (-3.5, 2.2),
    "liveness": (-1.7, 0.7),
    "valence": (0.0, 0.9),
    "tempo": (-0.3, 0.6),
}
AUDIO_RANGE = {"loudness": (-45.0, 0.0), "tempo": (50.0, 215.0)}


@dataclass(frozen=True)
class Catalogue:
    """Tracks sorted by scene and, inside a scene, by artist: each scene and each artist is one slice.

    Arrays are over tracks unless said otherwise; numbers in `scene`, `artist`, `original` are indices.
    """

    scene: np.ndarray
    artist: np.ndarray
    original: np.ndarray
    """The track this one is a version of; itself for an original."""
    appeal: np.ndarray
    """Standard normal: how much those who know the track play it, beside everything else."""
    weight_below: np.ndarray
    """Shape (tracks + 1,): popularity weight of all tracks before each one."""
    scene_starts: np.ndarray
    """Shape (scenes + 1,)."""
    artist_starts: np.ndarray
    """Shape (artists + 1,)."""

    @property
    def tracks(self) -> int:
        """How many tracks there are."""
        return len(self.scene)

    @property
    def scenes(self) -> int:
        """How many scenes there are."""
        return len(self.scene_starts) - 1

    @property
    def genre(self) -> np.ndarray:
        """Genre of each scene, shape (scenes,); neighbouring scenes differ, so that few scenes still span several."""
        return np.arange(self.scenes) % len(GENRES)

    @property
    def scene_slices(self) -> tuple[np.ndarray, np.ndarray]:
        """Start and end of each track's scene."""
        return self.scene_starts[self.scene], self.scene_starts[self.scene + 1]

    def scene_shares(self) -> np.ndarray:
        """Each scene's share of the popularity weight, shape (scenes,)."""
        weights = np.diff(self.weight_below[self.scene_starts])
        return weights / weights.sum()

    def pick(self, starts: np.ndarray, ends: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One track out of each slice [start, end), in proportion to popularity."""
        low, high = self.weight_below[starts], self.weight_below[ends]
        tracks = np.searchsorted(self.weight_below, low + rng.random(starts.shape) * (high - low), side="right") - 1
        return np.clip(tracks, starts, ends - 1)


@dataclass(frozen=True)
class Tags:
    """Tags that fit each track, shape (tracks, slots), and their weights 0..100; weight 0 marks an empty slot."""

    names: np.ndarray
    weights: np.ndarray

    def frame(self, ids: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
        """Catalogue tags, long form; a tenth of the tracks has none, as in every real catalogue."""
        rows, slots = np.nonzero((self.weights > 0) & (rng.random(len(ids)) >= 0.1)[:, None])
        return pd.DataFrame({"item_id": ids[rows], "tag": self.names[rows, slots], "weight": self.weights[rows, slots]})

    def draw(self, tracks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One tag for each of `tracks`, in proportion to weight."""
        ends = np.cumsum(self.weights, axis=1)[tracks]
        slots = (ends <= rng.random((len(tracks), 1)) * ends[:, -1:]).sum(axis=1)
        return self.names[tracks, slots]


def build_catalogue(tracks: int, version_share: float, rng: np.random.Generator) -> Catalogue:
    """Artists with Zipf-like fame in scenes of unequal size; the famous have more tracks, and a few hits each."""
    artists = max(1, tracks // 4)
    scenes = int(np.clip(artists // 4, 1, len(GENRES) * len(SUBGENRES[0])))
    scene_size = 1.0 / np.arange(1, scenes + 1) ** SCENE_SLOPE
    drawn = rng.choice(scenes, artists - scenes, p=scene_size / scene_size.sum())
    artist_scene = np.sort(np.concatenate([np.arange(scenes), drawn]))
    fame = (FAME_HEAD + rng.permutation(artists)) ** -FAME_SLOPE
    extra = rng.choice(artists, tracks - artists, p=fame**OUTPUT_SLOPE / (fame**OUTPUT_SLOPE).sum())
    artist = np.sort(np.concatenate([np.arange(artists), extra]))
    artist_starts = np.searchsorted(artist, np.arange(artists + 1))
    original = _originals(artist, version_share, rng)
    weight = (
        fame[artist]
        * np.exp(HIT_SPREAD * rng.standard_normal(tracks).clip(max=HIT_LIMIT))
        * np.where(original == np.arange(tracks), 1.0, VERSION_FAME)
    )
    return Catalogue(
        scene=artist_scene[artist],
        artist=artist,
        original=original,
        appeal=rng.standard_normal(tracks),
        weight_below=np.concatenate([[0.0], np.cumsum(weight)]),
        scene_starts=np.searchsorted(artist_scene[artist], np.arange(scenes + 1)),
        artist_starts=artist_starts,
    )


def _originals(artist: np.ndarray, version_share: float, rng: np.random.Generator) -> np.ndarray:
    """Which track each one is a version of: the nearest original before it, always by the same artist."""
    index = np.arange(len(artist))
    may_be = np.r_[False, artist[1:] == artist[:-1]]
    may_be[::4] = False  # so at most three in a row, and the four kinds of version suffice for distinct names
    is_version = may_be & (rng.random(len(artist)) * max(may_be.mean(), 1e-9) < version_share)
    return np.maximum.accumulate(np.where(is_version, 0, index))


def sound(catalogue: Catalogue, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Audio features by name: scene, artist and track each add their part, squashed to the feature's range."""
    artists = len(catalogue.artist_starts) - 1
    features = {}
    for name in AUDIO_FEATURES:
        by_scene = 0.75 * rng.standard_normal(len(GENRES))[catalogue.genre] + 0.45 * rng.standard_normal(
            catalogue.scenes
        )
        by_scene -= by_scene[catalogue.scene].mean()  # a few large scenes must not shift the whole catalogue
        by_artist, by_track = 0.6 * rng.standard_normal(artists), 0.4 * rng.standard_normal(catalogue.tracks)
        # A version shares the chance part of its original, and little of its own is added.
        by_track = by_track[catalogue.original] + 0.15 * rng.standard_normal(catalogue.tracks)
        centre, spread = AUDIO_SHAPE[name]
        latent = centre + spread * (by_scene[catalogue.scene] + by_artist[catalogue.artist] + by_track)
        low, high = AUDIO_RANGE.get(name, (0.0, 1.0))
        features[name] = low + (high - low) / (1.0 + np.exp(-latent))
    return features


def release_years(catalogue: Catalogue, last_year: int, rng: np.random.Generator) -> np.ndarray:
    """Year of release: each scene has its era, each artist a career, and versions follow their original."""
    era = rng.uniform(1968, 2018, catalogue.scenes)[catalogue.scene]
    career = rng.normal(0, 7, len(catalogue.artist_starts) - 1)[catalogue.artist]
    year = np.clip(era + career + rng.uniform(0, 8, catalogue.tracks), 1955, last_year).astype(np.int64)
    is_version = catalogue.original != np.arange(catalogue.tracks)
    later = year[catalogue.original] + rng.integers(1, 16, catalogue.tracks)
    return np.minimum(np.where(is_version, later, year), last_year)


def describe(
    catalogue: Catalogue, missing_audio: float, last_year: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, Tags]:
    """The items table, rows in catalogue order, and the tags that fit; the latter know the sound of every track."""
    ids = shuffled_ids("t", catalogue.tracks, rng)
    audio, years = sound(catalogue, rng), release_years(catalogue, last_year, rng)
    items = _credits(catalogue, ids, years, rng).assign(**audio)
    items.loc[rng.random(catalogue.tracks) < missing_audio, list(AUDIO_FEATURES)] = np.nan
    return items, tags_of(catalogue, audio, years, rng)


def _credits(catalogue: Catalogue, ids: np.ndarray, years: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """All that stands on the sleeve."""
    n, scenes = catalogue.tracks, catalogue.scenes
    bands = unique_names(ARTISTS, len(catalogue.artist_starts) - 1, rng)
    artist = bands[catalogue.artist]
    guest = bands[catalogue.artist[catalogue.pick(*catalogue.scene_slices, rng)]]
    has_guest = (rng.random(n) < 0.08) & (guest != artist)
    rudeness = rng.beta(0.6, 3.0, scenes)[catalogue.scene]
    day = pd.to_datetime(pd.Series(years).astype(str) + "-01-01") + pd.to_timedelta(rng.integers(0, 365, n), unit="D")
    genres = np.array([f"{genre}|{scene}" for genre, scene in map(scene_names, range(scenes))], dtype=object)
    return pd.DataFrame(
        {
            "item_id": ids,
            "name": _titles(catalogue, np.where(has_guest, " (feat. " + guest + ")", ""), rng),
            "artist": artist,
            "artist_names": np.where(has_guest, artist + "|" + guest, artist),
            "genres": genres[catalogue.scene],
            "release_date": day.dt.strftime("%Y-%m-%d"),
            "release_year": years,
            "duration_ms": np.exp(rng.normal(12.28, 0.3, n)).astype(np.int64),
            "explicit": rng.random(n) < rudeness,
            "time_signature": rng.choice([4, 3, 5, 1], n, p=[0.9, 0.07, 0.02, 0.01]).astype(np.int64),
            "group_id": ids[catalogue.original],
        }
    )


def scene_names(scene: int) -> tuple[str, str]:
    """The names of a scene's genre and of the scene."""
    return GENRES[scene % len(GENRES)], SUBGENRES[scene % len(GENRES)][scene // len(GENRES)]


def _titles(catalogue: Catalogue, credit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Titles with the guest's credit; a version repeats its original's title and says what kind it is."""
    titles = unique_names(TITLES, catalogue.tracks, rng)[catalogue.original]
    place = np.arange(catalogue.tracks) - catalogue.original  # 0 for an original, then 1, 2, 3
    first_kind = rng.integers(0, len(VERSIONS), catalogue.tracks)[catalogue.original]
    suffix = " " + np.array(VERSIONS, dtype=object)[(first_kind + place) % len(VERSIONS)]
    return titles + credit + np.where(place > 0, suffix, "")


def tags_of(catalogue: Catalogue, audio: dict[str, np.ndarray], years: np.ndarray, rng: np.random.Generator) -> Tags:
    """Scene, genre, decade, moods by sound, the artist's town and traits; all but the first two on some tracks only."""
    n = catalogue.tracks
    names = np.array([scene_names(scene) for scene in range(catalogue.scenes)], dtype=object)[catalogue.scene]
    decade = np.array([f"{year % 100 // 10}0s" for year in years.tolist()], dtype=object)
    home = rng.choice(np.array(PLACES, dtype=object), len(catalogue.artist_starts) - 1)
    traits = rng.choice(np.array(TRAITS, dtype=object), (2, len(home)))
    traits[1][traits[1] == traits[0]] = "instrumental"  # no tag twice on one track
    columns = [names[:, 1], names[:, 0], decade, home[catalogue.artist], *traits[:, catalogue.artist]]
    shown = [rng.random(n) < share for share in (1.0, 1.0, 0.5, 0.4, 0.6, 0.6)]
    for feature, (low, high) in MOODS.items():
        rank = audio[feature].argsort().argsort() / n
        columns.append(np.where(rank < 0.5, low, high).astype(object))
        shown.append(np.abs(rank - 0.5) > 0.3)  # only what stands out gets a word
    ceiling = np.array([100, 80, 50, 40, 60, 60, *[60] * len(MOODS)])
    weights = np.ceil(rng.uniform(0.4, 1.0, (n, len(columns))) * ceiling) * np.column_stack(shown)
    return Tags(np.column_stack(columns), weights)


def shuffled_ids(prefix: str, count: int, rng: np.random.Generator) -> np.ndarray:
    """Ids such as "t00042" whose order says nothing about popularity, scene or artist."""
    return np.array([f"{prefix}{k:0{len(str(count))}d}" for k in rng.permutation(count).tolist()], dtype=object)
