"""Nothing hidden reaches a model: hidden pairs are permuted or planted, and what is visible must not move."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.data.dataset import Dataset, write_dataset
from common.data.ids import PAIR
from common.data.tables import Tables
from common.evaluation.ranking import Ranking, rank
from common.features.content_vectors import SPACES, distinct_values, item_vectors
from common.models.base import Recommender
from common.models.knn.item_knn import ItemKNN
from common.models.registry import MODELS
from common.models.top_items import tie_places
from common.splits.holdout import Holdout, make_holdout
from common.splits.protocols import PROTOCOLS, draw_split
from common.splits.split import Split
from common.splits.train_view import TrainView, held_out_pairs, make_train_view
from tests.data.worlds import rich
from tests.models.contract_tests import make

PHASES = ("select", "final")
ALIKE = ("random-8020", "random-811", "listen-stratified", "next-shuffled")
"""Protocols that hide the same sort of pairs as `listen` or `next` do; `make test-all` tries them, too."""
LEARNED = ("listen", "next")
"""Protocols under which every model is fitted twice in `make test`: histories without an order and with one. That the
view, which is all that a model is given, is the same is tried for each; `make test-all` fits under each, too."""
HIDDEN_PARTS = ("valid", "test", "given")


def pairs_of(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """The (user_id, item_id) pairs of some rows."""
    return list(zip(rows["user_id"].astype(str), rows["item_id"].astype(str), strict=True))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return rich(tmp_path_factory.mktemp("world"))


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.thorough] * (name in ALIKE)) for name in PROTOCOLS])
def protocol(request) -> str:
    return request.param


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.thorough] * (name not in LEARNED)) for name in PROTOCOLS])
def protocol_of_fits(request) -> str:
    return request.param


@pytest.fixture(params=PHASES)
def phase(request) -> str:
    return request.param


def changed(data: Dataset, folder: Path, **tables: pd.DataFrame) -> Dataset:
    """The same data set but for some tables."""
    whole: Any = data.tables.frames() | tables
    return write_dataset(data.name, folder, Tables(**whole), "made by a test")


def tags_of(data: Dataset) -> pd.DataFrame:
    """The tag assignments."""
    assert data.tables.user_item_tags is not None
    return data.tables.user_item_tags


def permute_hidden(
    data: Dataset, split: Split, phase: str, folder: Path, parts: tuple[str, ...] = HIDDEN_PARTS
) -> tuple[Dataset, Split]:
    """Hidden items change hands, in every table and in the split; everybody keeps their number of hidden items.

    Within a part two hidden rows swap users, over and over, where nobody gets an item that is theirs already.
    """
    rng = np.random.default_rng(0)
    secret = set(held_out_pairs(split, phase).itertuples(index=False, name=None))
    listened = data.tables.interactions[PAIR]
    taken = set(pairs_of(listened)) | set(pairs_of(tags_of(data)))
    new_user: dict[tuple[str, str], str] = {}
    for part in parts:
        table = split.parts().get(part, listened[:0])
        rows = [row for row in table[PAIR].itertuples(index=False, name=None) if row in secret]
        users = [user for user, _ in rows]
        for a, b in rng.integers(0, max(1, len(rows)), (60 * len(rows), 2)):
            first, second = (users[b], rows[a][1]), (users[a], rows[b][1])
            if first not in taken and second not in taken:
                taken -= {(users[a], rows[a][1]), (users[b], rows[b][1])}
                taken |= {first, second}
                users[a], users[b] = users[b], users[a]
        new_user |= dict(zip(rows, users, strict=True))
    assert np.mean([user != pair[0] for pair, user in new_user.items()]) > 0.4, "hardly anything was permuted"

    def moved(frame: pd.DataFrame) -> pd.DataFrame:
        pairs = frame[PAIR].itertuples(index=False, name=None)
        return frame.assign(user_id=[new_user.get(pair, pair[0]) for pair in pairs])

    tables = {name: moved(getattr(data.tables, name)) for name in ("interactions", "user_item_tags")}
    fresh: Any = {name: moved(part) for name, part in split.parts().items() if name in parts}
    return changed(data, folder, **tables), dataclasses.replace(split, **fresh)


def plant(data: Dataset, split: Split, phase: str, folder: Path) -> tuple[Dataset, Split]:
    """New hidden pairs: in the interactions, tagged with known and unknown tags, early and late, and in the test part.

    The people are those with hidden pairs; one item is the most popular, one has no visible listener if there is one.
    """
    train = make_train_view(data, split, "any", phase)
    people = split.test["user_id"].unique()[:4]
    by_count = train.items["item_id"].to_numpy(object)[np.argsort(train.counts, kind="stable")]
    taken = set(pairs_of(data.tables.interactions)) | set(pairs_of(tags_of(data)))
    new = []
    for person in people:
        free = [item for item in by_count if (person, item) not in taken]
        new += [(person, free[0]), (person, free[-1]), (person, free[len(free) // 2])]
    rows = pd.DataFrame(new, columns=PAIR).assign(weight=5000.0, timestamp=10**9)
    tags = [rows[PAIR].assign(tag=tag, timestamp=t) for tag in ("tag 1", "a new tag") for t in (-5, 10**9)]
    interactions = in_front(data.tables.interactions, rows)
    assignments = in_front(tags_of(data), *tags)
    planted = dataclasses.replace(split, test=in_front(split.test, rows))
    return changed(data, folder, interactions=interactions, user_item_tags=assignments), planted


def in_front(table: pd.DataFrame, *rows: pd.DataFrame) -> pd.DataFrame:
    """A table with rows put before its own, its columns as they were."""
    return pd.concat([*rows, table], ignore_index=True)[list(table.columns)]


def assert_same(left: TrainView, right: TrainView) -> None:
    """Everything that a model can get from the visible data is the same, bit for bit."""
    for field in dataclasses.fields(TrainView):
        a, b = getattr(left, field.name), getattr(right, field.name)
        if isinstance(a, pd.DataFrame):
            pd.testing.assert_frame_equal(a, b, check_exact=True, obj=field.name)
        else:
            assert a == b, field.name
    np.testing.assert_array_equal(left.counts, right.counts)
    for name in ("indptr", "items", "weights", "timestamps"):
        np.testing.assert_array_equal(getattr(left.histories, name), getattr(right.histories, name))
    assert left.catalogue_sha256 == right.catalogue_sha256
    features = [[item_vectors(train, space) for space in SPACES] for train in (left, right)]
    features = [
        [*of, *(distinct_values(train, c) for c in ("genres", "artist"))]
        for of, train in zip(features, (left, right), strict=True)
    ]
    for one, other in zip(*features, strict=True):
        assert one is not None
        assert one.shape == other.shape
        for name in ("indptr", "indices", "data"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def assert_same_scores(name: str, left: TrainView, right: TrainView) -> tuple[Any, Any]:
    """A model fitted on either knows the same and scores everybody the same, bit for bit; returns both."""
    one, other = (make(MODELS[name]).fit(train) for train in (left, right))
    np.testing.assert_array_equal(one.score(np.arange(left.n_users)), other.score(np.arange(right.n_users)), name)
    np.testing.assert_array_equal(one.fold_in([[0, 1, 2], []]), other.fold_in([[0, 1, 2], []]), name)
    return one, other


def lists_of(model: Recommender, asked: Holdout, train: TrainView) -> Ranking:
    """Everybody's list, from what is known of them."""
    return rank(lambda rows: model.fold_in(asked.known.take(rows)), asked, tie_places(train.items["item_id"]))


def test_permuted_hidden_pairs_change_nothing_visible(world, protocol, phase, tmp_path):
    split = draw_split(world, protocol)
    data, permuted = permute_hidden(world, split, phase, tmp_path)
    assert_same(make_train_view(world, split, protocol, phase), make_train_view(data, permuted, protocol, phase))


def test_permuted_hidden_pairs_change_no_score_and_no_list(world, protocol_of_fits, tmp_path):
    split = draw_split(world, protocol_of_fits)
    parts = ("valid", "test") if split.fits_valid else ("test",)  # what is masked besides would change the lists
    data, permuted = permute_hidden(world, split, "final", tmp_path, parts=parts)
    before, after = (
        make_train_view(world, split, protocol_of_fits, "final"),
        make_train_view(data, permuted, protocol_of_fits, "final"),
    )
    for name in MODELS:
        models = assert_same_scores(name, before, after)
        one, other = (
            lists_of(model, make_holdout(drawn, train), train)
            for model, train, drawn in zip(models, (before, after), (split, permuted), strict=True)
        )
        np.testing.assert_array_equal(one.items, other.items, name)
        np.testing.assert_array_equal(one.scores, other.scores, name)
        assert not np.array_equal(one.target_ranks, other.target_ranks), "the targets themselves did move"


def test_a_planted_hidden_pair_moves_no_table_and_no_feature(world, protocol, phase, tmp_path):
    split = draw_split(world, protocol)
    data, planted = plant(world, split, phase, tmp_path)
    assert_same(make_train_view(world, split, protocol, phase), make_train_view(data, planted, protocol, phase))


def test_a_planted_hidden_pair_moves_no_score(world, protocol_of_fits, tmp_path):
    split = draw_split(world, protocol_of_fits)
    data, planted = plant(world, split, "select", tmp_path)
    train = [
        make_train_view(world, split, protocol_of_fits, "select"),
        make_train_view(data, planted, protocol_of_fits, "select"),
    ]
    for name in MODELS:
        assert_same_scores(name, *train)


# The tests above can fail: each of these leaks must be found.


def nothing_hidden(data: Dataset, split: Split, protocol: str) -> TrainView:
    """What a leaking `visible` would give."""
    empty: Any = {"valid": split.valid[:0], "test": split.test[:0]}
    open_split = dataclasses.replace(
        split, train=pd.concat([split.train, split.valid, split.test]), given=None, **empty
    )
    return make_train_view(data, open_split, protocol.replace("temporal", "listen"), "select")


@pytest.mark.parametrize("how", [permute_hidden, plant])
def test_an_unhidden_pair_is_found(world, protocol, how, tmp_path):
    split = draw_split(world, protocol)
    data, other = how(world, split, "final", tmp_path)
    with pytest.raises(AssertionError):
        assert_same(nothing_hidden(world, split, protocol), nothing_hidden(data, other, protocol))


@pytest.mark.parametrize(
    ("how", "table"),
    [
        (permute_hidden, "interactions"),
        (permute_hidden, "user_item_tags"),
        (plant, "interactions"),
        (plant, "user_item_tags"),
        (plant, "item_tags"),  # sums over users: a permutation of users cannot show there, a planted pair does
    ],
)
def test_a_leak_through_one_table_alone_is_found(world, how, table, tmp_path):
    split = draw_split(world, "listen")
    data, other = how(world, split, "final", tmp_path)
    leaking = []
    for source, drawn in ((world, split), (data, other)):
        whole = nothing_hidden(source, drawn, "listen")
        leaking.append(
            dataclasses.replace(
                make_train_view(source, drawn, "listen", "final"), **{table: getattr(whole, table).copy()}
            )
        )
    with pytest.raises(AssertionError):
        assert_same(*leaking)


def test_a_model_that_peeks_is_found(world, tmp_path, monkeypatch):
    split = draw_split(world, "listen")
    data, other = permute_hidden(world, split, "final", tmp_path)
    train = [make_train_view(source, s, "listen", "final") for source, s in ((world, split), (data, other))]
    peeked = iter([nothing_hidden(world, split, "listen"), nothing_hidden(data, other, "listen")])

    class Peeking(ItemKNN):
        def _fit(self, train: TrainView, *rest: Any) -> None:
            super()._fit(next(peeked), *rest)

    monkeypatch.setattr("common.models.knn.item_knn.ItemKNN", Peeking)
    with pytest.raises(AssertionError):
        assert_same_scores("item_knn", *train)
