"""A generated data set of the size and statistics of Last.fm-2K, for machines without the real files.

Listeners have a taste over scenes that drifts from an early to a late mixture. They listen in sessions: a scene, a
track of it in proportion to popularity, then more of the artist or of the scene. How often they play a track is

    log plays = level of the user + appeal of the track + fit of the track to the taste + noise

and a list keeps the user's `max_items_per_user` most played tracks, as Last.fm-2K does. Each track is first given one
listener ("finder") whose taste covers it, so that every track is heard and a long tail of single listeners remains.
"""

import numpy as np
import pandas as pd

from common.data.synthetic import catalogue as content
from common.data.synthetic import listening
from common.data.synthetic.listening import DAY
from common.data.synthetic.settings import SyntheticSettings
from common.data.tables import Tables
from common.utils.memory import require
from common.utils.settings import kept_values

END_OF_TIME = 1_704_067_200  # 2024-01-01 in seconds since 1970: the last day of the generated listening
LAST_YEAR = 2023
PAIR_BYTES, ITEM_BYTES = 210, 1500
"""Memory that a user's track and a track of the catalogue take while they are drawn, as measured."""
COUNTRIES = (
    *("United States", "United Kingdom", "Germany", "Brazil", "Poland", "Sweden"),
    *("Spain", "Finland", "Japan", "Mexico", "Portugal", "Italy"),
)
COUNTRY_SHARES = np.array([20, 14, 12, 11, 10, 6, 6, 5, 5, 4, 4, 3]) / 100
PRIVATE_TAGS = np.array(
    [
        *("favourites", "rainy day", "road trip", "guilty pleasure", "morning", "workout"),
        *("sleep", "seen live", "my wedding", "to check out"),
    ],
    dtype=object,
)


def generate(settings: SyntheticSettings) -> Tables:
    """Generate all tables. Every track has a listener unless there are more tracks than half of all list places.

    `notes` holds the settings and `explainable_variance`: the share of the variance of log plays that is not noise,
    a ceiling for any model of play counts.

    Raises:
        UserError: a setting makes no sense.
    """
    settings.check()
    needed = PAIR_BYTES * settings.users * min(settings.tracks_per_user, 1 + settings.items // 3)
    require("generated data", needed + ITEM_BYTES * settings.items, "lower --synthetic.users or --synthetic.items")
    rng = np.random.default_rng(settings.seed)
    catalogue = content.build_catalogue(settings.items, settings.version_share, rng)
    listeners = listening.draw_listeners(
        catalogue, settings.users, settings.tracks_per_user, settings.max_items_per_user, settings.drift, rng
    )
    plays = listening.listen(catalogue, listeners, settings.days, settings.noise, rng, settings.daily_rhythm)
    user_ids = content.shuffled_ids("u", settings.users, rng)
    items, tags = content.describe(catalogue, settings.missing_audio, LAST_YEAR - -(-settings.days // 365), rng)
    weight = np.maximum(1.0, np.rint(np.exp(plays.log_plays)))
    interactions = pd.DataFrame(
        {
            "user_id": user_ids[plays.user],
            "item_id": items["item_id"].to_numpy()[plays.track],
            "weight": weight,
            "timestamp": END_OF_TIME - settings.days * DAY + plays.seconds,
        }
    )
    residual = np.log(weight) - plays.expected
    user_tags = assign_tags(interactions, plays, tags, settings.tagged_share, rng)
    return Tables(
        interactions=_sorted(interactions, "user_id", "timestamp"),
        items=_sorted(items, "item_id"),
        users=_sorted(users_frame(user_ids, listeners.home, rng), "user_id"),
        social=_unless_empty(_sorted(friendships(user_ids, listeners, rng), "user_id", "friend_id")),
        item_tags=_sorted(tags.frame(items["item_id"].to_numpy(), rng), "item_id"),
        user_item_tags=_unless_empty(_sorted(user_tags, "user_id", "timestamp")),
        notes={
            "generator": kept_values(settings),
            "explainable_variance": max(0.0, float(1.0 - residual.var() / max(np.log(weight).var(), 1e-12))),
        },
    )


def users_frame(user_ids: np.ndarray, home: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Age, gender and country, which lean on the home scene; some did not say."""
    users, scenes = len(home), int(home.max()) + 1
    age = rng.normal(rng.uniform(19, 42, scenes)[home], 7).clip(13, 80).round()
    gender = np.where(rng.random(users) < rng.uniform(0.2, 0.7, scenes)[home], "f", "m").astype(object)
    country = rng.choice(COUNTRIES, users, p=COUNTRY_SHARES)
    country = np.where(rng.random(users) < 0.3, rng.choice(COUNTRIES, scenes)[home], country).astype(object)
    age[rng.random(users) < 0.12] = np.nan
    gender[rng.random(users) < 0.06] = None
    country[rng.random(users) < 0.03] = None
    return pd.DataFrame(
        {
            "user_id": user_ids,
            "age": age,
            "gender": pd.array(gender, dtype="str"),
            "country": pd.array(country, dtype="str"),
        }
    )


def friendships(user_ids: np.ndarray, listeners: listening.Listeners, rng: np.random.Generator) -> pd.DataFrame:
    """Friends in both directions: four in five stand near each other once users are lined up by their tastes."""
    users = len(user_ids)
    second = np.argsort(listeners.taste, axis=1)[:, -2:][:, 0]
    line = np.lexsort((rng.random(users), second, listeners.home))
    asks = np.exp(rng.normal(1.05, 1.2, users)).clip(1, 100).astype(np.int64)
    place = np.repeat(np.arange(users), asks)
    near = place + rng.geometric(0.07, len(place)) * rng.choice([-1, 1], len(place))
    other = np.where(rng.random(len(place)) < 0.8, near % users, rng.integers(0, users, len(place)))
    a, b = line[place[place != other]], line[other[place != other]]
    pairs = np.unique(np.concatenate([a * users + b, b * users + a]))
    return pd.DataFrame({"user_id": user_ids[pairs // users], "friend_id": user_ids[pairs % users]})


def assign_tags(
    interactions: pd.DataFrame,
    plays: listening.Plays,
    tags: content.Tags,
    share: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Tags that users put on some of what they play, within weeks of the first play; one in six is a private one.

    `interactions` and `plays` have the same rows.
    """
    tagged = np.flatnonzero(rng.random(len(plays.user)) < share)
    row = np.repeat(tagged, 1 + rng.poisson(1.6, len(tagged)))
    tag = tags.draw(plays.track[row], rng)
    habit = (7 * plays.user[row] + rng.integers(0, 2, len(row))) % len(PRIVATE_TAGS)  # two favourite ones per user
    tag = np.where(rng.random(len(row)) < 1 / 6, PRIVATE_TAGS[habit], tag)
    delay = (rng.exponential(10 * DAY, len(interactions))).astype(np.int64)[row]
    frame = interactions.iloc[row][["user_id", "item_id"]].assign(
        tag=tag, timestamp=np.minimum(interactions["timestamp"].to_numpy()[row] + delay, END_OF_TIME)
    )
    return frame.drop_duplicates(["user_id", "item_id", "tag"])


def _sorted(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Rows by id, so that their order does not tell the order of generation."""
    return frame.sort_values(list(columns), kind="stable", ignore_index=True)


def _unless_empty(frame: pd.DataFrame) -> pd.DataFrame | None:
    return frame if len(frame) else None
