"""What every model has to keep, as a mixin: `class TestMyModel(ContractTests): kind = MyModel`.

The catalogue is a toy in blocks: everybody listens to one block alone, and their friends, tags, genres and audio say
the same, so that the right recommendations are known: the rest of one's own block.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from common.data.dataset import Dataset, write_dataset
from common.data.tables import AUDIO_FEATURES, Tables
from common.models.base import Recommender
from common.models.neural.base import WEIGHTS
from common.models.top_items import tie_places, top_items
from common.splits.histories import Histories
from common.splits.split import Split
from common.splits.train_view import TrainView, make_train_view
from common.training.context import FitContext
from common.utils.errors import UserError
from common.utils.settings import search_ranges

BLOCKS, BLOCK, USERS_OF_BLOCK, HEARD = 4, 12, 10, 9
N_ITEMS, N_USERS = BLOCKS * BLOCK, BLOCKS * USERS_OF_BLOCK
UNHEARD = BLOCK - HEARD
QUICK: dict[str, dict[str, Any]] = {}
"""Settings by model name that make a slow model quick on toy data; all others run with their defaults."""


def make(kind: type[Recommender], seed: int = 0, **changed: Any) -> Any:
    """A model with settings for toy data."""
    return kind(kind.Settings(**QUICK.get(kind.name, {}) | changed), seed=seed)


def block_world(folder: Path, seed: int = 0) -> Dataset:
    """The toy data set; `seed` draws who heard what of their block, and in which order."""
    rng = np.random.default_rng(seed)
    items = pd.DataFrame({"item_id": [f"i{item:02}" for item in range(N_ITEMS)]})
    block = np.arange(N_ITEMS) // BLOCK
    items["name"] = "Song " + items["item_id"].astype(str)
    items["artist"] = [f"artist {item // 3}" for item in range(N_ITEMS)]
    items["genres"] = [f"genre {b}" for b in block]
    for feature in AUDIO_FEATURES:
        items[feature] = rng.random(BLOCKS)[block] + 0.01 * rng.random(N_ITEMS)
    users = [f"u{user:02}" for user in range(N_USERS)]
    rows = [
        (user, f"i{item:02}", float(rng.integers(1, 20)), 86_400 * time)
        for code, user in enumerate(users)
        for time, item in enumerate(rng.permutation(BLOCK)[:HEARD] + BLOCK * (code % BLOCKS))
    ]
    interactions = pd.DataFrame(rows, columns=["user_id", "item_id", "weight", "timestamp"])
    by_block = [f"block {int(item[1:]) // BLOCK}" for item in interactions["item_id"]]
    by_artist = [f"artist {int(item[1:]) // 3}" for item in interactions["item_id"]]
    columns = ["user_id", "item_id", "tag", "timestamp"]
    tags = pd.concat([interactions.assign(tag=by_block), interactions.assign(tag=by_artist).iloc[::3]])[columns]
    other = [users[(code + BLOCKS) % N_USERS] for code in range(N_USERS)]
    social = pd.DataFrame({"user_id": users + other, "friend_id": other + users})
    people = pd.DataFrame({"user_id": users})
    return write_dataset("blocks", folder, Tables(interactions, items, people, social, None, tags), "made by a test")


def block_visible(folder: Path, seed: int = 0) -> TrainView:
    """All of the toy data, nothing hidden."""
    data = block_world(folder, seed)
    rows = data.tables.interactions
    negatives = pd.DataFrame(columns=["user_id", "item_id", "negative_id"], dtype="str")
    split = Split(train=rows, valid=rows[:0], test=rows[:0], negatives99=negatives)
    return make_train_view(data, split, "listen", "select")


class ContractTests:
    """Tests that a model's own test class inherits."""

    kind: ClassVar[type[Recommender]]
    settings: ClassVar[dict[str, Any]] = {}
    """Settings for toy data, beside those in QUICK."""
    other_settings: ClassVar[dict[str, Any]] = {}
    """Settings each of which must change the scores; empty for models that have none."""
    personalised: ClassVar[bool] = True
    """Whether the lists claim to know the user."""
    similarity: ClassVar[bool] = True
    """Whether `similar` claims to know the items."""
    folds_as_it_scores: ClassVar[bool] = False
    """Whether the history of a known user, folded in, gives the very scores of that user."""

    everybody = np.arange(N_USERS)

    @pytest.fixture(scope="class")
    @classmethod
    def train(cls, tmp_path_factory) -> TrainView:
        return block_visible(tmp_path_factory.mktemp("blocks"))

    @pytest.fixture(scope="class")
    @classmethod
    def other_seen(cls, tmp_path_factory) -> TrainView:
        return block_visible(tmp_path_factory.mktemp("blocks"), seed=1)

    @pytest.fixture(scope="class")
    @classmethod
    def reports(cls) -> list[tuple[dict[str, float], int]]:
        """What `fitted` has reported of its epochs."""
        return []

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls, train, reports) -> Any:
        report = FitContext(report=lambda values, epoch: reports.append((values, epoch)))
        return cls.make().fit(train, context=report)

    @classmethod
    def make(cls, seed: int = 0, **changed: Any) -> Any:
        return make(cls.kind, seed, **cls.settings | changed)

    def lists(self, scores: np.ndarray, histories: Histories, depth: int = 100) -> np.ndarray:
        return top_items(scores, histories, np.arange(N_ITEMS), depth)[0]

    def same(self, one: Any, other: Any) -> None:
        """Both models score known and unknown people and items the same, bit for bit."""
        np.testing.assert_array_equal(one.score(self.everybody), other.score(self.everybody))
        histories = [[3, 1], [], [40, 41, 42, 45]]
        np.testing.assert_array_equal(one.fold_in(histories), other.fold_in(histories))
        for left, right in zip(one.similar(5, 9), other.similar(5, 9), strict=True):
            np.testing.assert_array_equal(left, right)

    def inference_only_is_the_same(self, model: Any, folder: Path) -> None:
        """A model loaded for inference only gives the same but for rounding."""
        model.save(folder)
        quick = self.kind.load(folder, inference_only=True)
        for ask in (lambda m: m.score(self.everybody), lambda m: m.fold_in([[3, 1], [], [40, 41, 42, 45]])):
            np.testing.assert_allclose(ask(quick), ask(model), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(quick.similar(5, 9)[1], model.similar(5, 9)[1], rtol=1e-4, atol=1e-5)

    def test_scores_are_finite_float32_of_the_right_shape(self, fitted):
        for users in (self.everybody, np.array([7, 3, 3]), np.array([], np.int64)):
            scores = fitted.score(users)
            assert scores.dtype == np.float32
            assert scores.shape == (len(users), N_ITEMS)
            assert np.isfinite(scores).all()

    def test_a_users_scores_do_not_depend_on_the_company(self, fitted):
        together = fitted.score(self.everybody)
        for user in (0, 17, 39):
            np.testing.assert_allclose(fitted.score(np.array([user]))[0], together[user], rtol=1e-5, atol=1e-6)

    def test_the_rest_of_the_own_block_comes_first(self, fitted, train):
        if not self.personalised:
            pytest.skip("claims to know nobody")
        top = self.lists(fitted.score(self.everybody), train.histories)[:, :UNHEARD]
        assert (top // BLOCK == (self.everybody % BLOCKS)[:, None]).all()

    def test_people_never_seen_get_the_rest_of_their_block(self, fitted):
        if not self.personalised:
            pytest.skip("claims to know nobody")
        histories = Histories.from_lists([[BLOCK * b + k for k in (5, 0, 3, 8, 2, 7)] for b in range(BLOCKS)], N_ITEMS)
        top = self.lists(fitted.fold_in(histories), histories)[:, : BLOCK - 6]
        assert (top // BLOCK == np.arange(BLOCKS)[:, None]).all()

    def test_masked_items_are_never_returned_and_more_can_be_asked_for_than_there_is(self, fitted, train):
        lists = self.lists(fitted.score(self.everybody), train.histories, depth=3 * N_ITEMS)
        assert lists.shape == (N_USERS, 3 * N_ITEMS)
        for user, items in enumerate(lists):
            returned = items[items >= 0]
            assert sorted([*returned, *train.histories[user]]) == list(range(N_ITEMS)), "each item once, or masked"
            assert (items[len(returned) :] == -1).all()

    def test_a_second_fit_forgets_the_first_and_equals_one_of_a_new_model(self, fitted, train, other_seen):
        model = self.make()
        assert model.fit(other_seen) is model
        assert model.fit(train) is model
        self.same(model, fitted)

    def test_fit_changes_nothing_it_was_given(self, fitted, train, tmp_path):
        assert fitted.train_view is train
        fresh = block_visible(tmp_path)
        for field in dataclasses.fields(TrainView):
            before, after = getattr(fresh, field.name), getattr(train, field.name)
            if isinstance(before, pd.DataFrame):
                pd.testing.assert_frame_equal(before, after)
        np.testing.assert_array_equal(fresh.histories.weights, train.histories.weights)

    def test_scoring_changes_nothing(self, fitted, train, tmp_path):
        fitted.save(tmp_path)
        histories = train.histories.take(self.everybody)
        weights = histories.weights.copy()
        fitted.score(self.everybody)[:] = -1
        fitted.fold_in(histories)[:] = -1
        np.testing.assert_array_equal(weights, histories.weights)
        self.same(fitted, self.kind.load(tmp_path, train))

    def test_the_very_history_of_a_known_user_gives_their_scores(self, fitted, train):
        if not self.folds_as_it_scores:
            pytest.skip("has something of its own for known users")
        np.testing.assert_array_equal(fitted.fold_in(train.histories), fitted.score(self.everybody))

    def test_fold_in_takes_lists_and_histories_and_empty_ones(self, fitted):
        lists = [[3, 1], [], [40, 41, 42, 45]]
        scores = fitted.fold_in(lists)
        assert scores.dtype == np.float32
        assert scores.shape == (3, N_ITEMS)
        assert np.isfinite(scores).all()
        np.testing.assert_array_equal(fitted.fold_in(Histories.from_lists(lists, N_ITEMS)), scores)
        assert fitted.fold_in([]).shape == (0, N_ITEMS)
        assert np.isfinite(fitted.fold_in([[]])).all()

    def test_histories_of_another_catalogue_are_refused(self, fitted):
        with pytest.raises(ValueError, match="items"):
            fitted.fold_in(Histories.from_lists([[0]], N_ITEMS + 1))
        with pytest.raises(ValueError, match="item"):
            fitted.fold_in([[N_ITEMS]])

    @pytest.mark.parametrize("k", [1, 5, N_ITEMS - 1, N_ITEMS, 3 * N_ITEMS])
    def test_similar_items_are_other_items_best_first(self, fitted, k):
        for item in (0, 20, N_ITEMS - 1):
            items, scores = fitted.similar(item, k)
            assert items.dtype == np.int64
            assert len(items) == len(scores) == min(k, N_ITEMS - 1)
            assert item not in items
            assert len(set(items)) == len(items)
            assert set(items) <= set(range(N_ITEMS))
            assert np.isfinite(scores).all()
            assert (np.diff(scores) <= 0).all()

    def test_similar_items_are_of_the_same_block(self, fitted):
        if not self.similarity:
            pytest.skip("claims to know no similarity")
        for item in (1, 13, 30, 47):
            assert (fitted.similar(item, BLOCK // 2)[0] // BLOCK == item // BLOCK).all()

    def test_settings_are_honoured(self, fitted, train, tmp_path):
        if not self.other_settings:
            assert not dataclasses.fields(self.kind.Settings), "name settings that change the scores in other_settings"
        context = FitContext(shared={})  # what does not depend on the setting need not be made anew
        usual = make(self.kind).fit(train, context=context) if self.settings else fitted  # a network: a few epochs
        for name, value in self.other_settings.items():
            other = make(self.kind, **{name: value}).fit(train, context=context)
            assert not np.array_equal(other.score(self.everybody), usual.score(self.everybody)), name
            if WEIGHTS in self.kind.files:  # a network, whose twin in numpy reads the settings, too
                self.inference_only_is_the_same(other, tmp_path / name)

    def test_a_saved_model_is_the_same_bit_for_bit(self, fitted, train, tmp_path):
        fitted.save(tmp_path)
        loaded = self.kind.load(tmp_path, train)
        self.same(fitted, loaded)
        assert (loaded.settings, loaded.seed) == (fitted.settings, fitted.seed)
        assert loaded.catalogue_sha256 == train.catalogue_sha256

    def test_a_model_loaded_for_inference_only_scores_the_same_and_can_be_fitted(self, fitted, train, tmp_path):
        self.inference_only_is_the_same(fitted, tmp_path)
        self.same(self.kind.load(tmp_path, inference_only=True).fit(train), fitted)

    def test_a_saved_model_holds_no_pickle(self, fitted, tmp_path):
        fitted.save(tmp_path)
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert {path.suffix for path in files} <= {".json", ".npz", ".safetensors", ".skops"}
        for path in files:
            if path.suffix == ".npz":
                with np.load(path, allow_pickle=False) as arrays:
                    assert not any(array.dtype.hasobject for array in arrays.values())

    # Settings, refit, device

    def test_settings_are_given_by_keyword(self):
        for field in dataclasses.fields(self.kind.Settings):
            value = getattr(self.make().settings, field.name)
            assert getattr(self.kind(**{field.name: value}).settings, field.name) == value
        assert (self.kind(seed=3).seed, self.kind(device="cuda").device) == (3, "cuda")
        with pytest.raises(UserError, match=f"unknown setting of {self.kind.name} 'no_such_setting'"):
            self.kind(no_such_setting=1)

    def test_a_setting_out_of_range_is_refused(self):
        for name, found in search_ranges(self.kind.Settings).items():
            changed: Any = {name: type(found.smallest)(found.smallest - 1)}
            with pytest.raises(UserError, match=f"{name.replace('_', '-')}|{self.kind.name}"):
                self.kind(**changed)

    def test_refit_without_validation_equals_fit(self, fitted, train):
        model = self.make()
        assert model.refit(train) is model
        self.same(model, fitted)

    def test_fit_says_what_it_took_and_keeps_its_train_view(self, fitted, train):
        assert fitted.costs["fit_seconds"] > 0
        assert fitted.costs["fit_cpu_seconds"] > 0
        assert fitted.train_view is train

    def test_every_epoch_is_reported(self, fitted, reports):
        columns = {name: [values[name] for values, _ in reports] for name in fitted.curves}
        assert columns == fitted.curves
        assert [epoch for _, epoch in reports] == list(range(1, len(reports) + 1))

    # By ids and names

    @pytest.mark.parametrize("k", [1, 5, 3 * N_ITEMS])
    def test_recommendations_are_the_top_items_of_the_scores(self, fitted, train, k):
        table = fitted.recommend(["u03", "u00"], k)
        assert list(table) == ["user_id", "rank", "item_id", "name", "score"]
        codes = np.array([3, 0])
        seen = train.histories.take(codes)
        places = tie_places(train.items["item_id"])
        items, scores = top_items(fitted.score(codes), seen, places, min(k, N_ITEMS))
        assert table["item_id"].tolist() == train.items["item_id"].to_numpy(object)[items[items >= 0]].tolist()
        np.testing.assert_array_equal(table["score"], scores[items >= 0])
        for user, own in table.groupby("user_id"):
            assert own["rank"].tolist() == list(range(1, min(k, N_ITEMS - HEARD) + 1)), user
        assert (table["rank"].dtype, table["score"].dtype) == (np.int32, np.float32)
        assert table["name"].tolist() == ("Song " + table["item_id"]).tolist()

    def test_everybody_is_recommended_something_by_default(self, fitted, train):
        table = fitted.recommend(k=2)
        assert table["user_id"].tolist() == np.repeat(train.users["user_id"].to_numpy(object), 2).tolist()
        assert fitted.recommend([], k=2).empty

    def test_histories_of_ids_and_names_are_recommended_as_those_of_codes(self, fitted, train):
        table = fitted.recommend(histories=[["i03", "song I01"], []], k=4)
        codes = Histories.from_lists([[3, 1], []], N_ITEMS)
        pd.testing.assert_frame_equal(table, fitted.recommend(histories=codes, k=4))
        assert table["user_id"].tolist() == ["0"] * 4 + ["1"] * 4
        assert not table[table["user_id"] == "0"]["item_id"].isin(["i01", "i03"]).any()
        everything = fitted.recommend(histories=codes, k=N_ITEMS, exclude_seen=False)
        assert everything.groupby("user_id")["item_id"].nunique().tolist() == [N_ITEMS, N_ITEMS]

    def test_similar_items_by_id_and_name(self, fitted):
        items, scores = fitted.similar(20, 3)
        for item in ("i20", "song i20"):
            table = fitted.similar_items(item, 3)
            assert list(table) == ["rank", "item_id", "name", "score"]
            assert table["item_id"].tolist() == [f"i{code:02}" for code in items]
            np.testing.assert_array_equal(table["score"], scores.astype(np.float32))

    def test_mistakes_in_ids_and_counts_are_named(self, fitted, tmp_path):
        with pytest.raises(UserError, match=r"unknown user 'u0'; did you mean"):
            fitted.recommend(["u0"])
        with pytest.raises(UserError, match=r"unknown item 'Song i0'; did you mean"):
            fitted.recommend(histories=[["Song i0"]])
        with pytest.raises(UserError, match=r"unknown item 'Song i0'; did you mean"):
            fitted.similar_items("Song i0")
        for k in (0, -3, 2.5, True, "3"):
            with pytest.raises(UserError, match=r"k = .*give a whole number"):
                fitted.recommend(["u00"], k=k)
            with pytest.raises(UserError, match=r"k = .*give a whole number"):
                fitted.similar_items("i00", k=k)
        with pytest.raises(UserError, match="a list of histories"):
            fitted.recommend(histories=["i00", "i01"])
        with pytest.raises(UserError, match="not both"):
            fitted.recommend(["u00"], histories=[["i00"]])
        fitted.save(tmp_path)
        with pytest.raises(UserError, match="give the train view"):
            self.kind.load(tmp_path).recommend(["u00"])

    def test_a_loaded_model_recommends_by_ids(self, fitted, train, tmp_path):
        fitted.save(tmp_path)
        pd.testing.assert_frame_equal(self.kind.load(tmp_path, train).recommend(), fitted.recommend())

    # Explanations

    def test_explanations_add_up_to_the_score_or_there_are_none(self, fitted, train):
        user = 7
        history = train.histories.take(np.array([user]))
        items = [int(item) for item in self.lists(fitted.score(np.array([user])), history)[0][:3]]
        explained = fitted.explain_list(history, items, user)
        if explained is None:
            assert fitted.explain(history, items[0], user) is None
            return
        assert len(explained) == len(items)
        for item, why in zip(items, explained, strict=True):
            assert why.score == pytest.approx(float(fitted.score(np.array([user]))[0, item]), rel=1e-3, abs=1e-5)
            alone = fitted.explain(history, item, user)
            assert alone.parts == pytest.approx(why.parts)
            assert set(why.items) <= set(train.histories[user])
            new = fitted.explain(history, item)
            assert new.score == pytest.approx(float(fitted.fold_in(history)[0, item]), rel=1e-3, abs=1e-5)

    # Mistakes

    def test_another_models_folder_is_refused(self, fitted, tmp_path):
        fitted.save(tmp_path)
        about = json.loads((tmp_path / "model.json").read_text())
        (tmp_path / "model.json").write_text(json.dumps(about | {"model": "another"}))
        with pytest.raises(UserError, match=r"holds the model 'another'.*; name the folder"):
            self.kind.load(tmp_path)

    def test_another_catalogue_is_refused(self, fitted, tmp_path):
        fitted.save(tmp_path)
        with pytest.raises(UserError, match=r"another catalogue.*train it again"):
            self.kind.load(tmp_path, catalogue_sha256="0" * 64)

    def test_a_folder_without_a_model_is_refused(self, tmp_path):
        with pytest.raises(UserError, match=r"no saved model.*run the stage"):
            self.kind.load(tmp_path)

    @pytest.mark.parametrize("damage", ["missing", "empty", "noise", "cut off", "inside"])
    def test_a_damaged_file_is_refused(self, fitted, tmp_path, damage):
        fitted.save(tmp_path)
        for path in [path for path in tmp_path.iterdir() if path.suffix != ".json"]:
            content = path.read_bytes()
            middle = len(content) // 2
            flipped = bytes(255 - byte for byte in content[middle - 20 : middle])
            broken = {
                "empty": b"",
                "noise": b"\x93noise" * 20,
                "cut off": content[:middle],
                "inside": content[: middle - 20] + flipped + content[middle:],
            }
            if damage == "missing":
                path.unlink()
            else:
                path.write_bytes(broken[damage])
        with pytest.raises(UserError, match=r"(is missing|bytes, not|is not the file).*; train"):
            self.kind.load(tmp_path)

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
    def test_a_damaged_description_is_refused(self, fitted, tmp_path, text):
        fitted.save(tmp_path)
        (tmp_path / "model.json").write_text(text)
        with pytest.raises(UserError, match=r"model\.json"):
            self.kind.load(tmp_path)

    def test_settings_of_another_version_are_refused(self, fitted, tmp_path):
        fitted.save(tmp_path)
        about = json.loads((tmp_path / "model.json").read_text())
        (tmp_path / "model.json").write_text(json.dumps(about | {"settings": {"no_such_setting": 1}}))
        with pytest.raises(UserError, match=r"model\.json"):
            self.kind.load(tmp_path)
