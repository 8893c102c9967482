"""A tiny ranking whose ranks under every variant can be told by looking at it."""

import numpy as np
import pandas as pd
import pytest

from common.evaluation.sensitivity.variants import (
    LIBRARIES,
    OWN_RULE,
    TIES,
    VARIANTS,
    Panel,
    Variant,
    id_places,
    tied_ranks,
)
from common.models import ItemKNN, Popularity
from common.splits.negatives import draw_popular
from common.splits.store import load_split
from tests.data.worlds import dataset, pairs

PLACES = {"hash": np.array([4, 0, 3, 1, 2]), "id": np.arange(5)}


def world(folder):
    """Three users of five and six items; nothing but the ids matters."""
    frame = pairs(
        anna="a b c d e f",
        ben="a b c d g",
        cleo="a e f g h i",
    )
    return dataset(folder, frame)


@pytest.fixture(scope="module")
def panel(tmp_path_factory):
    return Panel(world(tmp_path_factory.mktemp("world")), "listen")


@pytest.fixture(scope="module")
def real_panel(small_data):
    return Panel(small_data, "listen")


def ranks_of(others, held_out=None):
    own, items, codes = np.array([0.5]), np.array([2]), np.array([0, 1, 3, 4])
    found = tied_ranks(own, items, np.array([others]), codes, PLACES, held_out)
    return {order: int(rank[0]) for order, rank in found.items()}


def test_ranks_of_a_tiny_list_under_every_order_of_equal_scores():
    # Above: 0.9. Equal: items 1 and 4. By hash both stand before item 2 (places 0, 2 < 3); by id item 1 alone.
    assert ranks_of([0.1, 0.5, 0.9, 0.5]) == {"hash": 4, "id": 3, "favour": 2, "against": 4}


def test_without_equal_scores_all_orders_agree_and_what_is_masked_does_not_count():
    assert set(ranks_of([0.1, 0.6, np.nan, 0.2]).values()) == {2}
    assert set(ranks_of([np.nan] * 4).values()) == {1}


def test_held_out_items_of_one_user_never_share_a_place():
    # Item 1 is held out, too: it stands before item 2 by hash, whether held-out items go first or last.
    hidden = np.array([[False, True, False, False]])
    assert ranks_of([0.5, 0.5, 0.5, 0.5], hidden) == {"hash": 4, "id": 3, "favour": 2, "against": 5}


def test_a_constant_score_is_perfect_in_the_targets_favour_and_nothing_against_it(panel):
    found = panel.constant()
    assert found.tied == 1
    assert (found.ndcg[Variant(ties="favour")] == 1).all()
    n_relevant = np.bincount(panel.evaluator.holdout.target_rows)
    free = panel.evaluator.train.n_items - panel.evaluator.given.lengths
    last = np.array([1 / np.log2(n + 1) for n in free])  # one held-out item each, the last of the list
    assert (n_relevant == 1).all()
    np.testing.assert_allclose(found.ndcg[Variant(ties="against")], last)


def test_encores_own_rule_gives_the_ranks_of_the_scorer(real_panel):
    model = ItemKNN().fit(real_panel.evaluator.train)
    ranking = real_panel.evaluator.rank(model)
    found = real_panel.evaluate(lambda rows: real_panel.evaluator.scores_of(model, rows))
    np.testing.assert_array_equal(found.ranks[0], ranking.target_ranks)
    np.testing.assert_array_equal(found.ranks[1], ranking.target_ranks_sampled)
    overall = real_panel.evaluator.evaluate_ranking(ranking).metrics
    assert found.ndcg[OWN_RULE].mean() == pytest.approx(overall["ndcg_10"])
    assert found.hr[OWN_RULE].mean() == pytest.approx(overall["hr_10"])
    assert found.ndcg[Variant("every", "uniform")].mean() == pytest.approx(overall["ndcg_10_sampled99"])


def test_leaving_one_out_takes_the_other_hidden_items_out_of_the_list(real_panel):
    model = Popularity().fit(real_panel.evaluator.train)
    hidden, places = real_panel.evaluator.holdout, real_panel.evaluator.places
    found = real_panel.evaluate(lambda rows: real_panel.evaluator.scores_of(model, rows))
    row = int(np.argmax(np.bincount(hidden.target_rows)))
    mine = np.flatnonzero(hidden.target_rows == row)
    one = mine[real_panel.chosen[mine]]
    assert len(one) == 1 < len(mine)
    known = set(hidden.given[row]) | set(hidden.target_items[mine]) - set(hidden.target_items[one])
    order = np.lexsort((places, -model.popularity))
    rank = 1 + [item for item in order if item not in known].index(hidden.target_items[one][0])
    expected = 1 / np.log2(rank + 1) if rank <= 10 else 0
    assert found.ndcg[Variant("one")][row] == pytest.approx(expected)


def test_leaving_one_item_out_is_the_same_where_there_is_but_one(panel):
    assert panel.leaves_one_out
    others = {variant for variant in (*VARIANTS, *TIES) if variant.held_out == "every"}
    assert set(panel.constant().ndcg) == others | {Variant("one", library) for library in LIBRARIES}


def test_recbole_ranks_the_history_too_and_rectools_no_item_that_training_lacks(tmp_path):
    panel = Panel(dataset(tmp_path, pairs(anna="a b c d e", ben="a b c d f", cleo="g h i j k")), "listen")
    train, holdout = panel.evaluator.train, panel.evaluator.holdout
    ids = train.items["item_id"].to_numpy(object)
    falling = -np.arange(train.n_items, dtype=np.float32)  # the first id is best, for everybody
    found = panel.evaluate(lambda rows: np.tile(falling, (len(rows), 1)))
    cold = {item for item in ids if train.counts[list(ids).index(item)] == 0}
    assert cold & set(ids[holdout.target_items]), "a held-out item that training lacks"
    for row, (user, target) in enumerate(zip(holdout.users, holdout.target_items, strict=True)):
        before = list(ids[:target])
        history = set(ids[holdout.given[row]])
        ranks = {"all": [i for i in before if i not in history], "recbole": before}
        ranks["rectools"] = [i for i in ranks["all"] if i not in cold]
        for candidates, above in ranks.items():
            variant = Variant("every") if candidates == "all" else Variant("one", candidates)
            value = found.ndcg[variant][row]
            if candidates == "rectools" and ids[target] in cold:
                assert np.isnan(value), user
            else:
                assert value == pytest.approx(1 / np.log2(len(above) + 2)), (user, candidates)


def test_popular_negatives_are_drawn_by_popularity_outside_what_the_user_has_and_the_same_each_time(
    real_panel, small_data
):
    again = Panel(small_data, "listen")
    np.testing.assert_array_equal(real_panel.popular, again.popular)
    np.testing.assert_array_equal(real_panel.chosen, again.chosen)
    hidden, train = real_panel.evaluator.holdout, real_panel.evaluator.train
    parts = load_split(small_data, "listen").parts().values()
    owned = {
        (user, item)
        for part in parts
        for user, item in zip(part["user_id"].astype(str), part["item_id"].astype(str), strict=True)
    }
    ids = train.items["item_id"].to_numpy(object)
    for target, row in enumerate(hidden.target_rows):
        drawn = real_panel.popular[target]
        drawn = drawn[drawn >= 0]
        assert len(set(drawn)) == len(drawn) == 99
        assert not {(hidden.users[row], ids[item]) for item in drawn} & owned
    assert train.counts[real_panel.popular].mean() > 1.1 * train.counts[hidden.negatives].mean()


def test_the_chance_of_a_popular_negative_is_its_share():
    popularity = np.concatenate([[300.0], np.ones(600)])
    drawn = draw_popular(np.arange(400), np.arange(400) * 601 + 600, popularity, np.random.default_rng(0))
    first = drawn[:, 0] == 0
    assert first.mean() == pytest.approx(300 / 899, abs=0.07), "the first draw takes a third of the weight"
    assert not (drawn == 600).any()
    assert (np.sort(drawn, axis=1)[:, 1:] != np.sort(drawn, axis=1)[:, :-1]).all()


def test_ids_go_by_number_where_all_are_numbers():
    assert id_places(pd.Series(["10", "9"])).tolist() == [1, 0]
    assert id_places(pd.Series(["i10", "i9"])).tolist() == [0, 1]


def test_newcomers_have_no_panel(small_data):
    with pytest.raises(ValueError, match="newcomers"):
        Panel(small_data, "newcomer")
