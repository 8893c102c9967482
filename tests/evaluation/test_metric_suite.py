"""The scorer as a whole: its figures against an independent computation from the same files."""

import re

import numpy as np
import pandas as pd
import pytest

from common.data.dataset import Dataset, write_dataset
from common.data.synthetic.generator import generate
from common.data.synthetic.settings import SyntheticSettings
from common.data.tables import Tables
from common.evaluation.evaluator import Evaluator
from common.evaluation.metric_suite import (
    CUTOFFS,
    SEGMENTED,
    found_by_visibility,
    mean_by_row,
    one_by_one,
    popular_lists,
)
from common.evaluation.recommendations import Evaluation
from common.evaluation.task import Task
from common.models.baselines import Popularity, Random
from common.models.top_items import tie_places, top_items
from common.splits.histories import Histories
from common.splits.protocols import N_GIVEN
from common.splits.store import load_split
from common.utils.io import read_parquet, write_parquet

N_USERS, N_ITEMS = 12, 150


def toy_tables() -> Tables:
    """Twelve users with 5 to 27 of 150 items, popular ones more often; genres and tags for some items."""
    rng = np.random.default_rng(11)
    ids = np.array([f"i{i:03d}" for i in range(N_ITEMS)], object)
    appeal = 1 / np.arange(1, N_ITEMS + 1)
    rows = []
    for user in range(N_USERS):
        own = rng.choice(N_ITEMS, 5 + 2 * user, replace=False, p=appeal / appeal.sum())
        rows += [(f"u{user:02d}", ids[item], float(rng.integers(1, 100))) for item in own]
    # Every item is in the catalogue, by users with histories too short to be scored on.
    rows += [(f"idle{i // 4:02d}", item, 1.0) for i, item in enumerate(ids)]
    interactions = pd.DataFrame(rows, columns=["user_id", "item_id", "weight"])
    genres = [("rock|pop", "jazz", None)[i % 3] for i in range(N_ITEMS)]
    items = pd.DataFrame({"item_id": ids, "name": ids, "genres": genres, "artist": [f"a{i // 5}" for i in range(150)]})
    tags = interactions[["user_id", "item_id"]].iloc[:200:2]
    return Tables(
        interactions=interactions,
        items=items,
        users=pd.DataFrame({"user_id": interactions["user_id"].unique()}),
        user_item_tags=tags.assign(tag=[f"t{i % 4}" for i in range(len(tags))]),
    )


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Dataset:
    return write_dataset("toy", tmp_path_factory.mktemp("toy"), toy_tables(), "by hand")


@pytest.fixture(scope="module")
def newcomers(tmp_path_factory) -> Dataset:
    tables = generate(SyntheticSettings(users=120, items=400, tracks_per_user=90))
    return write_dataset("small", tmp_path_factory.mktemp("small"), tables, "generated")


def scorer_of(data: Dataset, protocol: str = "listen", phase: str = "final") -> Evaluator:
    task = Task(data, protocol)
    return task.valid if phase == "select" else task.test


def evaluate(evaluator: Evaluator, kind: type = Popularity, seed: int = 0) -> Evaluation:
    return evaluator.evaluate(kind(seed=seed).fit(evaluator.train))


def by_pandas(data: Dataset, phase: str) -> dict[str, float]:
    """Popularity's figures worked out from the split's tables with pandas and plain Python, user by user."""
    split = load_split(data, "listen")
    shown = split.train if phase == "select" else pd.concat([split.train, split.valid])
    hidden = split.valid if phase == "select" else split.test
    catalogue = sorted(set(data.tables.interactions["item_id"]))
    listeners = shown.groupby("item_id").size().reindex(catalogue, fill_value=0)
    place = pd.Series(tie_places(pd.Series(catalogue)), index=catalogue)
    order = sorted(catalogue, key=lambda item: (-max(listeners[item], 1), place[item]))
    own = shown.groupby("user_id")["item_id"].agg(set).to_dict()
    rows = []
    everywhere: dict[int, set[str]] = {k: set() for k in CUTOFFS}
    for user, wanted in hidden.groupby("user_id")["item_id"].agg(set).items():
        listed = [item for item in order if item not in own[user]]
        row: dict[str, float] = {}
        for k in CUTOFFS:
            top = listed[:k]
            everywhere[k] |= set(top)
            places = [i + 1 for i, item in enumerate(top) if item in wanted]
            ideal = sum(1 / np.log2(r + 1) for r in range(1, min(k, len(wanted)) + 1))
            precision, recall = len(places) / k, len(places) / len(wanted)
            surprise = [-np.log2((listeners[item] + 1) / (shown["user_id"].nunique() + 1)) for item in top]
            row |= {
                f"hr_{k}": float(bool(places)),
                f"precision_{k}": precision,
                f"recall_{k}": recall,
                f"f1_{k}": 2 * precision * recall / (precision + recall) if places else 0.0,
                f"ndcg_{k}": sum(1 / np.log2(r + 1) for r in places) / ideal,
                f"mrr_{k}": 1 / places[0] if places else 0.0,
                f"map_{k}": sum((i + 1) / r for i, r in enumerate(places)) / min(k, len(wanted)),
                f"novelty_{k}": np.mean(surprise),
                f"popularity_lift_{k}": listeners[top].mean() / listeners[list(own[user])].mean() - 1,
                f"serendipity_{k}": 0.0,
            }
        rows.append(row)
    means = {str(key): value for key, value in pd.DataFrame(rows).mean().items()}
    return means | {f"coverage_{k}": len(everywhere[k]) / len(catalogue) for k in CUTOFFS}


@pytest.mark.parametrize("phase", ["select", "final"])
def test_popularity_against_an_independent_computation(toy, phase):
    overall = evaluate(scorer_of(toy, phase=phase)).metrics
    expected = by_pandas(toy, phase)
    assert {key: overall[key] for key in expected} == pytest.approx(expected, rel=1e-12)
    assert 0 < overall["ndcg_10"] < 1  # the toy can tell right from wrong


@pytest.mark.parametrize(("phase", "part"), [("select", "valid"), ("final", "test")])
def test_targets_are_the_hidden_part_of_the_phase_alone(toy, phase, part):
    evaluation = evaluate(scorer_of(toy, phase=phase))
    wanted = getattr(load_split(toy, "listen"), part)
    pairs = ["user_id", "item_id"]
    found = evaluation.targets[pairs].astype(str)
    assert set(found.itertuples(index=False, name=None)) == set(wanted[pairs].astype(str).itertuples(False, None))
    assert len(found) == len(wanted) == evaluation.metrics["n_targets"]
    assert evaluation.metrics["n_users"] == wanted["user_id"].nunique() == len(evaluation.per_user)


def test_lists_hold_nothing_that_is_visible_and_rank_all_that_is_left(toy):
    evaluator = scorer_of(toy)
    recommendations = evaluate(evaluator).recommendations
    split = load_split(toy, "listen")
    shown = pd.concat([split.train, split.valid])[["user_id", "item_id"]].astype(str)
    listed = recommendations[["user_id", "item_id"]].astype(str)
    assert listed.merge(shown).empty
    assert not listed.duplicated().any()
    lengths = recommendations.groupby("user_id", observed=True).size()
    own = shown.groupby("user_id").size()
    assert lengths.to_dict() == {user: min(100, N_ITEMS - own[user]) for user in lengths.index}
    assert (recommendations["rank"] == recommendations.groupby("user_id", observed=True).cumcount() + 1).all()


def test_lists_and_target_ranks_agree(toy):
    """A hidden item of rank r <= 100 stands at place r of the list, with the same score."""
    evaluation = evaluate(scorer_of(toy), Random)
    keys = ["user_id", "item_id"]
    left = evaluation.targets.astype(dict.fromkeys(keys, str))
    joined = left.merge(evaluation.recommendations.astype(dict.fromkeys(keys, str)), on=keys, suffixes=("", "_listed"))
    assert len(joined) == (evaluation.targets["rank"] <= 100).sum()
    assert (joined["rank"] == joined["rank_listed"]).all()
    assert (joined["score"] == joined["score_listed"]).all()


def test_overall_is_the_mean_of_per_user(toy):
    evaluation = evaluate(scorer_of(toy), Random)
    means = evaluation.per_user.drop(columns="user_id").mean()
    assert {key: evaluation.metrics[key] for key in means.index} == pytest.approx(means.to_dict(), rel=1e-12)


def test_per_user_is_sorted_and_complete(toy):
    per_user = evaluate(scorer_of(toy)).per_user
    assert per_user["user_id"].tolist() == [f"u{u:02d}" for u in range(N_USERS)]
    assert not per_user.filter(regex="^(hr|ndcg|recall|novelty)_[0-9]+$").isna().any(axis=None)


@pytest.mark.parametrize("protocol", ["listen", "newcomer"])
def test_metrics_can_be_computed_again_from_the_files(newcomers, tmp_path, protocol):
    evaluator = scorer_of(newcomers, protocol)
    evaluation = evaluate(evaluator, Random)
    for name in ("recommendations", "targets"):
        write_parquet(tmp_path / f"{name}.parquet", getattr(evaluation, name))
    tables = [read_parquet(tmp_path / f"{name}.parquet") for name in ("recommendations", "targets")]
    per_user, overall = evaluator.metric_suite.measure(*tables)
    assert overall == evaluation.metrics
    pd.testing.assert_frame_equal(per_user, evaluation.per_user)


@pytest.mark.parametrize("protocol", ["listen", "newcomer"])
def test_the_order_of_rows_in_the_files_does_not_matter(newcomers, protocol):
    evaluator = scorer_of(newcomers, protocol)
    evaluation = evaluate(evaluator, Random)
    tables = (evaluation.recommendations, evaluation.targets)
    _, overall = evaluator.metric_suite.measure(*(table.sample(frac=1, random_state=1) for table in tables))
    assert overall == pytest.approx(evaluation.metrics, rel=1e-12)


def test_keys(toy):
    overall = evaluate(scorer_of(toy)).metrics
    assert all(re.fullmatch("[a-z0-9_]+", key) for key in overall)
    assert all(isinstance(value, int | float) and np.isfinite(value) for value in overall.values())
    accuracy = ("hr", "precision", "recall", "f1", "ndcg", "mrr", "map")
    beyond = ("novelty", "popularity_lift", "serendipity", "coverage", "gini")
    content = (
        "ils_genre",
        "ils_genre_share",
        "ils_tag",
        "ils_tag_share",
        "genre_diversity",
        "artist_diversity",
        "ils_artist",
    )
    sampled = {f"{name}_{k}_sampled99" for name in ("hr", "ndcg", "mrr") for k in CUTOFFS}
    assert {f"{name}_{k}" for name in (*accuracy, *beyond, *content) for k in CUTOFFS} | sampled <= set(overall)
    assert not any("audio" in key for key in overall)  # the toy has no audio


def test_a_data_set_may_ask_for_deeper_cutoffs(toy, tmp_path):
    """Yambda's authors report NDCG, Recall and Coverage at 50 and 100, too; no other data set gets a key more."""
    plain = evaluate(scorer_of(toy))
    data = write_dataset("yambda-50m", tmp_path, toy_tables(), "by hand")
    deep = evaluate(scorer_of(data))
    assert deep.metrics.keys() - plain.metrics.keys() == {
        *("ndcg_50", "ndcg_100", "recall_50", "coverage_50", "coverage_100"),
    }
    assert {key: deep.metrics[key] for key in plain.metrics} == plain.metrics
    ranks = deep.targets.groupby("user_id", observed=True)["rank"].agg(list)
    for k in (50, 100):
        found = [[rank for rank in of_user if rank <= k] for of_user in ranks]
        gains = [sum(1 / np.log2(rank + 1) for rank in of_user) for of_user in found]
        ideal = [sum(1 / np.log2(place + 2) for place in range(min(k, len(of_user)))) for of_user in ranks]
        assert deep.metrics[f"ndcg_{k}"] == pytest.approx(np.mean(np.divide(gains, ideal)))
        shares = [len(of) / len(all_of) for of, all_of in zip(found, ranks, strict=True)]
        assert deep.metrics[f"recall_{k}"] == pytest.approx(np.mean(shares))
        shown = deep.recommendations.loc[deep.recommendations["rank"] <= k, "item_id"]
        assert deep.metrics[f"coverage_{k}"] == shown.nunique() / N_ITEMS


def test_bounds(toy):
    per_user = evaluate(scorer_of(toy), Random).per_user
    bounded = per_user.filter(regex="^(hr|precision|recall|f1|ndcg|mrr|map|serendipity|.*_share)_")
    assert (bounded.to_numpy() >= 0).all()
    assert (bounded.to_numpy() <= 1 + 1e-12).all()
    for k in CUTOFFS:
        assert (per_user[f"serendipity_{k}"] <= per_user[f"precision_{k}"]).all()
        assert (per_user[f"genre_diversity_{k}"] <= 3).all()


# Sampled, seen and unseen


def test_sampled_figures_from_the_negatives_table(toy):
    """Popularity's rank of every hidden item among its own 99 negatives, counted from the split's table."""
    evaluator = scorer_of(toy)
    evaluation = evaluate(evaluator)
    listeners = dict(zip(evaluator.train.items["item_id"], np.maximum(evaluator.train.counts, 1), strict=True))
    place = dict(zip(evaluator.train.items["item_id"], evaluator.places, strict=True))
    negatives = load_split(toy, "listen").negatives99.astype(str)
    of_pair = negatives.groupby(["user_id", "item_id"])["negative_id"].agg(list).to_dict()
    values: dict[str, list] = {}
    columns = (evaluation.targets[name].tolist() for name in ("user_id", "item_id", "rank_sampled99"))
    for user, wanted, ours in zip(*columns, strict=True):
        drawn = of_pair[user, wanted]
        rank = 1 + sum((-listeners[item], place[item]) < (-listeners[wanted], place[wanted]) for item in drawn)
        assert rank == ours
        values.setdefault(user, []).append(rank)
    for k in CUTOFFS:
        hit = np.mean([np.mean([rank <= k for rank in ranks]) for ranks in values.values()])
        gain = np.mean([np.mean([(r <= k) / np.log2(r + 1) for r in ranks]) for ranks in values.values()])
        first = np.mean([np.mean([(r <= k) / r for r in ranks]) for ranks in values.values()])
        assert evaluation.metrics[f"hr_{k}_sampled99"] == pytest.approx(hit)
        assert evaluation.metrics[f"ndcg_{k}_sampled99"] == pytest.approx(gain)
        assert evaluation.metrics[f"mrr_{k}_sampled99"] == pytest.approx(first)


def test_hidden_pairs_of_seen_and_unseen_items_of_segments(newcomers):
    evaluation = evaluate(scorer_of(newcomers), Random)
    targets, overall = evaluation.targets, evaluation.metrics
    unseen = targets["listeners"] == 0
    assert overall["n_targets_unseen"] == unseen.sum() > 0
    for name, chosen in (("seen", ~unseen), ("unseen", unseen)):
        for k in CUTOFFS:
            assert overall[f"hr_{k}_{name}"] == (targets["rank"][chosen] <= k).mean()
            assert overall[f"hr_{k}_sampled99_{name}"] == (targets["rank_sampled99"][chosen] <= k).mean()


def test_unseen_items_with_and_without_content_of_segments():
    """Four hidden pairs: one item that somebody has, one unseen with a tag, two unseen without; found where written."""
    targets = pd.DataFrame({"listeners": [3, 0, 0, 0], "rank": [1, 6, 5, 99], "rank_sampled99": [1, 5, 9, 30]})
    found = found_by_visibility(targets, described=np.array([False, True, False, False]))
    assert (found["n_targets_unseen"], found["n_targets_unseen_content"]) == (3, 1)
    assert (found["hr_5_seen"], found["hr_5_unseen_content"], found["hr_5_unseen_bare"]) == (1, 0, 1 / 2)
    assert (found["hr_5_sampled99_unseen_content"], found["hr_5_sampled99_unseen_bare"]) == (1, 0)
    assert found["hr_10_sampled99_unseen_bare"] == 1 / 2


def test_what_counts_as_content_is_a_visible_tag_genre_or_sound(newcomers):
    evaluator = scorer_of(newcomers)
    tables = [evaluator.train.item_tags["item"]] if evaluator.train.item_tags is not None else []
    wanted = np.isin(np.arange(evaluator.train.n_items), np.concatenate([*tables, [-1]]))
    for column in {"genres", "danceability"} & set(evaluator.train.items):
        wanted |= evaluator.train.items[column].notna().to_numpy()
    np.testing.assert_array_equal(evaluator.metric_suite.described, wanted)


def test_recall_of_the_list_that_a_first_stage_hands_on(newcomers):
    evaluation = evaluate(scorer_of(newcomers), Random)
    found = evaluation.targets["rank"] <= 100
    wanted = found.groupby(evaluation.targets["user_id"].astype(str)).mean().mean()
    assert evaluation.metrics["recall_100"] == pytest.approx(wanted)
    assert evaluation.metrics["recall_20"] < wanted < 1


def test_popularity_finds_unseen_items_no_better_than_other_singles(newcomers):
    """Counts 0 and 1 share one score, so that what is hidden is not given away by its missing count."""
    targets = evaluate(scorer_of(newcomers)).targets
    assert set(targets[targets["listeners"] <= 1]["score"]) == {1.0}


# Chance


def test_random_recommender_stays_within_what_chance_allows(tmp_path):
    """1,000 users, one hidden item each, 200 items, 4 known: a hit in 10 has probability 10 / 196."""
    rng = np.random.default_rng(3)
    own = np.array([rng.choice(200, 5, replace=False) for _ in range(1000)])
    interactions = pd.DataFrame(
        {
            "user_id": np.repeat([f"u{u:04d}" for u in range(1000)], 5),
            "item_id": [f"i{i:03d}" for i in own.ravel()],
            "weight": 1.0,
        }
    )
    items = pd.DataFrame({"item_id": [f"i{i:03d}" for i in range(200)]})
    users = interactions[["user_id"]].drop_duplicates()
    data = write_dataset("chance", tmp_path, Tables(interactions, items.assign(name=items["item_id"]), users), "")
    draws = [evaluate(scorer_of(data), Random, seed).metrics for seed in range(5)]
    trials = 5 * 1000
    for k in CUTOFFS:
        chance = k / 196
        for key, p in ((f"hr_{k}", chance), (f"recall_{k}", chance), (f"hr_{k}_sampled99", k / 100)):
            mean = np.mean([overall[key] for overall in draws])
            assert abs(mean - p) < 4 * np.sqrt(p * (1 - p) / trials), key


# Newcomers and people unseen


def test_newcomers_are_reported_for_each_rung(newcomers):
    evaluation = evaluate(scorer_of(newcomers, "newcomer"))
    per_user, overall = evaluation.per_user, evaluation.metrics
    assert sorted(per_user["given"].unique()) == list(N_GIVEN)
    assert {key for key in overall if "_given" in key} == {f"{name}_given{r}" for name in SEGMENTED for r in N_GIVEN}
    for rung in N_GIVEN:
        rows = per_user[per_user["given"] == rung]
        assert overall[f"ndcg_10_given{rung}"] == pytest.approx(rows["ndcg_10"].mean())
    assert overall["n_users"] == per_user["user_id"].nunique() == 12
    assert all(re.fullmatch("[a-z0-9_]+", key) and np.isfinite(value) for key, value in overall.items())


@pytest.mark.parametrize("protocol", ["listen", "newcomer"])
def test_each_row_of_per_user_is_that_users_own(newcomers, protocol):
    """Recall and novelty of every row, worked out from the rows of the two tables that carry its user and rung."""
    evaluator = scorer_of(newcomers, protocol)
    evaluation = evaluate(evaluator, Random)
    keys = ["user_id", "given"] if protocol == "newcomer" else ["user_id"]
    rows = evaluation.per_user.set_index(keys)
    train = evaluator.train
    surprise = dict(zip(train.items["item_id"], -np.log2((train.counts + 1) / (train.n_users + 1)), strict=True))
    listed = evaluation.recommendations.astype({"user_id": str, "item_id": str})
    listed = listed.assign(surprise=listed["item_id"].map(surprise))
    targets = evaluation.targets.astype({"user_id": str})
    novelty = listed[listed["rank"] <= 10].groupby(keys)["surprise"].mean()
    recall = targets.assign(found=targets["rank"] <= 10).groupby(keys)["found"].mean()
    assert len(rows) == len(novelty) == len(recall)
    assert rows["recall_10"].to_dict() == pytest.approx(recall.to_dict())
    assert rows["novelty_10"].to_dict() == pytest.approx(novelty.to_dict())


def test_a_newcomer_is_not_recommended_what_was_given(newcomers):
    evaluation = evaluate(scorer_of(newcomers, "newcomer"))
    given = load_split(newcomers, "newcomer").given
    assert given is not None
    listed = evaluation.recommendations.rename(columns={"given": "rung"})
    keys = ["user_id", "item_id"]
    both = listed.astype(dict.fromkeys(keys, str)).merge(given.astype(dict.fromkeys(keys, str)), on=keys)
    assert (both["position"] >= both["rung"]).all()
    assert not both.empty  # what is not given yet may be listed


def test_people_without_visible_history_are_reported_of_segments(newcomers):
    evaluator = scorer_of(newcomers, "temporal")
    overall = evaluate(evaluator).metrics
    unseen = evaluator.holdout.codes < 0
    assert overall.get("n_unseen_users", 0) == unseen.sum()
    assert ("ndcg_10_unseen_users" in overall) == unseen.any()


# What measures hold ready


def test_popular_lists_are_those_of_the_popularity_model():
    rng = np.random.default_rng(4)
    counts, places = rng.poisson(1.0, 90), rng.permutation(90)
    histories = Histories.from_lists([rng.permutation(90)[:n].tolist() for n in (0, 1, 30, 85, 90)], 90)
    expected, _ = top_items(np.tile(np.maximum(counts, 1), (5, 1)), histories, places, 20)
    np.testing.assert_array_equal(popular_lists(np.maximum(counts, 1), histories, places, 20), expected)


def test_means_of_rows_by_hand():
    np.testing.assert_allclose(mean_by_row(np.array([0, 0, 2]), np.array([5, 2, 0]), 3), [7 / 2, np.nan, 0])


def test_held_out_items_that_are_ranked_one_by_one():
    found = one_by_one(np.array([0, 0, 2]), np.array([1, 3, 7]), 3, (2, 5))
    np.testing.assert_allclose(found["hr_2"], [1 / 2, np.nan, 0])
    np.testing.assert_allclose(found["mrr_5"], [(1 + 1 / 3) / 2, np.nan, 0])
    np.testing.assert_allclose(found["ndcg_5"], [(1 + 1 / 2) / 2, np.nan, 0])
    assert len(found) == 6
