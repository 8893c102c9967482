"""Who hears which generated track, when and how often: taste, sessions, plays and the cut to the most played.

Users are handled in batches, and never is there a table of all users by all tracks.
"""

import math
from dataclasses import dataclass

import numpy as np

from common.data.synthetic.catalogue import Catalogue

DAY = 86_400
SESSION_LENGTH = 6
TRACK_SECONDS = 230
USERS_AT_ONCE = 2_048  # bounds the memory of one batch
TASTE_FOCUS = 0.93  # share of listening that follows the user's own taste; the rest follows the chart
TASTE_BREADTH = 1.0  # total of the Dirichlet parameters: the smaller, the fewer scenes a user cares for
HOME_LEAN = 8.0  # how much more a scene of the home genre counts than another
LOYALTY = 0.45  # chance that the next track of a session is by the artist who opened it
LIGHT_SHARE = 0.035  # users who know fewer tracks than the cut keeps
GOLDEN = 0.618034  # of a day from the hour of one scene to that of the next, so that all hours are taken evenly
HOUR_SPREAD = 1.5  # hours, standard deviation of a session from the hour of its scene

# Parts of log plays. Values were set so that a user mean plus an item mean explains as much as on Last.fm-2K.
LEVEL_MEAN, LEVEL_SPREAD = 3.2, 1.25
APPEAL_SPREAD = 0.75
FAME_SPREAD = 0.15
TASTE_GAIN = 1.1


@dataclass(frozen=True)
class Listeners:
    """What drives the users; arrays over users, tastes of shape (users, scenes) with rows that sum to 1."""

    early: np.ndarray
    late: np.ndarray
    home: np.ndarray
    """The scene that weighs most."""
    level: np.ndarray
    """Log plays of a track of no appeal outside the user's taste."""
    known: np.ndarray
    """How many tracks the user knows."""
    kept: np.ndarray
    """How many of them the data shows."""

    @property
    def taste(self) -> np.ndarray:
        """Taste over the whole period."""
        return (self.early + self.late) / 2


@dataclass(frozen=True)
class Plays:
    """One row per pair of a user and a track (indices)."""

    user: np.ndarray
    track: np.ndarray
    seconds: np.ndarray
    """Time of the first play, counted from the start of the period."""
    found: np.ndarray
    """True for the pairs that give each track its first listener: they always survive the cut."""
    log_plays: np.ndarray
    expected: np.ndarray
    """Mean of `log_plays` over the noise, given that the row survives the cut."""

    def rows(self, chosen: np.ndarray) -> "Plays":
        """The chosen rows."""
        return Plays(**{name: values[chosen] for name, values in vars(self).items()})


def draw_listeners(
    catalogue: Catalogue, users: int, tracks_per_user: int, cap: int, drift: float, rng: np.random.Generator
) -> Listeners:
    """Tastes that lean to a home genre, and list lengths: most know far more tracks than the cap, a few far fewer."""
    shares = catalogue.scene_shares()
    home_genre = catalogue.genre[rng.choice(catalogue.scenes, users, p=shares)]
    lean = np.where(home_genre[:, None] == catalogue.genre, HOME_LEAN, 1.0) * shares
    early, fresh = _dirichlet(lean, rng), _dirichlet(lean, rng)
    early, late = (
        TASTE_FOCUS * own + (1 - TASTE_FOCUS) * shares for own in (early, (1 - drift) * early + drift * fresh)
    )
    usual = tracks_per_user * np.exp(0.15 * rng.standard_normal(users))
    light = rng.uniform(1, min(tracks_per_user, cap or tracks_per_user), users)
    known = np.where(rng.random(users) < LIGHT_SHARE, light, usual)
    known = known.clip(1, max(1, catalogue.tracks // 3)).astype(np.int64)
    return Listeners(
        early=early,
        late=late,
        home=(early + late).argmax(axis=1),
        level=LEVEL_MEAN + LEVEL_SPREAD * rng.standard_normal(users),
        known=known,
        kept=np.minimum(known, cap) if cap else known,
    )


def _dirichlet(lean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One draw per row; so few scenes matter to a user, and most of them are of one genre."""
    draw = rng.gamma(TASTE_BREADTH * lean / lean.sum(axis=1, keepdims=True)) + 1e-12
    return draw / draw.sum(axis=1, keepdims=True)


def listen(
    catalogue: Catalogue, listeners: Listeners, days: int, noise: float, rng: np.random.Generator, rhythm: float = 0.0
) -> Plays:
    """All rows of the data: sessions, plays and the cut, sorted by user and time, no two times of a user equal."""
    finder = assign_finders(catalogue, listeners, rng)
    batches = []
    for first in range(0, len(listeners.level), USERS_AT_ONCE):
        batch = np.arange(first, min(first + USERS_AT_ONCE, len(listeners.level)))
        pairs = hear(catalogue, listeners, batch, finder, days, rng, rhythm)
        batches.append(cut(play(catalogue, listeners, pairs, noise, rng), listeners.kept, noise, rng))
    whole = Plays(**{name: np.concatenate([vars(b)[name] for b in batches]) for name in vars(batches[0])})
    whole = whole.rows(np.lexsort((whole.seconds, whole.user)))
    return Plays(**{**vars(whole), "seconds": _distinct(whole.user, whole.seconds)})


def assign_finders(catalogue: Catalogue, listeners: Listeners, rng: np.random.Generator) -> np.ndarray:
    """A user for each track by taste, shape (tracks,); -1 for the tracks left over once half of all places are used.

    The other half of each list stays free, or a large catalogue with few users would be nothing but chance finds.
    """
    places = np.maximum(1, listeners.kept // 2)
    finder = np.empty(catalogue.tracks, dtype=np.int64)
    for scene in range(catalogue.scenes):
        tracks = slice(catalogue.scene_starts[scene], catalogue.scene_starts[scene + 1])
        interest = listeners.taste[:, scene] * places
        finder[tracks] = rng.choice(len(places), tracks.stop - tracks.start, p=interest / interest.sum())
    order = rng.permutation(catalogue.tracks)
    order = order[np.argsort(finder[order], kind="stable")]
    surplus = order[rank_within(finder[order]) >= places[finder[order]]]
    taken = np.bincount(finder, minlength=len(places))
    free = rng.permutation(np.repeat(np.arange(len(places)), np.maximum(places - taken, 0)))[: len(surplus)]
    finder[surplus] = -1
    finder[surplus[: len(free)]] = free
    return finder


def draw_sessions(
    listeners: Listeners, batch: np.ndarray, days: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Scene and start (seconds) of each session, both of shape (users of the batch, sessions), in no order of time.

    Half of them follow the late taste and lie late: the density of their times rises linearly, that of the early falls.
    """
    count = 2 + 2 * int(listeners.known[batch].max()) // SESSION_LENGTH  # twice as many as if no track came again
    is_late = rng.random((len(batch), count)) < 0.5
    early, late = (_pick_rows(taste[batch], count, rng) for taste in (listeners.early, listeners.late))
    two = rng.random((2, len(batch), count))
    moment = np.where(is_late, two.max(axis=0), two.min(axis=0))
    return np.where(is_late, late, early), moment * (days * DAY - (SESSION_LENGTH + 1) * TRACK_SECONDS)


def at_their_hour(
    start: np.ndarray, scene: np.ndarray, days: int, rhythm: float, rng: np.random.Generator
) -> np.ndarray:
    """Starts of sessions, a share `rhythm` of them on the same day at the hour of their scene; shape (users, sessions).

    Scene s has its hour at the fraction s * GOLDEN of the day.
    """
    clock = (DAY * (scene * GOLDEN % 1) + 3_600 * HOUR_SPREAD * rng.standard_normal(start.shape)) % DAY
    moved = np.minimum(start // DAY * DAY + clock, days * DAY - (SESSION_LENGTH + 1) * TRACK_SECONDS)
    return np.where(rng.random(start.shape) < rhythm, moved, start)


def hear(
    catalogue: Catalogue,
    listeners: Listeners,
    batch: np.ndarray,
    finder: np.ndarray,
    days: int,
    rng: np.random.Generator,
    rhythm: float = 0.0,
) -> Plays:
    """Distinct pairs for consecutive users with the time of the first play, as many per user as `known`; no plays yet.

    Finds come first, then sessions as drawn; as these are in no order of time, stopping favours no part of the period.
    """
    scene, start = draw_sessions(listeners, batch, days, rng)
    start = at_their_hour(start, scene, days, rhythm, rng) if rhythm else start
    found = np.flatnonzero((finder >= batch[0]) & (finder <= batch[-1]))
    found_user = finder[found] - batch[0]
    found_session = _fitting_session(scene, found_user, catalogue.scene[found], rng)
    found_place = rng.integers(0, SESSION_LENGTH, len(found))

    user, session, place = (axis.ravel() for axis in np.indices((*scene.shape, SESSION_LENGTH)))
    user, session = np.concatenate([found_user, user]), np.concatenate([found_session, session])
    offset = np.concatenate([found_place, place]) + 0.8 * rng.random(len(user))
    track = np.concatenate([found, _fill_sessions(catalogue, scene, rng).ravel()])

    chosen = np.unique(user * catalogue.tracks + track, return_index=True)[1]  # the first of each pair
    chosen = chosen[np.lexsort((chosen, user[chosen]))]
    chosen = chosen[rank_within(user[chosen]) < listeners.known[batch][user[chosen]]]
    seconds = start[user[chosen], session[chosen]] + TRACK_SECONDS * offset[chosen]
    nothing = np.zeros(len(chosen))
    return Plays(batch[user[chosen]], track[chosen], seconds.astype(np.int64), chosen < len(found), nothing, nothing)


def _pick_rows(shares: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` columns of each row, drawn in proportion to `shares` (rows sum to 1); shape (rows, count)."""
    rows, columns = shares.shape
    ends = np.cumsum(shares, axis=1) + np.arange(rows)[:, None]  # row r covers the interval [r, r + 1)
    flat = np.searchsorted(ends.ravel(), rng.random((rows, count)) + np.arange(rows)[:, None])
    return np.clip(flat - columns * np.arange(rows)[:, None], 0, columns - 1)


def _fill_sessions(catalogue: Catalogue, scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Tracks of each session, shape scene.shape + (SESSION_LENGTH,): an opener, then its artist or its scene."""
    scene_start, scene_end = catalogue.scene_starts[scene], catalogue.scene_starts[scene + 1]
    opener = catalogue.pick(scene_start, scene_end, rng)
    artist = catalogue.artist[opener][..., None]
    stays = rng.random((*scene.shape, SESSION_LENGTH - 1)) < LOYALTY
    starts = np.where(stays, catalogue.artist_starts[artist], scene_start[..., None])
    ends = np.where(stays, catalogue.artist_starts[artist + 1], scene_end[..., None])
    return np.concatenate([opener[..., None], catalogue.pick(starts, ends, rng)], axis=-1)


def _fitting_session(
    session_scene: np.ndarray, user: np.ndarray, scene: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """For each find one of the user's sessions: of ten at random the first with the track's scene, if there is one."""
    # The early half of the drawn sessions: later ones may be beyond what the user gets to know.
    tries = rng.integers(0, max(1, session_scene.shape[1] // 2), (len(user), 10))
    fits = session_scene[user[:, None], tries] == scene[:, None]
    return tries[np.arange(len(user)), fits.argmax(axis=1)]


def play(catalogue: Catalogue, listeners: Listeners, pairs: Plays, noise: float, rng: np.random.Generator) -> Plays:
    """Add log plays; `expected` is their mean before the cut."""
    weight = np.log(np.diff(catalogue.weight_below))
    fame = (weight - weight.mean()) / max(weight.std(), 1e-9)
    taste = np.sqrt(listeners.taste / listeners.taste.max(axis=1, keepdims=True))
    expected = (
        listeners.level[pairs.user]
        + APPEAL_SPREAD * catalogue.appeal[pairs.track]
        + FAME_SPREAD * fame[pairs.track]
        + TASTE_GAIN * taste[pairs.user, catalogue.scene[pairs.track]]
    )
    log_plays = expected + noise * rng.standard_normal(len(expected))
    return Plays(**{**vars(pairs), "log_plays": log_plays, "expected": expected})


def cut(plays: Plays, kept: np.ndarray, noise: float, rng: np.random.Generator) -> Plays:
    """Keep each user's `kept` most played tracks and every find.

    A find below the user's threshold is drawn again just above it (a normal's tail is nearly exponential), so the
    result is a list of most played tracks, given that each track has a listener.
    """
    plays = plays.rows(np.lexsort((-plays.log_plays, ~plays.found, plays.user)))  # finds first, then by plays
    rank = rank_within(plays.user)
    is_cut = np.bincount(plays.user, minlength=len(kept)) > kept
    plays = plays.rows(rank < kept[plays.user])
    free = ~plays.found
    threshold = np.full(len(kept), np.inf)
    np.minimum.at(threshold, plays.user[free], plays.log_plays[free])
    threshold[~is_cut | np.isinf(threshold)] = -np.inf
    least = threshold[plays.user]
    again = plays.found & (plays.log_plays < least)
    lift = rng.exponential(0.5 * noise, int(again.sum())) if noise else np.zeros(int(again.sum()))
    log_plays = plays.log_plays.copy()
    log_plays[again] = least[again] + lift
    expected = plays.expected + noise * _mean_above((least - plays.expected) / max(noise, 1e-9))
    return Plays(**{**vars(plays), "log_plays": log_plays, "expected": expected})


def _mean_above(threshold: np.ndarray) -> np.ndarray:
    """Mean of a standard normal given that it exceeds the threshold (the inverse Mills ratio)."""
    bounded = np.clip(threshold, -30.0, 30.0)  # beyond, the two tails underflow together
    tail = 0.5 * np.array([math.erfc(x / math.sqrt(2.0)) for x in bounded.tolist()])
    return np.exp(-0.5 * bounded**2) / math.sqrt(2.0 * math.pi) / tail


def rank_within(group: np.ndarray) -> np.ndarray:
    """0, 1, 2 ... inside each run of equal values.

    >>> rank_within(np.array([4, 4, 7, 7, 7])).tolist()
    [0, 1, 0, 1, 2]
    """
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]]) if len(group) else np.zeros(0, np.int64)
    return np.arange(len(group)) - np.repeat(starts, np.diff(np.r_[starts, len(group)]))


def _distinct(user: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Push equal times of a user, sorted, one second apart."""
    index = np.arange(len(user))
    apart = user * (seconds.max(initial=0) + len(user) + 1)  # so that no user's push reaches the next user
    return np.maximum.accumulate(seconds + apart - index) + index - apart
