import dataclasses
import time
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from common.evaluation import metrics
from common.features.content_vectors import mix_of, shares
from common.reranking.objectives import ALPHA, Quota
from common.reranking.rerank import ItemFacts, Reranking, batches, item_facts, reorder, rerank
from common.splits.histories import Histories
from common.splits.train_view import load_train_view
from common.utils.errors import UserError

ROCK, JAZZ, BOTH, NONE = [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]
DAY = 86_400


def facts_of(rows, **changed) -> ItemFacts:
    """Facts of items whose genres, and vectors, are given as rows."""
    values = sparse.csr_array(np.array(rows, float))
    values.eliminate_zeros()
    unit = sparse.csr_array(values / np.maximum(sparse.linalg.norm(values, axis=1), 1)[:, None])
    n = len(rows)
    plain = ItemFacts(np.ones(n), n_users=7, places=np.arange(n), groups=np.arange(n), vectors={"genre": unit})
    return dataclasses.replace(plain, genres=values, **changed)


def one(facts, scores, settings, history=(), k=20, items=None):
    items = np.arange(len(scores)) if items is None else np.array(items)
    found, _ = rerank(items, np.array(scores), [list(history)], facts, settings, k)
    return found[found >= 0].tolist()


def random_case(users=8, candidates=15, n_items=60, genres=5, seed=0):
    """Facts, candidates, scores and histories; some items have no genre, one user no history, one few candidates."""
    rng = np.random.default_rng(seed)
    rows = (rng.random((n_items, genres)) < 0.35) * (rng.random(n_items) < 0.8)[:, None]
    facts = facts_of(
        rows,
        popularity=rng.integers(1, 50, n_items).astype(float),
        n_users=50,
        places=rng.permutation(n_items),
        artists=sparse.csr_array(np.eye(12)[rng.integers(0, 12, n_items)]),
    )
    items = np.array([rng.permutation(n_items)[:candidates] for _ in range(users)])
    histories = [list(rng.permutation(n_items)[: 3 + user]) for user in range(users)]
    items[0, 4:], histories[1] = -1, []
    scores = np.where(items >= 0, rng.random(items.shape), np.nan).astype(np.float32)
    return facts, items, scores, Histories.from_lists(histories, n_items)


def naive(items, scores, history, facts, settings, k):
    """MMR and calibration as the papers write them, one candidate after the other."""
    vectors, mixes = facts.vectors["genre"].toarray(), shares(facts.vectors["genre"]).toarray()
    p = mix_of(Histories.from_lists([list(history)], len(vectors)), shares(facts.vectors["genre"])).toarray()[0]
    order = sorted((place for place in range(len(items)) if items[place] >= 0), key=lambda j: -scores[j])
    pool, above = [int(items[j]) for j in order], list[int]()
    values = np.array([float(scores[j]) for j in order])
    relevance = dict(zip(pool, (values - values.min()) / max(np.ptp(values), 1e-12), strict=True))
    d, c = settings.diversity, settings.calibration

    def unlike(item):
        near = [vectors[item] @ vectors[other] for other in above if vectors[other].any()]
        return -max(near) if near else 0.0

    def near_mix(item):
        list_mix = np.mean([mixes[i] for i in [*above, item] if mixes[i].any()], axis=0)
        smooth = (1 - ALPHA) * list_mix + ALPHA * p
        wanted = p > 0
        return -float((p[wanted] * np.log(p[wanted] / smooth[wanted])).sum())

    while pool and len(above) < k:
        parts = {}
        for item in pool:
            parts[item] = (unlike(item), near_mix(item)) if vectors[item].any() else None
        known = [part for part in parts.values() if part is not None]
        average = tuple(np.mean(known, axis=0)) if known else (0.0, 0.0)
        worth = {}
        for item in pool:
            unlikeness, nearness = parts[item] or average
            worth[item] = (1 - d - c) * relevance[item] + d * unlikeness + c * nearness
        best = max(pool, key=lambda item: round(worth[item], 10))
        above.append(best)
        pool.remove(best)
    return above


def test_mmr_by_hand():
    facts = facts_of([ROCK, ROCK, JAZZ])  # relevance 1, 0.8, 0: rock again is worth 0.8 (1 - d) - d, jazz 0
    assert one(facts, [6.0, 5.0, 1.0], Reranking(diversity=0.44)) == [0, 1, 2]
    assert one(facts, [6.0, 5.0, 1.0], Reranking(diversity=0.45)) == [0, 2, 1]


def test_calibration_by_hand():
    facts = facts_of([ROCK, ROCK, JAZZ, ROCK, JAZZ])
    # After rock, jazz makes the mix exact; rock again leaves KL 1.9585 and is worth 0.8 (1 - c) - 1.9585 c.
    for share, wanted in ((0.28, [0, 1, 2]), (0.30, [0, 2, 1])):
        assert one(facts, [6.0, 5.0, 1.0], Reranking(calibration=share), history=[3, 4]) == wanted
    assert one(facts, [6.0, 5.0, 1.0], Reranking(calibration=0.9), history=[3]) == [0, 1, 2]


@pytest.mark.parametrize("settings", [{"diversity": 0.4}, {"calibration": 0.4}, {"diversity": 0.3, "calibration": 0.3}])
def test_the_choice_is_the_papers(settings):
    facts, items, scores, histories = random_case()
    found, _ = rerank(items, scores, histories, facts, Reranking(**settings), k=9)
    for user in range(len(items)):
        wanted = naive(items[user], scores[user], histories[user], facts, Reranking(**settings), 9)
        assert found[user][found[user] >= 0].tolist() == wanted


def test_without_wishes_the_order_stays_and_ties_go_by_the_hash():
    facts, items, scores, histories = random_case()
    found, values = rerank(items, scores, histories, facts, Reranking(), k=15)
    for user in range(len(items)):
        real = items[user] >= 0
        wanted = items[user][real][np.argsort(-scores[user][real])]
        assert found[user][: real.sum()].tolist() == wanted.tolist()
        assert values[user][: real.sum()].tolist() == sorted(scores[user][real], reverse=True)
    equal = facts_of([ROCK] * 4, places=np.array([2, 0, 3, 1]))
    assert one(equal, [1.0] * 4, Reranking(diversity=0.5)) == [1, 3, 0, 2]


def test_more_weight_gives_more_of_what_it_is_for():
    facts, items, scores, histories = random_case(users=40, candidates=30, n_items=300)
    vectors, mixes = facts.vectors["genre"], shares(facts.vectors["genre"])
    measures = {
        "diversity": lambda lists: -metrics.intra_list_similarity(lists, vectors, 10),
        "calibration": lambda lists: -metrics.calibration_error(lists, mixes, mix_of(histories, mixes), 10),
        "novelty": lambda lists: metrics.novelty(lists, facts.popularity, facts.n_users, 10),
        "unpopularity": lambda lists: -metrics.mean_of_list(facts.popularity, lists, 10),
    }
    for name, measure in measures.items():
        given = []
        for weight in (0.0, 0.3, 0.9):
            weighed: dict[str, Any] = {name: weight}
            lists, _ = rerank(items, scores, histories, facts, Reranking(**weighed), k=10)
            given.append(np.nanmean(measure(lists)))
        assert given[0] < given[1] < given[2], name


def test_a_cap_holds_and_ends_a_list():
    facts, items, scores, histories = random_case(users=20, candidates=30)
    settings = Reranking(per_artist=2, per_genre=3, diversity=0.2)
    lists, _ = rerank(items, scores, histories, facts, settings, k=20)
    for values, most in ((facts.artists, 2), (facts.genres, 3)):
        assert (metrics.indicator(lists, 60, 20) @ values).max() == most
    rock = facts_of([ROCK, ROCK, ROCK, NONE, JAZZ])
    assert one(rock, [5.0, 4.0, 3.0, 2.0, 1.0], Reranking(per_genre=1)) == [0, 3, 4]


def test_places_go_to_genres_in_proportion():
    facts = facts_of([ROCK] * 10 + [JAZZ] * 10 + [NONE] * 10 + [ROCK] * 6 + [JAZZ] * 2 + [NONE] * 2)
    falling = np.arange(30, 0, -1.0)
    found = one(facts, falling, Reranking(balance=True), history=range(30, 40), k=10)
    assert [sum(item // 10 == genre for item in found) for genre in range(3)] == [6, 2, 2]
    assert one(facts, falling, Reranking(balance=True), history=[], k=3) == [0, 1, 2]
    assert one(facts, falling[:12], Reranking(balance=True), history=[38], k=3) == [0, 1, 2]  # none without genre


def test_an_item_of_two_genres_takes_half_a_place_of_each():
    parts = sparse.csr_array(np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]))
    quota = Quota(np.array([[0, 1, 2]]), parts, sparse.csr_array(np.array([[0.6, 0.4]])))
    free = np.ones((1, 3), bool)
    assert quota.allowed(free).tolist() == [[True, True, False]]
    quota.took(np.array([0]), np.array([0]))
    assert quota.seats.tolist() == [[0.5, 0.5]]


def test_what_filters_name_is_left_out():
    facts = facts_of(
        [ROCK] * 6, explicit=np.array([1, 0, 0, 0, 1, 0], bool), groups=np.array([7, 7, 2, 3, 2, 5]), now=9 * DAY
    )
    falling = [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]
    assert one(facts, falling, Reranking(no_explicit=True)) == [1, 2, 3, 5]
    assert one(facts, falling, Reranking(one_version=True)) == [0, 2, 3, 5]
    assert one(facts, falling, Reranking(one_version=True, no_explicit=True)) == [1, 2, 3, 5], "the clean version stays"
    assert one(facts, falling, Reranking(recent_items=1), history=[0, 4]) == [0, 1, 3, 5], (
        "the work, not the item alone"
    )
    assert one(facts, falling, Reranking(recent_items=9), history=[0, 4]) == [3, 5]
    times = np.array([1, 8], np.int64) * DAY
    history = dataclasses.replace(Histories.from_lists([[0, 4]], 6), timestamps=times)
    found, _ = rerank(np.arange(6), np.array(falling), history, facts, Reranking(recent_days=2), k=4)
    assert found.tolist() == [0, 1, 3, 5]


def test_all_at_once():
    facts, items, scores, histories = random_case(users=20, candidates=30)
    facts = dataclasses.replace(facts, explicit=np.arange(60) % 5 == 0, groups=np.arange(60) // 2)
    wishes: dict[str, Any] = {
        "diversity": 0.2,
        "calibration": 0.2,
        "novelty": 0.3,
        "unpopularity": 0.1,
        "per_artist": 2,
        "per_genre": 4,
    }
    settings = Reranking(**wishes, balance=True, no_explicit=True, one_version=True, recent_items=2)
    lists, values = rerank(items, scores, histories, facts, settings, k=10)
    for user, found in enumerate(lists):
        found = found[found >= 0]
        assert not facts.explicit[found].any()
        assert len(np.unique(found // 2)) == len(found)
        assert not np.isin(found // 2, histories[user][-2:] // 2).any()
        assert set(found) <= set(items[user])
    assert ((lists >= 0) == np.isfinite(values)).all()


def test_below_the_chosen_nothing_moves():
    facts, items, scores, histories = random_case()
    settings = Reranking(diversity=0.5, per_artist=1)
    chosen, _ = rerank(items, scores, histories, facts, settings, k=5)
    everything, values = reorder(items, scores, histories, facts, settings, k=5)
    plain, _ = rerank(items, scores, histories, facts, Reranking(), k=items.shape[1])
    assert everything.shape == items.shape
    for user in range(len(items)):
        top = [item for item in chosen[user] if item >= 0]
        rest = [item for item in plain[user] if item >= 0 and item not in top]
        assert [item for item in everything[user] if item >= 0] == top + rest
    of_item = dict(zip(items[2].tolist(), scores[2].tolist(), strict=True))
    assert [of_item[item] for item in everything[2].tolist()] == values[2].tolist()


def test_one_user_is_answered_as_among_many():
    facts, items, scores, histories = random_case(users=40)
    settings = Reranking(diversity=0.3, calibration=0.2, balance=True)
    many, _ = rerank(items, scores, histories, facts, settings, k=7)
    for user in (0, 1, 39):
        alone, values = rerank(items[user], scores[user], [histories[user].tolist()], facts, settings, k=7)
        assert alone.shape == values.shape == (7,)
        assert alone.tolist() == many[user].tolist()


@pytest.mark.parametrize("wishes", [{}, {"diversity": 0.3}, {"calibration": 0.5}, {"balance": True}, {"per_genre": 1}])
def test_nothing_to_choose_from(wishes):
    facts, settings = facts_of([NONE, NONE, ROCK]), Reranking(**wishes)
    assert one(facts, [], settings, items=[], k=3) == []
    assert rerank(np.zeros((0, 5)), np.zeros((0, 5)), [], facts, settings, k=3)[0].shape == (0, 3)
    assert one(facts, [np.nan, np.nan], settings, items=[-1, -1], history=[0]) == []
    assert one(facts, [2.0, 1.0], settings, history=[0], k=50) == [0, 1]  # no features: the order stays
    assert one(facts, [2.0, 2.0, 2.0], settings, history=[0], k=50)[:2] == [0, 1]


def test_no_number_is_no_feature():
    vectors = sparse.csr_array(np.array([[1.0, np.nan], [1.0, 0.0], [0.0, 1.0], [np.inf, 0.0]]))
    facts = dataclasses.replace(facts_of([ROCK] * 4), vectors={"audio": vectors})
    assert facts.vectors["audio"].toarray().tolist() == [NONE, ROCK, JAZZ, NONE]
    assert sorted(one(facts, [4.0, 3.0, 2.0, 1.0], Reranking(diversity=0.5))) == [0, 1, 2, 3]


def test_an_item_without_features_gains_nothing_by_it():
    facts = facts_of([ROCK, ROCK, NONE, ROCK])
    settings = Reranking(diversity=0.8)
    assert one(facts, [4.0, 3.0, 2.0, 1.0], settings) == [0, 1, 2, 3]


def test_the_batches_change_nothing(monkeypatch):
    facts, items, scores, histories = random_case(users=70, candidates=20)
    settings = Reranking(diversity=0.3, calibration=0.2, balance=True)
    whole, _ = rerank(items, scores, histories, facts, settings)
    monkeypatch.setattr("common.reranking.rerank.ITEMS_AT_ONCE", 50)
    assert [len(rows) for rows in batches(items)] == [16, 16, 16, 16, 6]
    assert (rerank(items, scores, histories, facts, settings)[0] == whole).all()


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"diversity": 1.5}, "--rerank.diversity 1.5: give 0 to 1"),
        ({"calibration": float("nan")}, "--rerank.calibration nan: give 0 to 1"),
        ({"novelty": -1.0}, "--rerank.novelty -1.0: give 0 or more"),
        ({"per_artist": -1}, "--rerank.per-artist -1: give 0 or more"),
        ({"space": "smell"}, "--rerank.space 'smell': give auto or genre or tag or audio"),
        ({"diversity": 0.6, "calibration": 0.6}, "give two that sum to 1 or less"),
        ({"diversity": 0.3, "space": "audio"}, "--rerank.diversity: the data has no features of items (audio)"),
        ({"calibration": 0.3, "mix": "tag"}, "--rerank.calibration: the data has no features of items (tag)"),
        ({"per_artist": 1}, "--rerank.per-artist: the data has no column artist of items"),
        ({"no_explicit": True}, "--rerank.no-explicit: the data has no column explicit of items"),
        ({"recent_days": 3.0}, "--rerank.recent-days: the data has no timestamps of interactions"),
    ],
)
def test_a_mistake_is_one_sentence(wishes, said):
    with pytest.raises(UserError) as mistake:
        one(facts_of([ROCK, JAZZ]), [2.0, 1.0], Reranking(**wishes))
    assert said in str(mistake.value)
    assert "\n" not in str(mistake.value)


def test_a_history_without_times_has_no_recent_days():
    with pytest.raises(UserError, match="use recent_items"):
        one(facts_of([ROCK], now=5), [1.0], Reranking(recent_days=1.0))
    with pytest.raises(UserError, match="k is 0"):
        one(facts_of([ROCK]), [1.0], Reranking(), k=0)


@pytest.mark.parametrize(
    ("items", "scores", "histories"),
    [([0, 9], [1.0, 2.0], [[]]), ([0, 1], [1.0, np.inf], [[]]), ([0, 1], [1.0], [[]]), ([0, 1], [1.0, 2.0], [[], []])],
)
def test_a_broken_caller_is_told(items, scores, histories):
    with pytest.raises(ValueError, match=r"item codes|finite|do not match"):
        rerank(np.array(items), np.array(scores), histories, facts_of([ROCK, JAZZ]), Reranking())


def test_facts_of_a_data_set(small_data):
    train = load_train_view(small_data, "listen", "select")
    facts: Any = item_facts(train)
    assert set(facts.vectors) == {"genre", "tag", "audio"}
    assert facts.explicit.tolist() == train.items["explicit"].fillna(False).astype(bool).tolist()
    assert facts.explicit.any()
    assert facts.now == train.interactions["timestamp"].max()
    assert facts.popularity.min() == 1
    assert facts.artists.shape[0] == facts.genres.shape[0] == train.n_items


def test_faster_than_a_loop():
    facts, items, scores, histories = random_case(users=120, candidates=100, n_items=900, genres=8)
    settings = Reranking(diversity=0.3, calibration=0.2)
    start = time.process_time()
    rerank(items, scores, histories, facts, settings, k=10)
    ours = time.process_time() - start
    start = time.process_time()
    for user in range(2, 5):
        naive(items[user], scores[user], histories[user], facts, settings, 10)
    loop = (time.process_time() - start) * len(items) / 3
    assert loop > 10 * ours
