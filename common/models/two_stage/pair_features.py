"""Features of (user, item) pairs, group by group; `feature_names.py` says what each is."""

from collections.abc import Callable

import numpy as np
from scipy import sparse

from common.models.knn.item_knn import ItemKNN
from common.models.two_stage.candidates import Proposals
from common.models.two_stage.feature_inputs import DAY, FeatureTables, counts_in, entries, entropy, of_products, ratio
from common.splits.request_time import HOURS
from common.utils.arrays import products_of_rows, weigh

Columns = dict[str, np.ndarray]
BY_LISTENERS = ("als", "ease", "item_knn", "user_knn", "friends")
"""Sources that know an item by its listeners alone."""
MAINSTREAM = 0.01
"""The share of the catalogue that counts as mainstream."""
RECENT = (1, 5, 15)
"""How many of the last items count as recent."""
CONTEXT = "context"
"""The group of features that are made only where it is asked for."""
MONTH = 31
"""Days around the user's last event that count as the same time."""


class Pairs:
    """Pairs (row of a query, item), sorted by row, and what the features of several groups need of them."""

    def __init__(self, tables: FeatureTables, proposals: Proposals, rows: np.ndarray, items: np.ndarray) -> None:
        self.tables, self.proposals, self.rows, self.items = tables, proposals, rows, items
        self.query = proposals.query
        self.plays = self.query.given.matrix()
        self.has = weigh(self.plays, "binary")
        self.lengths = np.asarray(self.has.sum(axis=1)).ravel()
        self.starts = np.searchsorted(rows, np.arange(len(self.query) + 1))
        self.user_mainstream = ratio(self.has @ tables.log_listeners, self.lengths)
        self.user_log_plays = ratio(weigh(self.plays, "log").sum(axis=1), self.lengths)

    @property
    def heard(self) -> np.ndarray:
        """Whether each pair's item has more than one listener, bool (pairs,)."""
        return self.tables.arrays["heard"][self.items]

    @property
    def similarity(self) -> sparse.csr_array:
        """Similarity of items by common listeners, (n_items, n_items)."""
        item_knn = self.proposals.generator.sources[ItemKNN.name]
        assert isinstance(item_knn, ItemKNN)
        return item_knn.similarity

    def by_user(self, column: Callable[[slice, int], Columns], names: list[str]) -> Columns:
        """Columns made row by row of the query from the places of its pairs, float32 (pairs,), NaN where none are, or
        the history is empty."""
        made = {name: np.full(len(self.rows), np.nan, np.float32) for name in names}
        for user in np.flatnonzero((np.diff(self.starts) > 0) & (self.query.given.lengths > 0)).tolist():
            own = slice(self.starts[user], self.starts[user + 1])
            for name, values in column(own, user).items():
                made[name][own] = values
        return made


def user_features(pairs: Pairs) -> Columns:
    """Length and popularity of the history."""
    head = pairs.tables.popularity_rank < MAINSTREAM
    share = ratio(pairs.has @ head.astype(float), pairs.lengths)
    own = {
        "user_items": np.log1p(pairs.lengths),
        "user_mainstream": pairs.user_mainstream,
        "user_mainstream_share": share,
    }
    return {name: values[pairs.rows] for name, values in own.items()}


def item_features(pairs: Pairs) -> Columns:
    """Listeners and popularity rank of the item, and how far they are from what the user is used to."""
    tables, items = pairs.tables, pairs.items
    mainstream = pairs.user_mainstream[pairs.rows]
    return {
        "item_listeners": tables.log_listeners[items],
        "item_popularity_rank": tables.popularity_rank[items],
        "item_mainstream": tables.item_mainstream[items],
        "popularity_gap": tables.log_listeners[items] - mainstream,
        "mainstream_gap": tables.item_mainstream[items] - mainstream,
    }


def play_features(pairs: Pairs) -> Columns:
    """How much the user plays, how much an item is played, and both together; nothing where all weigh the same."""
    if not pairs.tables.has_plays:
        return {}
    tables, rows, items = pairs.tables, pairs.rows, pairs.items
    total = np.asarray(pairs.plays.sum(axis=1), float).ravel()
    largest = pairs.plays.max(axis=1).toarray().ravel() if pairs.plays.shape[0] else total
    squares = np.asarray(pairs.plays.multiply(pairs.plays).sum(axis=1), float).ravel()
    weighed, weights = (of_products(m, pairs.similarity, rows, items) for m in (weigh(pairs.plays, "log"), pairs.has))
    return {
        "user_log_plays": pairs.user_log_plays[rows],
        "user_total_plays": np.log1p(total)[rows],
        "user_top_share": ratio(largest, total)[rows],
        "user_concentration": ratio(squares, total**2)[rows],
        "item_log_plays": tables.item_log_plays[items],
        "item_intensity": tables.item_log_plays[items] - tables.item_activity[items],
        "relative_activity": pairs.user_log_plays[rows] - tables.item_activity[items],
        "interaction_strength": np.where(pairs.heard, ratio(weighed, weights), np.nan),
    }


def source_features(pairs: Pairs) -> Columns:
    """Rank, score and strength of the pair by every source, and how many sources propose it."""
    rows, items, proposals, made = pairs.rows, pairs.items, pairs.proposals, dict[str, np.ndarray]()
    generator, names = proposals.generator, list(proposals.generator.sources)
    ranks, scores = proposals.ranks(rows, items), proposals.scores[:, rows, items].T
    nothing_known = np.ix_(~pairs.heard, np.isin(names, BY_LISTENERS))
    ranks[nothing_known] = scores[nothing_known] = np.nan
    for place, name in enumerate(names):
        made[f"{name}_rank"] = ranks[:, place]
        made[f"{name}_score"] = scores[:, place] / proposals.best[place][rows]
        made[f"{name}_strength"] = scores[:, place] / generator.scales[place]
    made["votes"] = (ranks < generator.settings.top).sum(axis=1) if len(rows) else np.zeros(0)
    return made


def content_features(pairs: Pairs) -> Columns:
    """Similarity in genres and sound, distance from the history's mean audio and year."""
    made: Columns = {}
    for space, name in (("genre", "genres"), ("audio", "audio_vectors")):
        if name in pairs.tables:
            made |= _similarity(pairs, name, space)
    if (genres := pairs.tables.arrays.get("genres")) is not None:
        made["user_genre_entropy"] = entropy(pairs.has @ genres)[pairs.rows]
    if (audio := pairs.tables.arrays.get("audio")) is not None:
        centre = _known_mean(pairs, "audio")
        made["audio_distance"] = np.linalg.norm(audio[pairs.items] - centre[pairs.rows], axis=1)
    if (years := pairs.tables.arrays.get("years")) is not None:
        made["year_gap"] = years[pairs.items] - _known_mean(pairs, "years")[pairs.rows, 0]
    return made


def _similarity(pairs: Pairs, name: str, space: str) -> Columns:
    """Largest and mean cosine of unit vectors with the history's items that have one; NaN where the item has none."""
    vectors, has_vector = pairs.tables[name], pairs.tables.has_vector[name]
    of_pairs, has_nothing = vectors[pairs.items], ~has_vector[pairs.items]
    given = pairs.query.given
    told = has_vector[given.items]
    starts = np.concatenate([[0], np.cumsum(told)])[given.indptr]
    of_histories = vectors[given.items[told]]

    def compare(own: slice, user: int) -> Columns:
        known = slice(starts[user], starts[user + 1])
        if known.start == known.stop:
            return {}
        theirs = of_histories[known]
        cosine = of_pairs[own] @ theirs.T if isinstance(theirs, np.ndarray) else products_of_rows(of_pairs[own], theirs)
        cosine[has_nothing[own]] = np.nan
        return {f"{space}_max": cosine.max(axis=1), f"{space}_mean": cosine.mean(axis=1)}

    return pairs.by_user(compare, [f"{space}_max", f"{space}_mean"])


def tag_features(pairs: Pairs) -> Columns:
    """Similarity in tags, the share of the item's tags that the history has, and how mixed these are."""
    if "tags" not in pairs.tables:
        return {}
    counts = pairs.tables.matrices["tags"]
    profile = sparse.csr_array(pairs.has @ counts)
    distinct = np.diff(profile.indptr)
    known = counts_in(counts, pairs.items, profile, pairs.rows)
    known[pairs.lengths[pairs.rows] == 0] = np.nan
    return {
        **_similarity(pairs, "tag_vectors", "tag"),
        "tag_overlap": ratio(known, pairs.tables.tag_totals[pairs.items]),
        "user_tag_entropy": entropy(profile)[pairs.rows],
        "user_tag_diversity": np.log1p(distinct)[pairs.rows],
    }


def friend_features(pairs: Pairs) -> Columns:
    """NaN for users who are unknown."""
    if "friends" not in pairs.tables:
        return {}
    friends, known = pairs.tables.matrices["friends"], pairs.query.users >= 0
    own = friends[np.where(known, pairs.query.users, 0)]
    listening = entries(own @ pairs.tables.has, pairs.rows, pairs.items)
    number = np.asarray(own.sum(axis=1)).ravel()
    known_pair = known[pairs.rows]
    listening[~pairs.heard] = np.nan
    columns = {
        "friends_listening": listening,
        "friends_share": ratio(listening, number[pairs.rows]),
        "user_friends": np.log1p(number)[pairs.rows],
    }
    return {name: np.where(known_pair, np.asarray(values, float), np.nan) for name, values in columns.items()}


def order_features(pairs: Pairs) -> Columns:
    """Similarity to the last items of the history; nothing where histories have no order."""
    if not pairs.tables.arrays["ordered"]:
        return {}
    similarity, tags = pairs.similarity, pairs.tables.matrices.get("tag_vectors")

    def recent(own: slice, user: int) -> Columns:
        items, last = pairs.items[own], pairs.query.given[user][::-1][: max(RECENT)]
        near = {"listening": similarity[last][:, items].toarray()}
        near["listening"][:, ~pairs.tables.arrays["heard"][items]] = np.nan
        if tags is not None:
            near["tag"] = (tags[last] @ tags[items].T).toarray()
        return {f"{space}_last_{n}": of_space[:n].mean(axis=0) for space, of_space in near.items() for n in RECENT}

    spaces = ["listening"] if tags is None else ["listening", "tag"]
    return pairs.by_user(recent, [f"{space}_last_{n}" for space in spaces for n in RECENT])


def time_features(pairs: Pairs) -> Columns:
    """Times relative to the last event of the history; NaN where that has no times."""
    given, arrays = pairs.query.given, pairs.tables.arrays
    if "event_days" not in pairs.tables or given.timestamps is None:
        return {}
    times = pairs.tables.item_times
    last, busy = np.full(len(given), np.nan), np.full(len(given), np.nan)
    owner, own_days = given.rows, given.timestamps / DAY
    np.fmax.at(last, owner, own_days)
    busy[given.lengths > 0] = 0
    np.add.at(busy, owner, own_days > last[owner] - 0.5)
    own_last = last[pairs.rows]
    telling = arrays["spoken_of"][pairs.items] & ~np.isnan(own_last)

    def before(day: np.ndarray) -> np.ndarray:
        """Events of each pair's item before a day."""
        return times.before(pairs.items, day)

    def share(events: np.ndarray) -> np.ndarray:
        return np.where(telling, ratio(events, times.counts[pairs.items]), np.nan)

    return {
        "days_since_last": times.last_day - own_last,
        "events_of_last_day": np.log1p(busy)[pairs.rows],
        "item_time_gap": times.mean[pairs.items] - own_last,
        "item_newest_gap": times.newest[pairs.items] - own_last,
        "item_now_share": share(before(own_last + MONTH) - before(own_last - MONTH)),
        "item_later_share": share(times.counts[pairs.items] - before(own_last + 1)),
    }


def context_features(pairs: Pairs) -> Columns:
    """How much more than usual an item is played at the hour and on the weekday of the request; 0 where nobody knows
    when that is."""
    if "hour_lift" not in pairs.tables:
        return {}
    hours, arrays = pairs.query.hours, pairs.tables.arrays
    if hours is None:
        return {name: np.zeros(len(pairs.rows)) for name in ("hour_lift", "weekday_lift")}
    weekday, hour = np.divmod(hours[pairs.rows], HOURS)
    return {
        "hour_lift": arrays["hour_lift"][pairs.items, hour],
        "weekday_lift": arrays["weekday_lift"][pairs.items, weekday],
    }


def _known_mean(pairs: Pairs, name: str) -> np.ndarray:
    """Mean over each history of the items whose values are known, NaN without any, float64 (rows, columns)."""
    known, values = pairs.tables.known_values[name]
    number = pairs.has @ known
    return (pairs.has @ values) / np.where(number > 0, number, np.nan)[:, None]


def demographic_features(pairs: Pairs) -> Columns:
    """NaN for users who are unknown, or of whom the data do not say."""
    tables, users, made = pairs.tables, pairs.query.users, dict[str, np.ndarray]()
    for column in tables.listeners_told:
        own = np.where(users >= 0, tables.arrays[f"user_{column}"][np.maximum(users, 0)], np.nan)[pairs.rows]
        if column == "age":
            made |= {"user_age": own, "age_gap": own - tables.listeners_age[pairs.items]}
            continue
        kinds, share = tables.listeners_like[column]
        place = np.searchsorted(kinds, np.where(np.isnan(own), kinds[0], own)).clip(max=len(kinds) - 1)
        of_pair = np.where(tables.arrays["spoken_of"][pairs.items], share[pairs.items, place], np.nan)
        made[f"{column}_share"] = np.where(np.isnan(own), np.nan, of_pair)
    return made


GROUPS = {
    "user": user_features,
    "item": item_features,
    "plays": play_features,
    "sources": source_features,
    "content": content_features,
    "tags": tag_features,
    "friends": friend_features,
    "order": order_features,
    "time": time_features,
    "people": demographic_features,
    CONTEXT: context_features,
}


def make_features(pairs: Pairs) -> dict[str, Columns]:
    """Features of pairs, of the groups for which the data have something: group -> name -> float (pairs,)."""
    return {group: columns for group, make in GROUPS.items() if (columns := make(pairs))}
